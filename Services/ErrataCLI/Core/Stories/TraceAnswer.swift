import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime

/// What the teacher wrote when a trace was to be made.
struct TraceAnswer: Sendable, Equatable, Encodable {
    let prompt: String
    let sample: Int
    let finishReason: String
    let text: String

    /// The questions that a trace of a kind is made of.
    static func prompts(of kind: TraceKind) -> [PromptID] {
        switch kind {
        case .chainOfThought: [.chainOfThought]
        case .dual: [.rectify, .corrupt, .classifyMistake]
        case .template: [.templateExtraction, .hierarchicalThought]
        case .correction: [.groundedCorrection, .correction]
        case .inspectorVerdict: [.inspectTemplate, .inspectCorrection]
        }
    }

    /// The answers that were paid for the trace's problem, or its attempt, in order.
    static func read(of trace: TraceEvent, from pool: PostgresPool) async throws -> [TraceAnswer] {
        let subject = trace.attemptId ?? trace.problemId
        return try await pool.query(
            """
            SELECT prompt_id, sample, finish_reason, response FROM teacher_calls
            WHERE problem_id = \(subject) AND prompt_id = ANY(\(prompts(of: trace.kind).map(\.rawValue)))
            ORDER BY created_at, prompt_id, sample
            """
        ).map { row in
            TraceAnswer(
                prompt: try row.get("prompt_id", as: String.self),
                sample: try row.get("sample", as: Int.self),
                finishReason: try row.get("finish_reason", as: String.self),
                text: try row.get("response", as: String.self)
            )
        }
    }

    /// A trace, why it is refused, and the answers, for people.
    static func rendered(_ trace: TraceEvent, _ answers: [TraceAnswer]) -> String {
        let kind = trace.failureKind ?? TraceStore.unknownFailureKind
        var lines = [
            "\(trace.id) \(trace.kind.rawValue) of \(trace.problemId), refused for \(kind): "
                + TextTable.oneLine(trace.failure ?? "", atMost: 400)
        ]
        if answers.isEmpty { lines.append("  no answer was paid for it: see the trace itself with --json") }
        for answer in answers {
            lines.append("  \(answer.prompt), sample \(answer.sample), \(answer.finishReason):")
            lines += answer.text.split(separator: "\n", omittingEmptySubsequences: false).map {
                "    " + TextTable.oneLine(String($0), atMost: 1000)
            }
        }
        return lines.joined(separator: "\n")
    }

    /// The same as a line of JSON.
    static func line(_ trace: TraceEvent, _ answers: [TraceAnswer]) throws -> String {
        struct Line: Encodable {
            let trace: String
            let problem: String
            let kind: String
            let failureKind: String?
            let failure: String?
            let answers: [TraceAnswer]
        }
        let line = Line(
            trace: trace.id,
            problem: trace.problemId,
            kind: trace.kind.rawValue,
            failureKind: trace.failureKind,
            failure: trace.failure,
            answers: answers
        )
        return String(decoding: try EventCoding.encodeJSON(line), as: UTF8.self)
    }
}
