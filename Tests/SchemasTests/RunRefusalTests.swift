import Schemas
import Testing

@Suite("Runs that are refused, each with its place")
struct RunRefusalTests {
    @Test("the sample itself is not")
    func sample() { #expect(throws: Never.self) { try Samples.run.validate() } }

    @Test("ids, prompts and decoding", arguments: Self.headsRefused)
    func heads(refusal: Refusal) throws { try refusal.check() }

    @Test("stages that do not fit one another", arguments: Self.graphRefused)
    func graph(refusal: Refusal) throws { try refusal.check() }

    @Test("suites and roll-outs", arguments: Self.suitesRefused)
    func suites(refusal: Refusal) throws { try refusal.check() }

    @Test("roll-outs and decoding that nothing reads", arguments: Self.unreadRefused)
    func unread(refusal: Refusal) throws { try refusal.check() }

    @Test("a roll-out that draws reads how it draws, whatever the suites' temperature")
    func drawnInRollouts() throws {
        var run = Samples.run
        run.decoding = DecodingOptions(maximumNewTokens: 8, topK: 5, topP: 0.9, maximumCorrectionTokens: 4)
        #expect(throws: Never.self) { try run.validate() }
        run.rollout = nil
        #expect(throws: Never.self) { try run.validate() }
    }

    private static let unreadRefused: [Refusal] = [
        Refusal("rollout is not read: no stage learns from attempts; leave it out", isInSchema: false) {
            $0 = Samples.oneStage
            $0.rollout = RolloutOptions()
        },
        Refusal("decoding.seed is not read at temperature 0, and roll-outs draw by the run's seed;", isInSchema: false)
        { $0.decoding?.temperature = 0 },
        Refusal("decoding.topK is not read at temperature 0, where nothing is drawn; leave it out", isInSchema: false) {
            $0 = Samples.oneStage
            $0.decoding = DecodingOptions(maximumNewTokens: 8, topK: 5)
        },
        Refusal("decoding.topK is not read at temperature 0,", isInSchema: false) {
            $0.decoding = DecodingOptions(maximumNewTokens: 8, topK: 5)
            $0.rollout?.temperature = 0
        },
        Refusal("decoding.topP is not read at temperature 0,", isInSchema: false) {
            $0 = Samples.oneStage
            $0.decoding = DecodingOptions(maximumNewTokens: 8, topP: 0.5)
        },
        Refusal("decoding.maximumCorrectionTokens is not read: selfCorrection is not true, and no", isInSchema: false) {
            $0 = Samples.oneStage
            $0.decoding = DecodingOptions(maximumNewTokens: 8, maximumCorrectionTokens: 5)
        },
        Refusal("decoding.maximumCorrectionTokens is not read: selfCorrection is not true,", isInSchema: false) {
            $0 = Samples.oneStage
            $0.decoding = DecodingOptions(maximumNewTokens: 8, selfCorrection: false, maximumCorrectionTokens: 5)
        },
    ]

    @Test("rounds and gates", arguments: Self.roundsRefused)
    func rounds(refusal: Refusal) throws { try refusal.check() }

    private static let headsRefused: [Refusal] = [
        Refusal("id must be 1 to 200") { $0.id = "r 1" },
        Refusal("name must not be empty") { $0.name = " " },
        Refusal("dataset must be 1 to 200") { $0.dataset = "" },
        Refusal("seed must be 0 to 9007199254740991, is 9007199254740992") { $0.seed = 9_007_199_254_740_992 },
        Refusal("student.modelHash must be 1 to 200") { $0.student.modelHash = "" },
        Refusal("student.tokenizerFingerprint must be 1 to 200") { $0.student.tokenizerFingerprint = "" },
        Refusal("prompt.style must be one of short, text, chat, is 'long'") { $0.prompt?.style = "long" },
        Refusal("prompt.system must not be empty") { $0.prompt?.system = "\n" },
        // The short form has no place for a system message, and it is the form where none is named.
        Refusal("prompt.system is not read in the style 'short'; choose text or chat, or leave it out") {
            $0.prompt?.style = "short"
        },
        Refusal("prompt.system is not read in the style 'short'") { $0.prompt?.style = nil },
        Refusal("prompt.answers must be one of chain, template, is 'step'") { $0.prompt?.answers = "step" },
        Refusal("decoding.temperature must be 0.0 to 10.0, is 11.0") { $0.decoding?.temperature = 11 },
        Refusal("decoding.maximumNewTokens must be 1 to 1048576, is 0") { $0.decoding?.maximumNewTokens = 0 },
        Refusal("decoding.topK must be at least 1, is 0") { $0.decoding?.topK = 0 },
        Refusal("decoding.topP must be above 0.0 and at most 1.0, is 1.5") { $0.decoding?.topP = 1.5 },
        // Nothing could be drawn, and the evaluation would be tried again for ever.
        Refusal("decoding.topP must be above 0.0 and at most 1.0, is 0.0") { $0.decoding?.topP = 0 },
        Refusal("decoding.repetitionPenalty must be above 0") { $0.decoding?.repetitionPenalty = 0 },
        Refusal("decoding.seed must be 0 to 9007199254740991") { $0.decoding?.seed = 9_007_199_254_740_992 },
        Refusal("decoding.maximumCorrectionTokens must be 1 to 1048576, is 0") {
            $0.decoding?.maximumCorrectionTokens = 0
        },
        Refusal("decoding.stop has more than 16 texts") { $0.decoding?.stop = (0..<17).map { "\($0)" } },
        Refusal("decoding.stop[1] must not be empty") { $0.decoding?.stop = ["x", ""] },
    ]

    // Rules on names that stand in two places are beyond a JSON Schema.
    private static let graphRefused: [Refusal] = [
        Refusal("stages[1].name is 'templates', as another stage's; give each a name of its own", isInSchema: false) {
            $0.stages[1].name = "templates"
        },
        Refusal(
            "stages[1].parent is 'sft', which is no other stage; known are initial, champion, templates, corrections, ",
            isInSchema: false
        ) { $0.stages[1].parent = "sft" },
        Refusal("stages[1].parent is 'keys', which is no other stage;", isInSchema: false) {
            $0.stages[1].parent = "keys"
        },
        Refusal(
            "stages[3].parent is 'champion', but the run has no gate that would name one",
            isInSchema: false
        ) {
            $0.rounds = nil
            $0.gate = nil
            $0.stages[3].lastRound = nil
        },
        Refusal(
            "stages[5].tokensOf[1] is 'sft', which is no other stage; known are templates, keys, corrections, duals, self",
            isInSchema: false
        ) { $0.stages[5].tokensOf = ["keys", "sft"] },
        Refusal("stages[5].tokensOf[0] is 'plain', which is no other stage;", isInSchema: false) {
            $0.stages[5].tokensOf = ["plain"]
        },
        Refusal(
            "stages[0] closes a circle: templates waits for keys waits for templates",
            isInSchema: false
        ) { $0.stages[0].parent = "keys" },
        // A control waits for the stages whose tokens it counts just as for its parent; what only follows is not named.
        Refusal("stages[0] closes a circle: a waits for b waits for c waits for a", isInSchema: false) {
            $0 = Samples.run(of: [
                Samples.stage("a", parent: "b"), Samples.stage("b", tokensOf: ["c"]), Samples.stage("c", parent: "a"),
                Samples.stage("d", parent: "c"), Samples.stage("e"),
            ])
        },
        // The place is that of a stage of the circle, not of one before it in the recipe that only follows.
        Refusal("stages[2] closes a circle: c waits for a waits for b waits for c", isInSchema: false) {
            $0 = Samples.run(of: [
                Samples.stage("d", parent: "c"), Samples.stage("e"), Samples.stage("c", parent: "a"),
                Samples.stage("a", parent: "b"), Samples.stage("b", parent: "c"),
            ])
        },
        Refusal("stages[0] closes a circle: s63 waits for s62 waits for s61 waits for s60", isInSchema: false) {
            $0 = Samples.run(of: Samples.reversedChain(64))
            $0.stages[63].parent = "s63"
        },
        Refusal("stages are 65; a run has at most 64") { $0 = Samples.run(of: Samples.reversedChain(65)) },
        // A round has what its stages wait for, and a candidate.
        Refusal("stages[3].lastRound is read where a run has rounds; leave it out") { $0.rounds = nil },
        Refusal(
            "stages[2].lastRound is given to 'corrections', which the gate judges in every round;",
            isInSchema: false
        ) {
            $0.stages[2].lastRound = 10
        },
        Refusal("stages[0].lastRound is 4, but 'keys' waits for the stage in rounds after it", isInSchema: false) {
            $0.stages[0].lastRound = 4
        },
        Refusal("stages[0].lastRound is 2, but 'plain' waits for the stage in rounds after it", isInSchema: false) {
            $0.stages = [Samples.templates, Samples.plain, Samples.stage("corrections")]
            $0.stages[0].lastRound = 2
            $0.stages[1].tokensOf = ["templates"]
        },
        // Chains have no step elements that a pair could be about.
        Refusal(
            "stages[1].preferences.layout is 'step', but 'a' answers in chains, which have no step elements;",
            isInSchema: false
        ) {
            $0 = Samples.run(of: [
                Samples.stage("a", "rightChains"),
                RunStage(name: "b", parent: "a", preferences: PreferenceMethod(layout: "step")),
            ])
        },
        Refusal("stages[0].preferences.layout is 'step', but 'initial' answers in chains,", isInSchema: false) {
            $0 = Samples.run(of: [RunStage(name: "b", preferences: PreferenceMethod(layout: "step"))])
            $0.prompt = RunPrompt(answers: "chain")
        },
    ]

    private static let suitesRefused: [Refusal] = [
        Refusal("rollout.samples must be 1 to 1024, is 0") { $0.rollout?.samples = 0 },
        Refusal("rollout.temperature must be 0.0 to 10.0, is -1.0") { $0.rollout?.temperature = -1 },
        Refusal("rollout.limit must be at least 1, is 0") { $0.rollout?.limit = 0 },
        Refusal("rollout.split is 'test', which is only scored; give rollout, development or train") {
            $0.rollout?.split = .test
        },
        Refusal("suites[0].name must be 1 to 200") { $0.suites[0].name = "held out" },
        Refusal("suites[0].dataset must be 1 to 200") { $0.suites[0].dataset = "" },
        Refusal("suites[0].expectedProblems must be at least 1, is 0") { $0.suites[0].expectedProblems = 0 },
        Refusal("suites[1].waitSeconds must be 0.0 to 31536000.0, is -1.0") { $0.suites[1].waitSeconds = -1 },
        Refusal("suites[1].limit must be at least 1, is 0") { $0.suites[1].limit = 0 },
        Refusal("suites[2].shots must be 0 to 32, is 33") { $0.suites[2].shots = 33 },
        // Its own questions would be shown to the student with their solutions.
        Refusal("suites[1].shots shows solved problems of the split 'train', which the suite asks; score on another") {
            $0.suites[1].shots = 4
        },
        Refusal("suites[2].policy must be one of strict, standard, qwen, is 'lenient'") {
            $0.suites[2].policy = "lenient"
        },
        Refusal(
            "suites[2].stages[1] is 'sft', which is no stage of the run; its stages are templates, keys, corrections, ",
            isInSchema: false
        ) { $0.suites[2].stages = ["initial", "sft"] },
        // The champion is not a stage: it is scored as the stage that made it.
        Refusal("suites[2].stages[0] is 'champion', which is no stage of the run;", isInSchema: false) {
            $0.suites[2].stages = ["champion"]
        },
        Refusal("suites are 65; a run has at most 64") {
            $0.suites += (0..<62).map {
                EvaluationSuite(name: "s\($0)", dataset: "other", split: .test, expectedProblems: 1)
            }
        },
        Refusal("suites must have different names", isInSchema: false) { $0.suites[2].name = "held-out" },
        // What a stage learns from, by its own datasets too, is no fair question.
        Refusal(
            "suites[0].split is 'train' of 'gsm8k', which the run learns from; score on another split",
            isInSchema: false
        ) { $0.suites[0].split = .train },
        Refusal("suites[0].split is 'rollout' of 'gsm8k', which the run learns from;", isInSchema: false) {
            $0.suites[0].split = .rollout
        },
        Refusal("suites[0].split is 'rollout' of 'gsm8k', which the run learns from;", isInSchema: false) {
            $0.suites[0].split = .rollout
            $0.rollout = nil
        },
        Refusal("suites[2].split is 'development' of 'gsm8k', which the run learns from;", isInSchema: false) {
            $0.rollout?.split = .development
        },
        Refusal("suites[1].split is 'train' of 'more', which the run learns from;", isInSchema: false) {
            $0.suites[1].dataset = "more"
        },
    ]

    private static let roundsRefused: [Refusal] = [
        Refusal("rounds.newProblems must be at least 1, is 0") { $0.rounds?.newProblems = 0 },
        Refusal("rounds.afterSeconds must be 0.0 to 31536000.0, is -1.0") { $0.rounds?.afterSeconds = -1 },
        Refusal("rounds.maximum must be at least 1, is 0") { $0.rounds?.maximum = 0 },
        Refusal("rounds.from must be one of champion, initial, is 'latest'") { $0.rounds?.from = "latest" },
        Refusal("rounds.data must be one of all, new, replay, is 'old'") { $0.rounds?.data = "old" },
        Refusal("rounds.replayShare must be 0.0 to 1.0, is 1.5") { $0.rounds?.replayShare = 1.5 },
        Refusal("rounds.replayShare is read where data is 'replay'; leave it out") { $0.rounds?.data = "new" },
        Refusal("rounds.replayShare is read where data is 'replay'; leave it out") { $0.rounds?.data = nil },
        Refusal("gate is missing; a run in rounds needs a rule that says which student is the best one") {
            $0.gate = nil
            $0.stages[3].parent = "templates"
        },
        // Without a stage there is no candidate, be it of one round or of many.
        Refusal("stages is empty; a run with rounds or a gate needs a stage") {
            $0 = Samples.minimalRun
            $0.rounds = RunRounds()
            $0.suites = [Samples.run.suites[0]]
            $0.gate = RunGate(suite: "held-out")
        },
        Refusal("stages is empty; a run with rounds or a gate needs a stage") {
            $0 = Samples.minimalRun
            $0.suites = [Samples.run.suites[0]]
            $0.gate = RunGate(suite: "held-out")
        },
        Refusal("stages is empty; a run with rounds or a gate needs a stage") {
            $0 = Samples.minimalRun
            $0.rounds = RunRounds()
        },
        Refusal(
            "gate.suite is 'test', which is no suite of the run; its suites are held-out, guard, few-shot",
            isInSchema: false
        ) { $0.gate?.suite = "test" },
        Refusal("gate.mustNotFall[1] is 'test', which is no other suite of the run;", isInSchema: false) {
            $0.gate?.mustNotFall = ["guard", "test"]
        },
        Refusal("gate.mustNotFall[0] is 'held-out', which is no other suite of the run;", isInSchema: false) {
            $0.gate?.mustNotFall = ["held-out"]
        },
        Refusal("gate.stage is 'sft', which is no stage of the run; its stages are templates, keys,", isInSchema: false)
        { $0.gate?.stage = "sft" },
        // A paired test needs both students' answers to the same questions, asked in the same way.
        Refusal(
            "suites[0].stages must hold 'initial' and 'corrections', which the gate compares on this suite",
            isInSchema: false
        ) { $0.suites[0].stages = ["initial", "templates"] },
        Refusal("suites[1].stages must hold 'initial' and 'corrections',", isInSchema: false) {
            $0.suites[1].stages = ["corrections"]
        },
        Refusal("suites[1].stages must hold 'initial' and 'keys',", isInSchema: false) { $0.gate?.stage = "keys" },
        Refusal("suites[0].shots must not be there for a suite that the gate compares on:", isInSchema: false) {
            $0.suites[0].shots = 1
        },
        Refusal("suites[1].shots must not be there for a suite that the gate compares on:", isInSchema: false) {
            $0.suites[1].split = .test
            $0.suites[1].shots = 8
        },
        Refusal("gate.leastGain must be 0.0 to 1.0, is -0.1") { $0.gate?.leastGain = -0.1 },
        Refusal("gate.level must lie between 0 and 1") { $0.gate?.level = 0 },
        Refusal("gate.level must lie between 0 and 1") { $0.gate?.level = 1 },
    ]
}
