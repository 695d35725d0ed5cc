import Foundation
public import Logging
import Metrics
public import PostgresClient
public import Reasoning
import Schemas
import ServiceRuntime
import Synchronization
public import Teaching
import Tracing

/// Asks the teacher, and keeps every answer in the table `teacher_calls` before it is used.
///
/// The key of an answer is the hash of what was asked, with all that the answer depends on, and the number of the sample:
/// neither a message that comes again nor the same text under another name pays twice. Calls that gave no answer are in
/// `teacher_failed_calls`. Tokens that no server counted are estimated, and marked so: what may be billed counts for budgets.
public struct StoredTeacherLedger: TeacherLedger {
    /// The prompts that the teacher is asked with.
    public let prompts: PromptLibrary
    private let teacher: any Teacher
    private let pool: PostgresPool
    private let budget: TeacherBudget
    private let prices: [TeacherRole: TeacherSettings.Price]
    private let pauses: TeacherPauses
    private let logger: Logger
    private let flights = Flights()
    let locks: SessionLocks
    /// The run that the calls are for, with what they may cost it.
    private var payer: Payer?

    private struct Payer: Sendable {
        let runID: String
        let budget: RunTeacherBudget?
    }

    private var runID: String? { payer?.runID }

    /// Creates a ledger.
    ///
    /// - Parameters:
    ///   - teacher: Who is asked.
    ///   - pool: The database.
    ///   - prompts: What it is asked with.
    ///   - budget: What it may cost.
    ///   - prices: What a role's tokens cost; a role without a price costs nothing that is known.
    ///   - logger: For failures.
    public init(
        teacher: any Teacher,
        pool: PostgresPool,
        prompts: PromptLibrary = .shipped,
        budget: TeacherBudget = TeacherBudget(),
        prices: [TeacherRole: TeacherSettings.Price] = [:],
        logger: Logger
    ) {
        self.init(
            teacher: teacher,
            pool: pool,
            prompts: prompts,
            budget: budget,
            prices: prices,
            pauses: TeacherPauses(pool: pool, logger: logger),
            logger: logger
        )
    }

    init(
        teacher: any Teacher,
        pool: PostgresPool,
        prompts: PromptLibrary,
        budget: TeacherBudget,
        prices: [TeacherRole: TeacherSettings.Price],
        pauses: TeacherPauses,
        logger: Logger
    ) {
        self.teacher = teacher
        self.pool = pool
        self.prompts = prompts
        self.budget = budget
        self.prices = prices
        self.pauses = pauses
        self.logger = logger
        locks = SessionLocks(configuration: pool.configuration)
    }

    /// The teacher's model.
    public var model: String { teacher.model }

    /// The same ledger, which writes down that a run is asked for, and asks while that run's budget lasts.
    func charged(to runID: String, budget: RunTeacherBudget?) -> StoredTeacherLedger {
        var ledger = self
        ledger.payer = Payer(runID: runID, budget: budget)
        return ledger
    }

    /// Why nothing more may be asked for a run; nil while it may.
    func exhaustion(of run: String, _ budget: RunTeacherBudget?) async throws -> String? {
        var exhaustion = try await TeacherBudget.exhaustion(of: run, budget, in: pool)
        if exhaustion == nil, budget?.cost != nil, !TeacherRole.allCases.allSatisfy({ prices[$0] != nil }) {
            exhaustion = "run \(run) bounds the cost of its teacher, and \(TeacherBudget.withoutPrice(prices))"
        }
        await pauses.changed(TeacherPauses.scope(ofRun: run), reason: exhaustion)
        return exhaustion
    }

    /// Asks a question, or recalls the answer to it.
    ///
    /// - Parameters:
    ///   - question: the question.
    ///   - subject: the problem's id, or an attempt's, for whom the answer is paid.
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
        let (prompt, request) = try request(question, temperature: temperature, attempt: attempt)
        let call = Call(
            subject: subject,
            prompt: prompt,
            request: request,
            sample: attempt,
            model: teacher.model(of: request.role),
            identity: teacher.identity(of: request.role)
        )
        // Who asks the same at the same moment waits for the first one's answer instead of paying for another.
        repeat {
            if let answer = try await recall(call) {
                count(call, outcome: "recalled")
                return answer
            }
        } while await !flights.begin(call.key)
        return try await attempting {
            try await payAlone(call)
        } finally: {
            await flights.end(call.key)
        }
    }

    /// Pays for a call, or waits for the answer that another process is paying for at this moment.
    private func payAlone(_ call: Call) async throws -> TeacherAnswer {
        while try await !locks.tryLock(call.key) {
            if let answer = try await recall(call) {
                count(call, outcome: "recalled")
                return answer
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        return try await attempting {
            try await pay(call)
        } finally: {
            await locks.unlock(call.key)
        }
    }

    private func pay(_ call: Call) async throws -> TeacherAnswer {
        // Another one may have ended between the look into the table and the beginning.
        if let answer = try await recall(call) { return answer }
        let answer = Mutex<TeacherAnswer?>(nil)
        let hooks = CallHooks(
            begins: {
                let exhaustion = try await budget.exhaustion(in: pool)
                await pauses.changed("budget", reason: exhaustion)
                if let exhaustion { throw TeacherError(.paused, exhaustion, retryAfter: .seconds(30)) }
                if let payer, let exhaustion = try await self.exhaustion(of: payer.runID, payer.budget) {
                    throw TeacherError(.paused, exhaustion, retryAfter: .seconds(30))
                }
            },
            failed: { failed in
                count(call, outcome: failed.outcome)
                try await keep(failed, of: call)
            },
            answered: { reply in
                let kept = try await keeping { try await keep(reply.cleaned, of: call) }
                answer.withLock { $0 = kept }
            },
            probed: { reply in
                count(call, outcome: "probed")
                try await keeping { try await write(reply.cleaned, of: call, isProbe: true) }
            }
        )
        let reply: ChatReply
        do {
            reply = try await Traced.run("chat \(call.model)", kind: .client, attributes: call.attributes) { span in
                let reply = try await teacher.complete(call.request, hooks: hooks)
                span.updateAttributes { all in
                    all["gen_ai.response.model"] = reply.model
                    all["gen_ai.response.finish_reasons"] = [reply.finishReason]
                    all["gen_ai.usage.input_tokens"] = reply.promptTokens
                    all["gen_ai.usage.output_tokens"] = reply.completionTokens
                }
                return reply
            }
        } catch let error as TeacherError {
            count(call, outcome: error.code.rawValue)
            throw error
        }
        count(call, outcome: FinishReason(reply.finishReason).refusal?.kind.rawValue ?? "answered")
        for (direction, tokens) in [("prompt", reply.promptTokens), ("completion", reply.completionTokens)] {
            Counter(
                label: MetricName.teacherTokens.rawValue,
                dimensions: [("direction", direction), ("role", call.request.role.rawValue)]
            ).increment(by: tokens)
        }
        let role = [("role", call.request.role.rawValue)]
        Timer(label: MetricName.teacherAnswerTime.rawValue, dimensions: role)
            .recordMilliseconds(reply.latencyMilliseconds)
        if let cost = cost(of: reply, call) {
            FloatingPointCounter(label: MetricName.teacherCost.rawValue, dimensions: role).increment(by: cost)
        }
        // A teacher that tells of no answer has none written down yet.
        if let kept = answer.withLock({ $0 }) { return kept }
        return try await keep(reply.cleaned, of: call)
    }

    // MARK: Table

    private struct Call {
        let subject: String
        let prompt: Prompt
        let request: ChatRequest
        let sample: Int
        let model: String
        let key: String

        init(subject: String, prompt: Prompt, request: ChatRequest, sample: Int, model: String, identity: String) {
            self.subject = subject
            self.prompt = prompt
            self.request = request
            self.sample = sample
            self.model = model
            key = DeterministicID.make(
                cause: "teacher-call",
                parts: [identity, "\(request.temperature)", "\(request.maximumTokens ?? 0)", "\(sample)"]
                    + request.messages.flatMap { [$0.role, $0.content] }
            )
        }

        /// What is sent, in tokens, where no server counted them.
        var promptTokens: Int { min(TokenEstimate.tokens(of: request.messages), Int(Int32.max)) }

        /// What a trace tells of the call: nothing of its words.
        var attributes: SpanAttributes {
            var all: SpanAttributes = [
                "gen_ai.operation.name": "chat",
                // The name of the API, whoever serves it.
                "gen_ai.provider.name": "openai",
            ]
            all["gen_ai.request.model"] = model
            all["gen_ai.request.temperature"] = request.temperature
            all["gen_ai.request.seed"] = request.seed
            all["gen_ai.request.max_tokens"] = request.maximumTokens
            all["errata.teacher.role"] = request.role.rawValue
            all["errata.prompt.id"] = prompt.id.rawValue
            all["errata.prompt.version"] = prompt.version
            return all
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
            SELECT model, response, thoughts, finish_reason, prompt_tokens, completion_tokens, latency_ms
            FROM teacher_calls WHERE key = \(call.key)
            """
        ).first.map { row in
            let reply = ChatReply(
                text: try row.get("response", as: String.self),
                thoughts: try row.get("thoughts", as: String?.self),
                finishReason: try row.get("finish_reason", as: String.self),
                promptTokens: try row.get("prompt_tokens", as: Int.self),
                completionTokens: try row.get("completion_tokens", as: Int.self),
                model: try row.get("model", as: String.self),
                latencyMilliseconds: try row.get("latency_ms", as: Int.self)
            )
            return call.answer(reply, isRecalled: true)
        }
    }

    /// Writes an answer and what it cost in a transaction of its own, so that it outlives the failure of what is made of
    /// it.
    ///
    /// Where another process was first with the same question, its answer counts and both were paid: that happens only
    /// where the connection of the locks broke while the question was with the teacher.
    private func keep(_ reply: ChatReply, of call: Call) async throws -> TeacherAnswer {
        let (kept, isFirst) = try await write(reply, of: call)
        if !isFirst, let first = try await recall(call) { return first }
        return call.answer(kept, isRecalled: false)
    }

    /// Writes an answer again and again while the database is away: it is paid, and would be asked for anew.
    @discardableResult
    private func keeping<Value>(_ write: () async throws -> Value) async throws -> Value {
        let backoff = Backoff(base: .milliseconds(200), cap: .seconds(5))
        var failures = 0
        while true {
            do {
                return try await write()
            } catch let error as PostgresError where error.isTransient {
                failures += 1
                if failures == 1 {
                    logger.warning("a teacher's answer waits for the database", metadata: ["error": "\(error)"])
                }
                try await backoff.wait(afterFailure: failures)
            }
        }
    }

    /// The probes' name in place of a prompt's: see ``CallHooks/probed``.
    static let probe = "probe"

    /// Writes an answer; a probe's under a key of its own, as it is asked for again each time.
    ///
    /// - Returns: The answer with its tokens, counted or estimated, and whether it is the first one with its key.
    private func write(
        _ reply: ChatReply,
        of call: Call,
        isProbe: Bool = false
    ) async throws -> (reply: ChatReply, isFirst: Bool) {
        let isEstimated = !reply.isCounted
        let reply = isEstimated ? reply.counted(promptTokens: isProbe ? 16 : call.promptTokens) : reply
        let cost = cost(of: reply, call)
        let tokens = reply.promptTokens + reply.completionTokens
        let key = isProbe ? "\(Self.probe):\(UUID().uuidString)" : call.key
        let isFirst = try await pool.withTransaction { transaction in
            let written = try await transaction.query(
                """
                INSERT INTO teacher_calls (key, problem_id, run_id, role, sample, prompt_id, prompt_version, asked_model,
                                           model, temperature, seed, response, thoughts, finish_reason, prompt_tokens,
                                           completion_tokens, cost, latency_ms, estimated)
                VALUES (\(key), \(call.subject), \(runID), \(call.request.role.rawValue), \(call.sample),
                        \(isProbe ? Self.probe : call.prompt.id.rawValue), \(isProbe ? "1" : call.prompt.version),
                        \(call.model), \(reply.model),
                        \(call.request.temperature), \(call.request.seed), \(reply.text), \(reply.thoughts),
                        \(reply.finishReason), \(reply.promptTokens), \(reply.completionTokens), \(cost),
                        \(reply.latencyMilliseconds), \(isEstimated))
                ON CONFLICT (key) DO NOTHING RETURNING key
                """
            )
            try await spend(calls: 1, tokens: tokens, cost: cost, in: transaction)
            return !written.isEmpty
        }
        return (reply, isFirst)
    }

    /// Adds to what was spent today and for the run.
    private func spend(calls: Int, tokens: Int, cost: Double?, in transaction: PostgresTransaction) async throws {
        for scope in [TeacherBudget.scope(of: Date())] + (runID.map { [TeacherPauses.scope(ofRun: $0)] } ?? []) {
            try await transaction.query(
                """
                INSERT INTO teacher_spending AS spent (scope, calls, tokens, cost)
                VALUES (\(scope), \(calls), \(tokens), \(cost ?? 0))
                ON CONFLICT (scope) DO UPDATE SET calls = spent.calls + excluded.calls,
                    tokens = spent.tokens + excluded.tokens, cost = spent.cost + excluded.cost
                """
            )
        }
    }

    /// What an answer cost; nil where the role has no price.
    private func cost(of reply: ChatReply, _ call: Call) -> Double? {
        prices[call.request.role]?.cost(promptTokens: reply.promptTokens, completionTokens: reply.completionTokens)
    }

    /// Writes a call that gave no answer; where it may be billed, with all that it can have cost.
    private func keep(_ failed: FailedCall, of call: Call) async throws {
        do {
            try await keep(failed, of: call, in: pool)
        } catch let error as PostgresError where error.kind == .usage {
            // The pool closes with the service, which this call outlived.
            let last = PostgresPool(configuration: pool.configuration, maximumConnections: 1)
            try await attempting {
                try await keep(failed, of: call, in: last)
            } finally: {
                last.close()
            }
        }
    }

    private func keep(_ failed: FailedCall, of call: Call, in pool: PostgresPool) async throws {
        let promptTokens = failed.mayBeBilled ? call.promptTokens : 0
        let completionTokens = failed.mayBeBilled ? failed.maximumTokens ?? 0 : 0
        let cost = prices[call.request.role].flatMap {
            failed.mayBeBilled ? $0.cost(promptTokens: promptTokens, completionTokens: completionTokens) : nil
        }
        try await pool.withTransaction { transaction in
            try await transaction.query(
                """
                INSERT INTO teacher_failed_calls (key, problem_id, run_id, role, prompt_id, model, outcome, message,
                                                  may_be_billed, latency_ms, prompt_tokens, completion_tokens, cost)
                VALUES (\(call.key), \(call.subject), \(runID), \(call.request.role.rawValue),
                        \(call.prompt.id.rawValue), \(call.model), \(failed.outcome),
                        \(failed.message.withoutNUL.prefixText(2000)), \(failed.mayBeBilled),
                        \(min(failed.milliseconds, Int(Int32.max))), \(promptTokens), \(completionTokens), \(cost))
                """
            )
            guard failed.mayBeBilled else { return }
            try await spend(calls: 0, tokens: promptTokens + completionTokens, cost: cost, in: transaction)
        }
    }

    private func count(_ call: Call, outcome: String) {
        Counter(
            label: MetricName.teacherCalls.rawValue,
            dimensions: [("prompt", call.prompt.id.rawValue), ("outcome", outcome)]
        ).increment()
    }
}

/// The questions that are with the teacher at this moment, each of them once.
private actor Flights {
    private var waiting: [String: [CheckedContinuation<Void, Never>]] = [:]

    /// Begins a question, or waits until it was ended by whoever began it.
    ///
    /// - Returns: Whether it began here.
    func begin(_ key: String) async -> Bool {
        guard waiting[key] != nil else {
            waiting[key] = []
            return true
        }
        await withCheckedContinuation { waiting[key, default: []].append($0) }
        return false
    }

    func end(_ key: String) {
        for continuation in waiting.removeValue(forKey: key) ?? [] { continuation.resume() }
    }
}

extension String {
    fileprivate func prefixText(_ count: Int) -> String { String(prefix(count)) }
}
