import Foundation
import Schemas
import Testing

@Suite("How the stages of a recipe build on one another")
struct RecipeTests {
    private func preferences(_ name: String, parent: String, layout: String = "prefix") -> RunStage {
        RunStage(name: name, parent: parent, preferences: PreferenceMethod(layout: layout))
    }

    @Test("stages stand behind what they wait for, otherwise as they were given")
    func order() {
        #expect(Samples.run.stagesInOrder == Samples.run.stages)
        let run = Samples.run(of: [
            Samples.stage("control", tokensOf: ["b", "c"]), Samples.stage("c", parent: "b"), Samples.stage("x"),
            Samples.stage("b", parent: "a"), Samples.stage("a"), Samples.stage("y", parent: "champion"),
        ])
        #expect(run.stagesInOrder.map(\.name) == ["x", "a", "b", "c", "control", "y"])
        #expect(run.stages[0].waitsFor == ["b", "c"])
        #expect(run.stages[1].waitsFor == ["b"])
        #expect(run.stages[5].waitsFor == [])
        #expect(Samples.run(of: []).stagesInOrder == [])
    }

    @Test("as many stages as a run can have may stand in the reverse of their order")
    func reversed() throws {
        let run = Samples.run(of: Samples.reversedChain(64))
        #expect(throws: Never.self) { try run.validate() }
        #expect(run.stagesInOrder == run.stages.reversed())
        #expect(run.followers(of: "s0") == run.stages.dropLast().map(\.name))
        #expect(try SchemaValidator.of(.run).faults(EventCoding.decodeJSON(from: EventCoding.encode(run))) == [])
    }

    @Test("a control can count the tokens of all other stages")
    func manyTokens() {
        let chain = Samples.reversedChain(63)
        let run = Samples.run(of: [Samples.stage("control", tokensOf: chain.map(\.name))] + chain)
        #expect(throws: Never.self) { try run.validate() }
        #expect(run.stagesInOrder.last?.name == "control")
    }

    @Test("a stage that fails takes those along that wait for it, and those that wait for them")
    func followers() {
        let run = Samples.run
        #expect(run.followers(of: "templates") == ["keys", "corrections", "self", "plain"])
        #expect(run.followers(of: "keys") == ["corrections", "plain"])
        #expect(run.followers(of: "corrections") == [])
        // The champion is there already, whatever becomes of the round's own stages.
        #expect(run.followers(of: "plain") == [])
        let backwards = Samples.run(of: [
            Samples.stage("c", parent: "b"), Samples.stage("b", parent: "a"), Samples.stage("a"),
        ])
        #expect(backwards.followers(of: "a") == ["c", "b"])
    }

    @Test("only the parents of stages that learn from attempts are rolled out")
    func rollOuts() {
        let run = Samples.run
        #expect(run.isRolledOut("keys", round: 1))
        #expect(run.isRolledOut("templates", round: 1))
        // Dual pairs come from the teacher, so the champion below them attempts nothing.
        #expect(!run.isRolledOut("champion", round: 1))
        #expect(!run.isRolledOut("initial", round: 1))
        #expect(!run.isRolledOut("corrections", round: 1))
        #expect(run.stages.filter(\.needsRollout).map(\.name) == ["corrections", "self"])
        #expect(run.stages.filter(\.needsCorrections).map(\.name) == ["corrections", "self"])
        let attempts = Samples.run(of: [Samples.stage("a", "attempts")])
        #expect(attempts.isRolledOut("initial", round: 1))
        #expect(attempts.stages[0].needsRollout)
        // Right attempts need no teacher.
        #expect(!attempts.stages[0].needsCorrections)
        #expect(Samples.run(of: [preferences("a", parent: "champion")]).isRolledOut("champion", round: 1))
    }

    @Test("a stage is trained until its last round, and its parent's attempts are made for no round after that")
    func lastRounds() throws {
        var control = Samples.stage("control", parent: "a", "attempts", tokensOf: ["b"])
        control.lastRound = 2
        control.start = nil
        var run = Samples.run
        run.stages = [Samples.stage("a"), control, Samples.stage("b", parent: "a"), Samples.corrections]
        run.stages[3].parent = "b"
        run.suites[1].stages = nil
        #expect(throws: Never.self) { try run.validate() }
        #expect(run.stages(ofRound: 1) == run.stages)
        #expect(run.stages(ofRound: 2) == run.stages)
        #expect(run.stages(ofRound: 3).map(\.name) == ["a", "b", "corrections"])
        #expect(run.isRolledOut("a", round: 2))
        #expect(!run.isRolledOut("a", round: 3))
        #expect(run.isRolledOut("b", round: 3))
    }

    @Test("a student answers as its stage teaches, else as its parent does")
    func answers() {
        let run = Samples.run
        #expect(run.answers(of: "templates") == "template")
        #expect(run.answers(of: "keys") == "template")
        #expect(run.answers(of: "corrections") == "template")
        #expect(run.answers(of: "self") == "template")
        #expect(run.answers(of: "duals") == "chain")
        #expect(run.answers(of: "plain") == "chain")
        // The champion answers as the gate's candidate does.
        #expect(run.answers(of: "champion") == "template")
        #expect(run.answers(of: "initial") == "template")
        var other = run
        other.gate?.stage = "plain"
        other.prompt?.answers = "chain"
        #expect(other.answers(of: "champion") == "chain")
        #expect(other.answers(of: "initial") == "chain")
        // A candidate on top of the champion that teaches nothing new answers as the first one did.
        let circle = Samples.run(of: [preferences("a", parent: "champion")])
        #expect(circle.answers(of: "champion") == "template")
    }

    @Test(
        "what a stage teaches follows from what it learns from",
        arguments: [
            (SupervisedMethod([ExampleSource("templates")]), "template"),
            (SupervisedMethod([ExampleSource("templates", style: "template-text")]), "template"),
            (SupervisedMethod([ExampleSource("templates", style: "chain-with-notes")]), "chain"),
            (SupervisedMethod([ExampleSource("rightChains")]), "chain"),
            (SupervisedMethod([ExampleSource("wrongChains"), ExampleSource("templates")]), "chain"),
            // Corrections are answers to another prompt, attempts and mended ones are written as the parent writes.
            (SupervisedMethod([ExampleSource("corrections"), ExampleSource("rightChains")]), "chain"),
            (SupervisedMethod([ExampleSource("attempts")]), "template"),
            (SupervisedMethod([ExampleSource("corrections"), ExampleSource("teacherSteps")]), "template"),
        ]
    )
    func taught(method: SupervisedMethod, expected: String) {
        let stage = RunStage(name: "a", supervised: method, start: StageStart(examples: 1))
        #expect(Samples.run(of: [stage]).answers(of: "a") == expected)
        // What the stage says itself counts more.
        var told = stage
        told.answers = expected == "chain" ? "template" : "chain"
        #expect(Samples.run(of: [told]).answers(of: "a") == told.answers)
    }

    @Test("the untrained student is asked for what the first stage teaches that says so")
    func untrained() {
        #expect(Samples.minimalRun.answers(of: "initial") == "template")
        let chains = RunStage(name: "b", keySteps: KeyStepMethod())
        #expect(Samples.run(of: [preferences("a", parent: "initial"), chains]).answers(of: "a") == "chain")
        let templates = RunStage(name: "b", keySteps: KeyStepMethod(form: "templates"))
        #expect(Samples.run(of: [preferences("a", parent: "initial"), templates]).answers(of: "a") == "template")
        var asked = Samples.run(of: [chains])
        asked.prompt = RunPrompt(answers: "template")
        #expect(asked.answers(of: "initial") == "template")
        #expect(asked.answers(of: "b") == "chain")
    }

    @Test("a layout of steps is allowed on templates")
    func steps() {
        let run = Samples.run(of: [
            Samples.stage("a", "templates"), preferences("b", parent: "a", layout: "step"),
            preferences("c", parent: "b", layout: "step"),
        ])
        #expect(throws: Never.self) { try run.validate() }
    }

    @Test("the candidate is the gate's stage, else the last one")
    func candidate() {
        #expect(Samples.run.candidateStage == "corrections")
        var run = Samples.run
        run.gate?.stage = nil
        #expect(run.candidateStage == "plain")
        run.gate = nil
        #expect(run.candidateStage == "plain")
        #expect(Samples.minimalRun.candidateStage == nil)
        #expect(Samples.run.stage("keys") == Samples.keys)
        #expect(Samples.run.stage("initial") == nil)
    }

    @Test("the levels of any number of looks sum to at most the gate's")
    func levels() {
        let gate = RunGate(suite: "s")
        #expect(gate.level(atLook: 1) == 0.025)
        #expect(gate.level(atLook: 2) == 0.05 / 6)
        #expect(RunGate(suite: "s", level: 0.1).level(atLook: 1) == 0.05)
        // Σ 1 / (k (k + 1)) telescopes to 1 - 1 / (n + 1).
        let sum = (1...10_000).reduce(0) { $0 + gate.level(atLook: $1) }
        #expect(abs(sum - 0.05 * (1 - 1.0 / 10_001)) < 1e-12)
        #expect(sum < 0.05)
        #expect(Samples.run.gate?.suites == ["held-out", "guard"])
        #expect(gate.suites == ["s"])
    }

    @Test("methods, datasets, pairs and suites are told apart")
    func parts() {
        let run = Samples.run
        #expect(run.stages[0].method == .supervised(Samples.templates.supervised ?? SupervisedMethod([])))
        #expect(run.stages[1].method == .keySteps(Samples.keys.keySteps ?? KeyStepMethod()))
        #expect(run.stages[3].method == Samples.duals.preferences.map { .preferences($0) })
        #expect(RunStage(name: "a").method == nil)
        #expect(RunStage(name: "a", keySteps: KeyStepMethod(), preferences: Samples.duals.preferences).method == nil)
        #expect(run.learnedDatasets == ["gsm8k", "more"])
        #expect(run.stages[1].data?.pairMethod == .corrupted)
        #expect(run.stages[3].data?.pairMethod == nil)
        #expect(run.suites[2].scores("initial"))
        #expect(!run.suites[2].scores("keys"))
        #expect(run.suites[0].scores("keys"))
        #expect(Samples.plain.parentName == "initial")
        #expect(StageStart.defaultWait == 3600)
    }
}
