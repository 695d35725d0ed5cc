import ArgumentParser
import Foundation
import PostgresClient
import Schemas
import ServiceRuntime
import TestSupport
import Testing

@testable import ErrataCLICore

@Suite("errata costs, and the teacher's words for a refused trace")
struct CostsTests {
    /// Calls for a problem's chain and template, for a correction, for a vote, and one that gave no answer.
    private func withCalls(_ body: (PostgresPool) async throws -> Void) async throws {
        try await TestDatabase.withPool { pool in
            for id in ["p-1", "p-2"] { try await StoredTraces.insert(problem: id, answer: "2", in: pool) }
            try await StoredTraces.insert("t-chain", of: "p-1", StoredTraces.chain("2", correct: true), in: pool)
            try await StoredTraces.insert(
                "t-template",
                of: "p-1",
                .template(TemplateBody(steps: [], generalization: "", answer: "")),
                failure: "there are no steps",
                failureKind: "no-steps",
                in: pool
            )
            let calls: [(key: String, subject: String, prompt: String, tokens: Int, estimated: Bool)] = [
                ("k1", "p-1", "chain-of-thought", 10, false), ("k2", "p-1", "template-extraction", 20, true),
                ("k3", "p-1", "inspect-template", 40, false), ("k4", "p-2", "chain-of-thought", 80, false),
            ]
            for call in calls {
                try await pool.execute(
                    """
                    INSERT INTO teacher_calls (key, problem_id, prompt_id, prompt_version, model, temperature, seed, response,
                                               finish_reason, prompt_tokens, completion_tokens, cost, latency_ms, estimated)
                    VALUES (\(call.key), \(call.subject), \(call.prompt), '1', 'm', 0.2, 1,
                            \("words of \(call.key)\nand more"), 'stop', 0, \(call.tokens),
                            \(Double(call.tokens) / 10), 1, \(call.estimated))
                    """
                )
            }
            try await pool.execute(
                """
                INSERT INTO teacher_failed_calls (key, problem_id, role, prompt_id, model, outcome, message, may_be_billed,
                                                  latency_ms, prompt_tokens, completion_tokens, cost)
                VALUES ('k5', 'p-1', 'template', 'template-extraction', 'm', 'timeout', 'slow', true, 1, 100, 500, 6.5)
                """
            )
            try await body(pool)
        }
    }

    @Test("by trace: what was paid for each, an inspector's calls with those of what it inspected")
    func byTrace() async throws {
        try await withCalls { pool in
            let lines = try await CostLine.read(by: .trace, limit: 10, from: pool)
            #expect(lines.map(\.name) == ["no trace", "t-template", "t-chain"])
            #expect(lines.map(\.cost) == [8, 6, 1] && lines.map(\.answers) == [1, 2, 1])
            #expect(lines.map(\.estimated) == [0, 1, 0])
            let template = lines[1]
            #expect(template.failed == 1 && template.maybeBilled == 1)
            #expect(template.maybeBilledTokens == 600 && template.maybeBilledCost == 6.5)
        }
    }

    @Test("each grouping has all calls", arguments: CostsCommand.Grouping.allCases)
    func groupings(grouping: CostsCommand.Grouping) async throws {
        try await withCalls { pool in
            let lines = try await CostLine.read(by: grouping, limit: 10, from: pool)
            #expect(lines.reduce(0) { $0 + $1.answers } == 4 && lines.reduce(0) { $0 + $1.completionTokens } == 150)
            #expect(lines.reduce(0) { $0 + $1.failed } == 1)
        }
    }

    @Test("the teacher's words for a refused trace are its own answers, and no inspector's")
    func answers() async throws {
        try await withCalls { pool in
            let trace = try #require(try await TraceStore.traces(ids: ["t-template"], from: pool).first)
            let answers = try await TraceAnswer.read(of: trace, from: pool)
            #expect(answers.map(\.text) == ["words of k2\nand more"])
            let text = TraceAnswer.rendered(trace, answers)
            #expect(text.contains("t-template template of p-1, refused for no-steps: there are no steps"))
            #expect(text.contains("template-extraction, sample 0, stop:\n    words of k2\n    and more"))
            #expect(try TraceAnswer.line(trace, answers).contains("\"answers\":[{"))
            #expect(TraceAnswer.rendered(trace, []).contains("no answer was paid for it"))
            #expect(throws: (any Error).self) { try TracesCommand.parse(["--answers"]) }
        }
    }
}
