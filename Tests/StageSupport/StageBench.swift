package import Distillation
package import Foundation
package import LanguageModel
package import PostgresClient
package import Reasoning
package import Schemas
package import ServiceRuntime
import TestSupport
import Tokenization

/// A database, a model store and a very small student, for tests of the services that train and evaluate.
package struct StageBench: Sendable {
    package let pool: PostgresPool
    package let store: ModelStore
    package let workFolder: URL
    package let student: StudentFactory.Created
    package let codec: StudentCodec

    /// The dataset of every problem and run, unless a test says another.
    package static let dataset = "sums"

    /// Runs the body with a new database and a new store that holds one untrained student.
    package static func with(_ body: (StageBench) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "errata-stage-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try ModelStore(root: folder.appending(path: "models"))
        let student = try StudentFactory.create(
            texts: (0..<20).flatMap { [Sum($0).question, Sum($0).template.xml] },
            size: StudentFactory.Size(hidden: 16, layers: 1, heads: 2, intermediate: 24, vocabulary: 340),
            seed: 1,
            in: store
        )
        try await TestDatabase.withPool { pool in
            try await body(
                StageBench(
                    pool: pool,
                    store: store,
                    workFolder: folder.appending(path: "work"),
                    student: student,
                    codec: try StudentCodec(try Tokenizer(folder: student.folder))
                )
            )
        }
    }

    // MARK: Runs

    /// A run of the bench's student.
    package func run(
        _ id: String = "r1",
        name: String = "run",
        stages: [RunStage],
        rollout: RolloutOptions? = nil,
        suites: [EvaluationSuite] = [],
        rounds: RunRounds? = nil,
        gate: RunGate? = nil
    ) -> RunEvent {
        RunEvent(
            id: id,
            name: name,
            dataset: Self.dataset,
            seed: 5,
            student: StudentReference(
                modelHash: student.hash,
                tokenizerFingerprint: student.tokenizerFingerprint
            ),
            stages: stages,
            rollout: rollout,
            suites: suites,
            decoding: DecodingOptions(temperature: 0, maximumNewTokens: 24),
            rounds: rounds,
            gate: gate
        )
    }

    /// A checkpoint of a run; the model is the bench's student unless another is named.
    package func checkpoint(
        _ stage: String,
        of run: RunEvent,
        round: Int = 1,
        parent: String? = RunStage.initial,
        tokens: Int = 0,
        modelHash: String? = nil
    ) -> CheckpointEvent {
        if stage == RunStage.initial { return .initial(of: run, path: "models") }
        return CheckpointEvent(
            id: CheckpointEvent.id(run: run.id, round: round, stage: stage),
            runId: run.id,
            stage: stage,
            round: round,
            parentCheckpointId: parent.map {
                // There is one untrained student, whatever the round.
                CheckpointEvent.id(run: run.id, round: $0 == RunStage.initial ? 1 : round, stage: $0)
            },
            modelHash: modelHash ?? student.hash,
            tokenizerFingerprint: student.tokenizerFingerprint,
            path: "models",
            tokensTrained: tokens,
            steps: 1,
            trainSeconds: 0
        )
    }

    /// Writes a run, and its initial checkpoint unless told otherwise.
    package func insert(_ run: RunEvent, initial: Bool = true) async throws {
        try await pool.withTransaction { transaction in
            try await RunStore.insert(run, in: transaction)
            if initial { try await RunStore.insert(checkpoint(RunStage.initial, of: run), in: transaction) }
        }
    }

    package func insert(_ checkpoint: CheckpointEvent) async throws {
        try await pool.withTransaction { try await RunStore.insert(checkpoint, in: $0) }
    }

    /// The job of a run's stage.
    package func job(_ stage: String, of run: String = "r1", round: Int = 1) async throws -> JobStore.Job? {
        try await JobStore.jobs(run: run, from: pool).first { $0.id.stage == stage && $0.id.round == round }
    }

    package func checkpoint(_ stage: String, run: String = "r1", round: Int = 1) async throws -> CheckpointEvent? {
        try await RunStore.checkpoint(run: run, round: round, stage: stage, from: pool)
    }

    // MARK: Problems and traces

    package func insert(
        problem number: Int,
        split: ProblemSplit = .train,
        dataset: String = StageBench.dataset,
        answer: String? = nil,
        solution: String? = nil,
        family: String? = nil
    ) async throws {
        let sum = Sum(number)
        let problem = ProblemEvent(
            id: sum.id,
            dataset: dataset,
            split: split,
            question: sum.question,
            solution: solution,
            answer: answer ?? sum.answer,
            family: family
        )
        try await pool.withTransaction { try await ProblemStore.insert(problem, state: .ingested, in: $0) }
    }

    package func insert(
        _ body: TraceBody,
        id: String? = nil,
        problem number: Int,
        verified: Bool = true,
        attempt: String? = nil,
        run: String? = nil
    ) async throws {
        let sum = Sum(number)
        let trace = TraceEvent(
            id: id ?? "\(body.kind.rawValue)-\(sum.id)",
            problemId: sum.id,
            verified: verified,
            failure: verified ? nil : "planted",
            body: body,
            teacher: .sample(),
            attemptId: attempt,
            runId: run
        )
        try await pool.withTransaction { try await TraceStore.insert(trace, in: $0) }
    }

    /// Problems for training with verified templates.
    package func insertTemplates(_ numbers: Range<Int>) async throws {
        for number in numbers { try await insertTemplate(number) }
    }

    /// A problem for training with a verified template.
    package func insertTemplate(
        _ number: Int,
        dataset: String = StageBench.dataset,
        family: String? = nil
    ) async throws {
        try await insert(problem: number, dataset: dataset, family: family)
        try await insert(Sum(number).templateBody, problem: number)
    }

    /// A dual trace with key steps over the student's tokens, every third of which is key; `extra`: so many tokens more
    /// than there are.
    package func insertKeySteps(
        problem number: Int,
        tokenizer: String? = nil,
        extra: Int = 0,
        tieRule: String = "edit",
        format: String? = "template",
        method: DualBody.Method = .corrupted,
        mistake: String? = nil
    ) async throws -> KeyStepsEvent {
        let sum = Sum(number)
        let id = "dual-\(sum.id)-\(tokenizer ?? "own")-\(tieRule)"
        try await insert(sum.dualBody(method, mistake: mistake), id: id, problem: number)
        func side(_ text: String, _ weight: Float) -> KeyStepSide {
            let tokens = codec.tokenizer.encodeWithOffsets(text)
            let spans = stride(from: 0, to: tokens.count, by: 3).map { token in
                let bytes = tokens[token].range
                return KeyStepSpan(
                    start: bytes.lowerBound,
                    end: bytes.upperBound,
                    tokenStart: token,
                    tokenEnd: token + 1,
                    kind: .replace,
                    step: 0
                )
            }
            let weights = (0..<tokens.count + extra).map { $0 % 3 == 0 ? weight : 0 }
            return KeyStepSide(text: text, spans: spans, tokenWeights: weights)
        }
        let event = KeyStepsEvent(
            id: "keys-\(id)-\(format ?? "")",
            problemId: sum.id,
            traceId: id,
            tokenizer: tokenizer ?? student.tokenizerFingerprint,
            distance: 1,
            right: side(" " + sum.template.xml, 1),
            wrong: side(" " + sum.template.xml.replacing(sum.answer, with: "999"), -0.5),
            alpha: 1,
            beta: 0.5,
            gamma: 0,
            tieRule: tieRule,
            format: format
        )
        let body = String(decoding: try EventCoding.encode(event), as: UTF8.self)
        _ = try await pool.withTransaction { try await TraceStore.insert([(event, body)], in: $0) }
        return event
    }

    // MARK: Outbox

    /// The events of a type that wait to be sent, in order.
    package func outbox<Payload: EventPayload>(_ type: Payload.Type) async throws -> [Payload] {
        try await pool.values(
            "SELECT payload FROM outbox WHERE type = \(type.type.rawValue) ORDER BY sequence",
            as: String.self
        ).map { try EventCoding.decode(type, from: Data($0.utf8)) }
    }

    /// An event as a processor gets it.
    package static func received(_ payload: some EventPayload) throws -> ReceivedEvent {
        let event = try OutgoingEvent(payload, source: "/test", time: Date())
        return ReceivedEvent(
            topic: event.topic,
            partition: 0,
            offset: 0,
            attributes: event.attributes,
            data: Data(event.payload.utf8)
        )
    }
}

/// A made-up problem.
package struct Sum: Sendable {
    package let number: Int

    package init(_ number: Int) { self.number = number }

    package var id: String { "p\(number < 10 ? "0" : "")\(number)" }
    package var question: String { "Ann has \(number + 2) pears and gets \(number + 5) more. How many has she?" }
    package var answer: String { String(2 * number + 7) }
    package var step: String { "\(number + 2) + \(number + 5) = \(answer)" }

    package var template: ThoughtTemplate {
        ThoughtTemplate(steps: [TemplateStep(text: step)], generalization: "Add.", answer: answer)
    }

    package var templateBody: TraceBody {
        .template(TemplateBody(steps: [.init(text: step)], generalization: "Add.", answer: answer))
    }

    package var chain: String { "She has \(step) pears.\nThe answer is \(answer)." }

    package var dualBody: TraceBody { dualBody(.corrupted) }

    package func dualBody(_ method: DualBody.Method, mistake: String? = nil) -> TraceBody {
        .dual(
            DualBody(right: chain, wrong: chain.replacing(answer, with: "999"), method: method, mistake: mistake)
        )
    }
}
