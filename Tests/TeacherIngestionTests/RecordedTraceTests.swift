import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Teaching
import TestSupport
import Testing

@testable import TeacherIngestionCore

@Suite("Traces that were recorded elsewhere")
struct RecordedTraceTests {
    private func bench(_ pool: PostgresPool) -> Bench {
        Bench(pool, scope: .none) { prompt, _, _ in Good.answer(prompt) }
    }

    private func chain(_ text: String, id: String? = nil) -> RecordedTraceEvent {
        RecordedTraceEvent(id: id, problemId: "p1", kind: .chainOfThought, text: text, model: "own")
    }

    @Test("each kind is verified, stored and sent on with its author, and counts as taught")
    func verified() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.run(problem())
            let traces = [
                chain(Good.chain),
                RecordedTraceEvent(problemId: "p1", kind: .dual, right: Good.chain, wrong: Good.wrong),
                RecordedTraceEvent(problemId: "p1", kind: .template, text: Good.template),
                RecordedTraceEvent(
                    problemId: "p1",
                    kind: .correction,
                    correction: CorrectionBody(
                        steps: ["Ann has 3 + 4 = 7 pears."],
                        firstWrongStep: 0,
                        cause: "The baskets are equal groups.",
                        correction: "Ann has 3 * 4 = 12 pears.",
                        answer: "10"
                    )
                ),
            ]
            for recorded in traces {
                let sent = try await bench.run(recorded)
                #expect(sent.count == 1)
                #expect(sent[0].kind == recorded.kind)
                #expect(sent[0].verified, "\(sent[0].failure ?? "")")
                #expect(sent[0].teacher.model == recorded.model ?? "recorded")
                let stored = try await TraceStore.traces(ids: [sent[0].id], from: pool)
                #expect(stored == sent)
            }
            let progress = try await ProblemStore.progress(of: "p1", from: pool)
            #expect(progress?.state == .ingested)
            #expect(progress?.taught == [.chains, .duals, .templates])
            #expect(bench.teacher.calls.isEmpty)
        }
    }

    @Test(
        "what does not hold is stored with its reason, and does not count",
        arguments: [
            (RecordedTraceEvent(problemId: "p1", kind: .chainOfThought, text: Good.wrong), "wrong-answer"),
            (RecordedTraceEvent(problemId: "p1", kind: .chainOfThought, text: "I do not know."), "no-answer"),
            (
                RecordedTraceEvent(
                    problemId: "p1",
                    kind: .chainOfThought,
                    text: "Ann has 3 * 4 = 13 pears.\nShe is left with 12 - 2 = 10 pears.\nThe answer is 10."
                ), "arithmetic"
            ),
            (RecordedTraceEvent(problemId: "p1", kind: .dual, right: Good.wrong, wrong: Good.wrong), "wrong-answer"),
            (RecordedTraceEvent(problemId: "p1", kind: .dual, right: Good.chain, wrong: Good.chain), "not-wrong"),
            (RecordedTraceEvent(problemId: "p1", kind: .template, text: "no tags at all"), "no-steps"),
        ]
    )
    func refused(recorded: RecordedTraceEvent, kind: String) async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.run(problem())
            let sent = try await bench.run(recorded)
            #expect(sent.map(\.verified) == [false])
            #expect(sent.first?.failureKind == kind)
            #expect(try await ProblemStore.progress(of: "p1", from: pool)?.taught == [])
        }
    }

    @Test("a pair whose wrong chain a teacher wrote by itself may go another way; its right chain is held to all rules")
    func rectified() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.run(problem())
            let other = """
                Every basket weighs 5 kg.
                Two of them weigh 5 * 2 = 10 kg, and 10 / 5 = 2 stay.
                The answer is 2.
                """
            func pair(_ wrong: String, _ method: DualBody.Method) async throws -> TraceEvent? {
                var event = RecordedTraceEvent(problemId: "p1", kind: .dual, right: Good.chain, wrong: wrong)
                event.method = method
                return try await bench.run(event).first
            }
            #expect(try await pair(other, .corrupted)?.verified == false)
            let rectified = try #require(try await pair(other, .rectified))
            #expect(rectified.verified, "\(rectified.failure ?? "")")
            #expect(rectified.grader == Grader().stamp)
            #expect(TraceGrading.verdicts(on: rectified, of: problem()).map(\.now) == [true])
            #expect(try await pair(Good.chain, .rectified)?.failureKind == "not-wrong")
            #expect(try await pair("I do not know.", .rectified)?.failureKind == "no-answer")
        }
    }

    @Test("a correction that says the wrong step again is refused as a teacher's is")
    func sameStep() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.run(problem())
            let correction = CorrectionBody(
                steps: ["Ann has 3 + 4 = 7 pears."],
                firstWrongStep: 0,
                cause: "The baskets are equal groups.",
                correction: "Ann has 3 + 4 = 7 pears.",
                answer: "10"
            )
            let sent = try await bench.run(
                RecordedTraceEvent(problemId: "p1", kind: .correction, correction: correction)
            )
            #expect(sent.first?.failureKind == "no-correction")
        }
    }

    @Test("a trace whose problem has not come waits for it, and in the end is for the dead letters")
    func missing() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            let waiting = await #expect(throws: Postponement.self) { try await bench.run(chain(Good.chain)) }
            #expect(waiting?.end?.failure.code == "unknown-problem")
            #expect(waiting?.end?.patience == .seconds(600))
            let attempt = await #expect(throws: PermanentFailure.self) {
                try await bench.run(problem())
                var correction = RecordedTraceEvent(
                    problemId: "p1",
                    kind: .correction,
                    correction: CorrectionBody(steps: [], firstWrongStep: nil, cause: "", correction: "", answer: "10")
                )
                correction.attemptId = "nobody"
                try await bench.run(correction)
            }
            #expect(attempt?.code == "unknown-attempt")
        }
    }

    @Test("the same trace twice is one, under the id that it has elsewhere or that of its content")
    func twice() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.run(problem())
            let first = try await bench.run(chain(Good.chain))
            let second = try await bench.run(chain(Good.chain))
            #expect(first == second)
            let other = try await bench.run(chain(Good.chain, id: "mine"))
            #expect(other.first?.id != first.first?.id)
            #expect(try await pool.value("SELECT count(*) FROM traces", as: Int.self) == 2)
        }
    }

    @Test("the processor does not read its own traces, and reads recorded ones")
    func types() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            #expect(!bench.processor.reads(.trace))
            #expect(bench.processor.reads(.recordedTrace))
            #expect(Topic.traces.plainEventType == .recordedTrace)
        }
    }
}
