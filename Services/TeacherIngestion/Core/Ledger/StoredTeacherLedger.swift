import Foundation
public import Logging
import Metrics
public import PostgresClient
public import Reasoning
import Schemas
public import Teaching

/// Asks the teacher, and keeps every answer in the table `teacher_calls` under a key made of what was asked, so that a
/// message that comes again never pays twice and always gets the answers that it got before.
public struct StoredTeacherLedger: TeacherLedger {
    /// The prompts that the teacher is asked with.
    public let prompts: PromptLibrary
    private let teacher: any Teacher
    private let pool: PostgresPool
    private let slots: TeacherSlots
    private let maximumTokens: Int
    private let logger: Logger

    /// Creates a ledger.
    ///
    /// At most `concurrency` calls are with the teacher at the same time, and an answer may have `maximumTokens`.
    public init(
        teacher: any Teacher,
        pool: PostgresPool,
        prompts: PromptLibrary = .shipped,
        concurrency: Int = 8,
        maximumTokens: Int = 2048,
        logger: Logger
    ) {
        self.teacher = teacher
        self.pool = pool
        self.prompts = prompts
        slots = TeacherSlots(limit: concurrency)
        self.maximumTokens = maximumTokens
        self.logger = logger
    }

    /// The teacher's model.
    public var model: String { teacher.model }

    /// Asks a question about a problem, or recalls the answer to it.
    ///
    /// - Parameters:
    ///   - question: the question.
    ///   - subject: the problem's id, or an attempt's; the answers to one question about two subjects are kept apart.
    ///   - temperature: the sampling temperature.
    ///   - attempt: how often the question was put before; each time has a seed of its own.
    /// - Returns: the answer, with what it cost when it was given.
    /// - Throws: ``TeacherError`` when there is no answer, `PostgresError` when the ledger cannot be read or written.
    public func ask(
        _ question: TeacherRequest,
        subject: String,
        temperature: Double,
        attempt: Int
    ) async throws -> TeacherAnswer {
        let (prompt, request) = try request(
            question,
            subject: subject,
            temperature: temperature,
            attempt: attempt,
            maximumTokens: maximumTokens
        )
        let call = Call(subject: subject, prompt: prompt, request: request, model: model)
        if let answer = try await recall(call) {
            count(call, outcome: "recalled")
            return answer
        }
        let reply: ChatReply
        do {
            reply = try await slots.withSlot { try await teacher.complete(request) }.cleaned
        } catch let error as TeacherError {
            count(call, outcome: error.code.rawValue)
            if error.code != .unavailable {
                logger.error(
                    "the teacher's endpoint does not do what is asked; the message is kept and tried again",
                    metadata: ["prompt": "\(call.prompt.id.rawValue)", "problem": "\(subject)", "error": "\(error)"]
                )
            }
            throw error
        }
        count(call, outcome: reply.finishReason == "stop" ? "answered" : "cut")
        Counter(label: "errata_teacher_tokens_total", dimensions: [("direction", "prompt")])
            .increment(by: max(0, reply.promptTokens))
        Counter(label: "errata_teacher_tokens_total", dimensions: [("direction", "completion")])
            .increment(by: max(0, reply.completionTokens))
        return try await keep(reply, of: call)
    }

    // MARK: Table

    private struct Call {
        let subject: String
        let prompt: Prompt
        let request: ChatRequest
        let key: String

        init(subject: String, prompt: Prompt, request: ChatRequest, model: String) {
            self.subject = subject
            self.prompt = prompt
            self.request = request
            key = DeterministicID.make(
                cause: subject,
                parts: [
                    "teacher-call", prompt.id.rawValue, prompt.version, model, "\(request.temperature)",
                    "\(request.seed)", "\(request.maximumTokens)",
                ] + request.messages.flatMap { [$0.role, $0.content] }
            )
        }

        func answer(_ reply: ChatReply, isRecalled: Bool) -> TeacherAnswer {
            TeacherAnswer(
                promptID: prompt.id.rawValue,
                promptVersion: prompt.version,
                temperature: request.temperature,
                seed: request.seed,
                reply: reply,
                isRecalled: isRecalled
            )
        }
    }

    private func recall(_ call: Call) async throws -> TeacherAnswer? {
        try await pool.query(
            """
            SELECT model, response, finish_reason, prompt_tokens, completion_tokens, latency_ms
            FROM teacher_calls WHERE key = \(call.key)
            """
        ).first.map { row in
            let reply = ChatReply(
                text: try row.get("response", as: String.self),
                finishReason: try row.get("finish_reason", as: String.self),
                promptTokens: try row.get("prompt_tokens", as: Int.self),
                completionTokens: try row.get("completion_tokens", as: Int.self),
                model: try row.get("model", as: String.self),
                latencyMilliseconds: try row.get("latency_ms", as: Int.self)
            )
            return call.answer(reply, isRecalled: true)
        }
    }

    /// Writes an answer in a statement of its own, so that it outlives the failure of what is made of it.
    ///
    /// Where another process was first with the same question, its answer counts.
    private func keep(_ reply: ChatReply, of call: Call) async throws -> TeacherAnswer {
        let written = try await pool.query(
            """
            INSERT INTO teacher_calls (key, problem_id, prompt_id, prompt_version, model, temperature, seed, response,
                                       finish_reason, prompt_tokens, completion_tokens, latency_ms)
            VALUES (\(call.key), \(call.subject), \(call.prompt.id.rawValue), \(call.prompt.version), \(reply.model),
                    \(call.request.temperature), \(call.request.seed), \(reply.text), \(reply.finishReason),
                    \(reply.promptTokens), \(reply.completionTokens), \(reply.latencyMilliseconds))
            ON CONFLICT (key) DO NOTHING RETURNING key
            """
        )
        if written.isEmpty, let first = try await recall(call) { return first }
        return call.answer(reply, isRecalled: false)
    }

    private func count(_ call: Call, outcome: String) {
        Counter(
            label: "errata_teacher_calls_total",
            dimensions: [("prompt", call.prompt.id.rawValue), ("outcome", outcome)]
        ).increment()
    }
}

extension ChatReply {
    /// The reply without NUL characters, which PostgreSQL's text cannot hold, and with counts that are not negative.
    fileprivate var cleaned: ChatReply {
        ChatReply(
            text: text.replacingOccurrences(of: "\0", with: ""),
            finishReason: finishReason.replacingOccurrences(of: "\0", with: ""),
            promptTokens: min(max(0, promptTokens), Int(Int32.max)),
            completionTokens: min(max(0, completionTokens), Int(Int32.max)),
            model: model.replacingOccurrences(of: "\0", with: ""),
            latencyMilliseconds: min(max(0, latencyMilliseconds), Int(Int32.max))
        )
    }
}
