import Foundation
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

/// Rows that are written by one statement go through array literals: what could be taken for their syntax comes back too.
@Suite("Many rows at once")
struct StoreInsertTests {
    private static let texts = [
        #"a "quoted" word"#, #"back\slash \" and \\"#, "NULL", "null", "{a,b}", "one,\ntwo", " ", "é ☃ 𝄞", "'; --",
    ]

    private static let run = RunEvent(
        id: "r",
        name: "n",
        dataset: "d",
        seed: 1,
        student: StudentReference(modelHash: "m", tokenizerFingerprint: "t"),
        stages: [],
        suites: []
    )

    private static func insertProblem(into pool: PostgresPool) async throws {
        try await pool.withTransaction { transaction in
            try await RunStore.insert(run, in: transaction)
            let problem = ProblemEvent(id: "p", dataset: "d", split: .train, question: "1+1?", answer: "2")
            try await ProblemStore.insert(problem, state: .ingested, in: transaction)
        }
    }

    private static func trace(_ id: String, failure: String? = nil) -> TraceEvent {
        TraceEvent(
            id: id,
            problemId: "p",
            verified: failure == nil,
            failure: failure,
            body: .dual(DualBody(right: "1 + 1 = 2", wrong: "1 + 1 = 3", method: .corrupted)),
            teacher: .sample(promptId: "corrupt")
        )
    }

    @Test("results come back whatever their texts spell, and a text that says NULL is not none")
    func results() async throws {
        try await TestDatabase.withPool { pool in
            let results = Self.texts.enumerated().map { index, text in
                var result = EvaluationJobStore.Result(
                    problemID: "p-\(index)",
                    correct: index.isMultiple(of: 2),
                    answer: index == 3 ? nil : text,
                    output: text,
                    tokens: index == 4 ? nil : index
                )
                if index > 5 { result.second = .init(output: text, correct: false, readable: true, named: index > 6) }
                return result
            }
            try await pool.withTransaction {
                try await EvaluationJobStore.insert(results, evaluation: "e", in: $0)
                try await EvaluationJobStore.insert([], evaluation: "e", in: $0)
            }
            #expect(try await EvaluationJobStore.results(of: "e", from: pool) == results)
        }
    }

    @Test("attempts come back whatever their texts spell, and one that stands twice in a list is written once")
    func attempts() async throws {
        try await TestDatabase.withPool { pool in
            try await Self.insertProblem(into: pool)
            let attempts = Self.texts.enumerated().map { index, text in
                AttemptEvent(
                    id: "a-\(index)",
                    runId: "r",
                    checkpointId: "c",
                    problemId: "p",
                    sample: index,
                    output: text,
                    correct: index == 0,
                    promptFormat: "plain",
                    grader: index == 1 ? nil : "g"
                )
            }
            try await pool.withTransaction {
                try await EvaluationStore.insert(attempts + attempts.prefix(2), in: $0)
                try await EvaluationStore.insert([], in: $0)
            }
            #expect(try await EvaluationStore.attempts(checkpoint: "c", from: pool) == attempts)
            let graded = try await pool.value("SELECT count(grader) FROM attempts", as: Int.self)
            #expect(graded == attempts.count - 1)
        }
    }

    @Test("traces come back whatever their texts spell, and one that is there stays as it was")
    func traces() async throws {
        try await TestDatabase.withPool { pool in
            try await Self.insertProblem(into: pool)
            let traces = Self.texts.enumerated().map { index, text in
                Self.trace("t-\(index)", failure: text.allSatisfy(\.isWhitespace) ? nil : text)
            }
            try await pool.withTransaction {
                try await TraceStore.insert([traces[0]], in: $0)
                try await TraceStore.insert([Self.trace("t-0")] + traces.dropFirst(), in: $0)
                try await TraceStore.insert([TraceEvent](), in: $0)
            }
            #expect(try await TraceStore.traces(ids: traces.map(\.id), from: pool) == traces)
            let failures = try await pool.values("SELECT failure FROM traces ORDER BY id", as: String?.self)
            #expect(failures == traces.map(\.failure))
        }
    }

    private static func keySteps(_ number: Int, alpha: Double = 1) throws -> (event: KeyStepsEvent, body: String) {
        func side(_ text: String) -> KeyStepSide {
            KeyStepSide(
                text: text,
                spans: [KeyStepSpan(start: 8, end: 9, tokenStart: 4, tokenEnd: 5, kind: .replace, step: 0)],
                tokenWeights: [0, 0, 0, 0, 1]
            )
        }
        let event = KeyStepsEvent(
            id: "k-\(number)",
            problemId: "p",
            traceId: "t",
            tokenizer: "tokens-\(number)",
            distance: 1,
            right: side("1 + 1 = 2"),
            wrong: side("1 + 1 = 3"),
            alpha: alpha,
            beta: 0,
            gamma: 0,
            tieRule: "edit",
            format: number == 0 ? nil : "chain"
        )
        return (event, String(decoding: try EventCoding.encode(event), as: UTF8.self))
    }

    @Test("key steps of more rows than one statement has are all there, with what a problem's next pair depends on")
    func keySteps() async throws {
        try await TestDatabase.withPool { pool in
            try await Self.insertProblem(into: pool)
            let keySteps = try (0..<1_001).map { try Self.keySteps($0) }
            func insert(_ keySteps: [(event: KeyStepsEvent, body: String)]) async throws -> Bool {
                try await pool.withTransaction { try await TraceStore.insert(keySteps, in: $0) }
            }
            try await pool.withTransaction { try await TraceStore.insert(Self.trace("t"), in: $0) }
            #expect(try await insert(keySteps))
            #expect(try await insert([]))
            // Again as they are, and with other weights in the last statement.
            #expect(try await insert(keySteps))
            #expect(try await !insert(keySteps.dropLast() + [try Self.keySteps(1_000, alpha: 2)]))
            let totals = try await pool.query("SELECT count(*) AS rows, sum(right_keys) AS keys FROM key_steps")
            let counts = try totals.map { [try $0.get("rows", as: Int.self), try $0.get("keys", as: Int.self)] }
            #expect(counts == [[1_001, 1_001]])

            let context = try await TraceStore.pairContext(
                problems: ["p", "none"],
                traces: ["t", "other"],
                from: pool
            )
            let problem = try #require(context.problems["p"])
            #expect(context.problems.count == 1 && context.activeRuns == ["r"])
            #expect(problem.dataset == "d" && problem.answer == "2")
            #expect(context.located == ["t": Set(keySteps.map(\.event.form))])
            #expect(context.located["t"]?.contains(KeyStepForm(tokenizer: "tokens-0", format: "")) == true)
            #expect(try problem.template() == nil)
            #expect(try await TraceStore.located(traces: ["other"], from: pool).isEmpty)
        }
    }

    @Test("a problem's next pair depends on its first verified template and on the runs that are active, oldest first")
    func context() async throws {
        try await TestDatabase.withPool { pool in
            try await Self.insertProblem(into: pool)
            for id in ["r-3", "r-2"] {
                var run = Self.run
                run.id = id
                try await pool.withTransaction { [run] in try await RunStore.insert(run, in: $0) }
            }
            _ = try await pool.withTransaction { try await RunStore.end("r-3", as: .finished, reason: "done", in: $0) }
            let templates = ["b", "a"].map { id in
                TraceEvent(
                    id: id,
                    problemId: "p",
                    verified: true,
                    body: .template(
                        TemplateBody(steps: [.init(text: "1+1", keyNotes: [])], generalization: "Add.", answer: "2")
                    ),
                    teacher: Self.trace("t").teacher
                )
            }
            try await pool.withTransaction { try await TraceStore.insert(templates, in: $0) }
            let context = try await TraceStore.pairContext(problems: ["p"], traces: [], from: pool)
            #expect(try context.problems["p"]?.template() == templates[1])
            #expect(context.activeRuns == ["r", "r-2"] && context.located.isEmpty)
            #expect(try await RunStore.runs(ids: ["r-2", "r", "none"], from: pool).map(\.id) == ["r", "r-2"])
        }
    }
}
