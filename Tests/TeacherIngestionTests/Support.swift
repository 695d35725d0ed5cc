import Foundation
import Logging
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Synchronization
import Teaching

@testable import TeacherIngestionCore

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A teacher that answers from a script and notes what it was asked.
final class ScriptedTeacher: Teacher {
    typealias Script = @Sendable (_ prompt: String, _ call: Int, _ request: ChatRequest) throws -> ChatReply

    let model = "scripted"
    private let identity: String
    private let script: Script
    private let failures: [FailedCall]
    private let asked = Mutex<[(prompt: String, request: ChatRequest)]>([])

    /// The script is given the prompt's id, how often that prompt was asked before, and the request.
    ///
    /// Each call is preceded by the given failures.
    init(failures: [FailedCall] = [], identity: String = UUID().uuidString, _ script: @escaping Script) {
        self.identity = identity
        self.failures = failures
        self.script = script
    }

    func complete(_ request: ChatRequest, hooks: CallHooks) async throws -> ChatReply {
        try await hooks.begins()
        for failure in failures { try await hooks.failed(failure) }
        let reply = try await complete(request)
        try await hooks.answered(reply)
        return reply
    }

    func complete(_ request: ChatRequest) async throws -> ChatReply {
        let text = request.messages.map(\.content).joined(separator: "\n")
        let line = text.split(separator: "\n").first { $0.hasPrefix("Task: ") } ?? ""
        let prompt = String(line.dropFirst("Task: ".count))
        let call = asked.withLock { asked in
            asked.append((prompt, request))
            return asked.count { $0.prompt == prompt } - 1
        }
        return try script(prompt, call, request)
    }

    /// Two scripts are two teachers, though the model has one name.
    func identity(of role: TeacherRole) -> String { identity }

    var calls: [String] { asked.withLock { $0.map(\.prompt) } }

    func requests(_ prompt: PromptID) -> [ChatRequest] {
        asked.withLock { $0.filter { $0.prompt == prompt.rawValue }.map(\.request) }
    }
}

func reply(_ text: String, finishReason: String = "stop") -> ChatReply {
    ChatReply(
        text: text,
        finishReason: finishReason,
        promptTokens: 10,
        completionTokens: 5,
        model: "scripted",
        latencyMilliseconds: 1
    )
}

/// What a good teacher says about ``problem(split:)``.
enum Good {
    static let chain = "Ann has 3 * 4 = 12 pears.\nShe is left with 12 - 2 = 10 pears.\nThe answer is 10."
    static let wrong = "Ann has 3 + 4 = 7 pears.\nShe is left with 7 - 2 = 5 pears.\nThe answer is 5."
    static let template = """
        <Step1>Ann has 3 * 4 = 12 pears.<Key>Each basket counts.</Key></Step1>
        <Step2>She is left with 12 - 2 = 10 pears.</Step2>
        <Generalized>Find the whole, then take away.</Generalized>
        <Answer>10</Answer>
        """
    static let correction = """
        <Step1>Ann has 3 + 4 = 7 pears.<Cause>The baskets are equal groups.</Cause>\
        <Correction>Ann has 3 * 4 = 12 pears.</Correction></Step1>
        <Step2>She is left with 7 - 2 = 5 pears.</Step2>
        <Answer>10</Answer>
        """

    static func answer(_ prompt: String) -> ChatReply {
        switch PromptID(rawValue: prompt) {
        case .chainOfThought?, .rectify?: reply(chain)
        case .corrupt?: reply(wrong)
        case .templateExtraction?: reply(template)
        case .inspectTemplate?, .inspectCorrection?: reply("<Verdict>ok</Verdict>")
        case .groundedCorrection?: reply(correction)
        case .classifyMistake?: reply("<Rationale>The baskets are added.</Rationale><Category>b</Category>")
        default: reply("")
        }
    }
}

func problem(
    id: String = "p1",
    split: ProblemSplit = .train,
    solution: String? = "3 * 4 = 12\n12 - 2 = 10\n#### 10"
)
    -> ProblemEvent
{
    ProblemEvent(
        id: id,
        dataset: "test",
        split: split,
        question: "Ann has 3 baskets of 4 pears and eats 2. How many are left?",
        solution: solution,
        answer: "10"
    )
}

func attempt(output: String, correct: Bool = false, problemID: String = "p1") -> AttemptEvent {
    AttemptEvent(
        id: "a1",
        runId: "r1",
        checkpointId: "c1",
        problemId: problemID,
        sample: 0,
        output: output,
        answer: "5",
        correct: correct,
        promptFormat: "chain-of-thought"
    )
}

func received(_ payload: some EventPayload, offset: Int64 = 0) throws -> ReceivedEvent {
    let event = try OutgoingEvent(payload, source: "/test", time: Date(timeIntervalSince1970: 0))
    return ReceivedEvent(
        topic: event.topic,
        partition: 0,
        offset: offset,
        attributes: event.attributes,
        data: Data(event.payload.utf8)
    )
}

/// The events of a type in the outbox, oldest first.
func sent<Payload: EventPayload>(_ type: Payload.Type, _ pool: PostgresPool) async throws -> [Payload] {
    try await pool.query("SELECT payload FROM outbox WHERE type = \(Payload.type.rawValue) ORDER BY sequence")
        .map { try EventCoding.decode(type, from: Data(try $0.get("payload", as: String.self).utf8)) }
}

/// A processor with its teacher over a database; the problems of most tests are all the same, so that it looks for no
/// duplicates unless it is told.
struct Bench {
    let pool: PostgresPool
    let teacher: ScriptedTeacher
    let processor: TeacherIngestionProcessor

    init(
        _ pool: PostgresPool,
        options: TeachingOptions = .init(),
        intake: IntakeOptions = .off,
        prompts: PromptLibrary = .shipped,
        budget: TeacherBudget = TeacherBudget(),
        failures: [FailedCall] = [],
        identity: String = UUID().uuidString,
        scope: TeachingScope = .all,
        script: @escaping ScriptedTeacher.Script
    ) {
        self.pool = pool
        teacher = ScriptedTeacher(failures: failures, identity: identity, script)
        processor = TeacherIngestionProcessor(
            pool: pool,
            ledger: StoredTeacherLedger(teacher: teacher, pool: pool, prompts: prompts, budget: budget, logger: quiet),
            options: options,
            intake: intake,
            scope: scope,
            logger: quiet
        )
    }

    /// Processes a payload, applies the effects, and returns the traces that are sent.
    @discardableResult
    func run(_ payload: some EventPayload) async throws -> [TraceEvent] {
        let effects = try await processor.process(try received(payload))
        try await pool.withTransaction { transaction in try await effects.apply(transaction) }
        return try effects.events.map { try EventCoding.decode(TraceEvent.self, from: Data($0.payload.utf8)) }
    }

    /// Processes a run that a service which trains has accepted.
    func accept(_ run: RunEvent) async throws {
        try await pool.withTransaction { transaction in
            try await RunStore.insert(run, in: transaction)
            try await RunStore.insert(CheckpointEvent.initial(of: run, path: "m"), in: transaction)
        }
        try await apply(run)
    }

    /// Processes a payload and applies the effects.
    func apply(_ payload: some EventPayload) async throws {
        let effects = try await processor.process(try received(payload))
        try await pool.withTransaction { transaction in
            try await effects.apply(transaction)
            try await transaction.send(effects.events)
        }
    }
}
