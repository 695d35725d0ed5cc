import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Teaching
import TestSupport
import Testing

@testable import TeacherIngestionCore

@Suite("Only what runs need is asked")
struct NeedsTests {
    private func bench(
        _ pool: PostgresPool,
        scope: TeachingScope = .needed,
        options: TeachingOptions = TeachingOptions()
    ) -> Bench {
        Bench(pool, options: options, scope: scope) { prompt, _, _ in Good.answer(prompt) }
    }

    private func run(
        _ id: String,
        _ stages: RunStage...,
        suites: [EvaluationSuite] = [],
        budget: RunTeacherBudget? = nil
    ) -> RunEvent {
        RunEvent(
            id: id,
            name: id,
            dataset: "test",
            seed: 1,
            student: StudentReference(modelHash: "m", tokenizerFingerprint: "t"),
            stages: stages,
            suites: suites,
            teacherBudget: budget
        )
    }

    private let templates = RunStage(
        name: "hsft",
        supervised: SupervisedMethod([ExampleSource("templates")]),
        start: StageStart(examples: 1)
    )
    private let keys = RunStage(
        name: "edit",
        keySteps: KeyStepMethod(form: "chains"),
        start: StageStart(examples: 1)
    )

    private func kinds(_ traces: [TraceEvent]) -> [TraceKind] {
        traces.map(\.kind).filter { $0 != .inspectorVerdict }
    }

    private func progress(
        _ id: String,
        _ pool: PostgresPool
    ) async throws -> (state: ProblemStore.State, taught: Set<TeachingPart>)? {
        try await ProblemStore.progress(of: id, from: pool)
    }

    /// The orders in the outbox, oldest first.
    private func orders(_ pool: PostgresPool) async throws -> [TeachingOrderEvent] {
        try await sent(TeachingOrderEvent.self, pool)
    }

    @Test("stages say what they need")
    func stages() {
        #expect(templates.teaching == [.templates])
        #expect(keys.teaching == [.duals])
        var onTemplates = keys
        onTemplates.keySteps?.form = "templates"
        onTemplates.data = StageData(mistakes: ["logical"])
        #expect(onTemplates.teaching == [.duals, .templates, .mistakes])
        let mixed = RunStage(
            name: "dpo",
            preferences: PreferenceMethod(layout: "prefix", mix: [ExampleSource("rightChains")])
        )
        #expect(mixed.teaching == [.chains])
        let plain = RunStage(name: "plain", supervised: SupervisedMethod([ExampleSource("solutions")]))
        #expect(plain.teaching.isEmpty)
        #expect(run("r", plain).teaching.isEmpty)
        let shots = EvaluationSuite(name: "s", dataset: "test", split: .test, expectedProblems: 1, shots: 2)
        #expect(run("r", plain, suites: [shots]).teaching == ["test": [.chains]])
    }

    @Test("without a run nobody is asked; a run orders what it needs of the problems that are there, another the rest")
    func later() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            #expect(try await bench.run(problem()).isEmpty)
            #expect(bench.teacher.calls.isEmpty)
            #expect(try await progress("p1", pool)?.state == .registered)

            try await bench.accept(run("r1", templates))
            let order = try #require(try await orders(pool).first)
            #expect(order.problemId == "p1" && order.parts == [.templates] && order.runId == "r1")
            #expect(kinds(try await bench.run(order)) == [.template])
            #expect(Set(bench.teacher.calls) == ["template-extraction", "inspect-template"])
            #expect(try await progress("p1", pool)?.state == .ingested)
            #expect(try await progress("p1", pool)?.taught == [.templates])

            // The order comes again, after a crash: nothing is missing any more.
            let calls = bench.teacher.calls
            #expect(try await bench.run(order).isEmpty)
            #expect(bench.teacher.calls == calls)

            try await bench.accept(run("r2", keys))
            let second = try #require(try await orders(pool).last)
            #expect(second.parts == [.duals])
            // A pair is made of a chain, which is told with it; nobody needs the kind of its mistake.
            #expect(kinds(try await bench.run(second)) == [.chainOfThought, .dual])
            #expect(bench.teacher.requests(.classifyMistake).isEmpty)
            #expect(bench.teacher.requests(.templateExtraction).count == 1)
            #expect(try await progress("p1", pool)?.taught == [.templates, .duals, .chains])
            let paid = try await pool.values(
                "SELECT DISTINCT run_id FROM teacher_calls WHERE prompt_id = 'corrupt'",
                as: String.self
            )
            #expect(paid == ["r2"])
        }
    }

    @Test("the kind of a mistake is asked for when a run needs it, and the pair is told again with it")
    func mistakes() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.accept(run("r1", keys))
            let made = try await bench.run(problem())
            let pair = try #require(made.first { $0.kind == .dual })
            guard case .dual(let before) = pair.body else { return }
            #expect(before.mistakeSource == .numbers)

            var stage = keys
            stage.data = StageData(mistakes: ["knowledge"])
            try await bench.accept(run("r2", stage))
            let order = try #require(try await orders(pool).last)
            #expect(order.parts == [.mistakes])
            let told = try await bench.run(order)
            #expect(told.map(\.id) == [pair.id])
            guard case .dual(let after) = told[0].body else { return }
            #expect(after.mistakeSource == .teacher && after.mistake == "knowledge")
            let stored = try await TraceStore.traces(ids: [pair.id], from: pool)
            #expect(stored.map(\.body) == [.dual(after)])
            #expect(bench.teacher.requests(.classifyMistake).count == 1)
            #expect(bench.teacher.requests(.corrupt).count == 1)
        }
    }

    @Test("new problems are asked what active runs need, and nothing once they are cancelled")
    func active() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.accept(run("r1", templates))
            #expect(kinds(try await bench.run(problem(id: "p1"))) == [.template])
            _ = try await pool.withTransaction {
                try await RunStore.end("r1", as: .cancelled, reason: "test", in: $0)
            }
            #expect(try await bench.run(problem(id: "p2")).isEmpty)
            #expect(try await progress("p2", pool)?.state == .registered)
        }
    }

    @Test("a run that no service has accepted is not asked for, and in the end is for the dead letters")
    func refused() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            let waiting = await #expect(throws: Postponement.self) { try await bench.run(run("r1", templates)) }
            #expect(waiting?.end?.failure.code == "run-not-accepted")
            #expect(waiting?.end?.patience == .seconds(600))
            // As soon as it is refused, it is refused for the same reason here.
            try await pool.execute(
                """
                INSERT INTO dead_letters (id, consumer, topic, partition, "offset", key, headers, cause_code, cause_message,
                                          attempts)
                VALUES ('d1', 'template-distiller', \(Topic.runs.rawValue), 0, 0, \(Data("r1".utf8)), '[]', 'unknown-model',
                        'no such student', 1)
                """
            )
            let alike = await #expect(throws: PermanentFailure.self) { try await bench.run(run("r1", templates)) }
            #expect(alike?.code == "unknown-model" && alike?.message == "no such student")
            let traces = try await bench.run(problem())
            #expect(traces.isEmpty)
            // Sent again after it was mended, it waits as if it were new, whether or not the old letter was settled.
            let again = try received(run("r1", templates), offset: 7)
            await #expect(throws: Postponement.self) { try await bench.processor.process(again) }
            // A service that only reads it has written it; the one that accepts runs has not said anything yet.
            try await pool.withTransaction { try await RunStore.insert(run("r1", templates), in: $0) }
            await #expect(throws: Postponement.self) { try await bench.processor.process(again) }
            // Once it is accepted, the letter of the first delivery does not count either.
            try await bench.accept(run("r1", templates))
            #expect(try await TeachingWantStore.wants(of: "test", from: pool).map(\.parts) == [[.templates]])
        }
    }

    @Test("another run under a taken id is refused, and nobody is asked; one whose budget was changed is no other")
    func takenID() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            let first = run("r1", templates)
            try await bench.accept(first)
            let taken = await #expect(throws: PermanentFailure.self) { try await bench.run(run("r1", keys)) }
            #expect(taken?.code == "run-exists")
            let budget = RunTeacherBudget(tokens: 7)
            try await bench.apply(
                RunControlEvent(id: "o1", runId: "r1", action: .setTeacherBudget, teacherBudget: budget)
            )
            try await bench.apply(first)
            #expect(try await RunStore.run("r1", from: pool)?.teacherBudget == budget)
            let wants = try await TeachingWantStore.wants(of: "test", from: pool)
            #expect(wants.map(\.parts) == [[.templates]])
        }
    }

    @Test("a run that comes while a problem is worked on is not missed")
    func race() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            let effects = try await bench.processor.process(try received(problem()))
            try await bench.accept(run("r1", templates))
            #expect(try await orders(pool).isEmpty)
            try await pool.withTransaction { try await effects.apply($0) }
            #expect(try await orders(pool).map(\.parts) == [[.templates]])
        }
    }

    @Test("a template of a problem without a solution needs a chain, which is told and not asked for again")
    func reference() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.accept(run("r1", templates))
            #expect(kinds(try await bench.run(problem(solution: nil))) == [.chainOfThought, .template])
            #expect(try await progress("p1", pool)?.taught == [.chains, .templates])
            #expect(bench.teacher.requests(.corrupt).isEmpty)
        }
    }

    @Test("what the configuration names is asked for in any case, and no run pays for it")
    func always() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool, scope: TeachingScope(always: [.templates]))
            let traces = try await bench.run(problem())
            #expect(kinds(traces) == [.template])
            let charged = try await pool.value("SELECT count(run_id) FROM teacher_calls", as: Int.self)
            #expect(charged == 0)
        }
        #expect(TeachingScope("chains, templates") == TeachingScope(always: [.chains, .templates]))
        #expect(TeachingScope("chains,x") == nil)
        #expect(TeachingScope("") == nil)
    }

    @Test("without a teacher problems are stored, and wrong attempts are left alone")
    func none() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool, scope: .none)
            try await bench.accept(run("r1", templates))
            #expect(try await bench.run(problem()).isEmpty)
            #expect(try await bench.run(attempt(output: "7 pears.")).isEmpty)
            #expect(bench.teacher.calls.isEmpty)
        }
    }

    @Test("a run's budget ends what is asked for it, with an event; raised, what was passed over is asked for")
    func budget() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            // A call takes 15 tokens: the first is made, the second would pass the bound.
            try await bench.accept(run("r1", templates, budget: RunTeacherBudget(tokens: 15)))
            await #expect(throws: Postponement.self) { try await bench.run(problem()) }
            #expect(bench.teacher.calls == ["template-extraction"])
            // Tried again, the problem is stored without it: other runs do not wait for it.
            #expect(try await bench.run(problem()).isEmpty)
            #expect(try await progress("p1", pool)?.state == .registered)
            #expect(bench.teacher.calls.count == 1)
            let paused = try await pauses(pool)
            #expect(paused.map(\.scope) == ["run:r1"] && paused.map(\.state) == [.paused])
            #expect(paused[0].reason?.contains("15 of 15 tokens") == true)

            try await bench.apply(
                RunControlEvent(
                    id: "o1",
                    runId: "r1",
                    action: .setTeacherBudget,
                    teacherBudget: RunTeacherBudget(tokens: 1_000)
                )
            )
            let order = try #require(try await orders(pool).last)
            #expect(kinds(try await bench.run(order)) == [.template])
            // The answer that was paid for is recalled.
            #expect(bench.teacher.requests(.templateExtraction).count == 1)
            #expect(try await pauses(pool).map(\.state) == [.paused, .resumed])
            #expect(try await RunStore.run("r1", from: pool)?.teacherBudget?.tokens == 1_000)
        }
    }

    @Test("what a run needs of many problems is ordered page by page, each once", arguments: [1, 2, 5, 6])
    func pages(page: Int) async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            for number in 0..<6 { try await bench.apply(problem(id: "p\(number)")) }
            for number in 0..<3 {
                var open = problem(id: "open\(number)")
                open.answer = ""
                try await bench.apply(open)
            }
            var asking = run("r1", templates)
            asking.agreement = RunAgreement(agreeing: 3, of: 5)
            try await pool.withTransaction { [asking] in try await RunStore.insert(asking, in: $0) }
            let ledger = StoredTeacherLedger(
                teacher: bench.teacher,
                pool: pool,
                prompts: .shipped,
                budget: TeacherBudget(),
                logger: quiet
            )
            let reader = TeachingNeedsReader(pool: pool, ledger: ledger, scope: .needed, page: page)
            try await pool.withTransaction { [asking] in try await reader.enter(asking, in: $0) }
            let problems = try await orders(pool).map(\.problemId)
            #expect(problems == (0..<3).map { "open\($0)" } + (0..<6).map { "p\($0)" })
        }
    }

    @Test("a problem without an answer gets the one that enough samples agree on, and is then taught")
    func agreement() async throws {
        try await TestDatabase.withPool { pool in
            let answers = ["The answer is 9.", Good.chain, "The answer is 10.0", Good.chain]
            let bench = Bench(pool, scope: .needed) { prompt, call, request in
                prompt == "chain-of-thought" && request.temperature == 0.7
                    ? reply(answers[call % 4]) : Good.answer(prompt)
            }
            var open = problem()
            open.answer = ""
            try await bench.apply(open)
            #expect(try await progress("p1", pool)?.state == .unanswered)
            // Of a run that does not say how, it is not learned from.
            try await bench.accept(run("r1", templates))
            #expect(try await orders(pool).isEmpty)

            var asking = run("r2", keys)
            asking.agreement = RunAgreement(agreeing: 3, of: 5)
            try await bench.accept(asking)
            let order = try #require(try await orders(pool).last)
            #expect(order.agreement == asking.agreement && order.parts.isEmpty)
            try await bench.apply(order)
            let answered = try await ProblemStore.problem("p1", from: pool)
            #expect(answered?.answer == "10" && answered?.answerSource == .agreed)
            #expect(bench.teacher.calls.count == 4)
            let votes = try await pool.value("SELECT answers FROM problem_votes", as: [String].self)
            #expect(votes == ["9", "10", "10.0", "10"])
            // All that runs need of it is ordered at once.
            let next = try #require(try await orders(pool).last)
            #expect(next.agreement == nil && next.runId == "r1" && next.parts == [.duals, .templates])
            #expect(kinds(try await bench.run(next)) == [.chainOfThought, .template, .dual])
            // The same problem again is known.
            try await bench.apply(open)
            #expect(try await progress("p1", pool)?.state == .ingested)
        }
    }

    @Test("where too few samples agree the problem stays without an answer, and no sample is asked for in vain")
    func disagreement() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool, scope: .needed) { _, call, _ in reply("The answer is \(call).") }
            var asking = run("r1", keys)
            asking.agreement = RunAgreement(agreeing: 3, of: 4)
            try await bench.accept(asking)
            var open = problem()
            open.answer = ""
            try await bench.apply(open)
            try await bench.apply(try #require(try await orders(pool).last))
            #expect(try await progress("p1", pool)?.state == .unanswered)
            #expect(bench.teacher.calls.count == 3)
            #expect(try await pool.value("SELECT answer IS NULL FROM problem_votes", as: Bool.self))
        }
    }

    private func pauses(_ pool: PostgresPool) async throws -> [PauseEvent] {
        try await sent(PauseEvent.self, pool)
    }
}
