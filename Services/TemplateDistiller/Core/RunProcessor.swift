import Distillation
public import Foundation
public import LanguageModel
import PostgresClient
public import Schemas
public import ServiceRuntime
import Tokenization

/// Takes up runs: writes the run with its waiting stages and publishes the untrained student as its first checkpoint.
public struct RunProcessor: EventProcessor {
    private let store: ModelStore
    private let clock: @Sendable () -> Date

    /// Creates a processor.
    public init(store: ModelStore, clock: @escaping @Sendable () -> Date = { Date() }) {
        self.store = store
        self.clock = clock
    }

    /// The consumer group.
    public var consumerName: String { "template-distiller" }
    /// The topics that are read.
    public var topics: [Topic] { [.runs] }

    /// Takes up a run; one whose student is not in the store goes to the dead letters.
    public func process(_ event: ReceivedEvent) async throws -> Effects {
        let run = try event.decode(RunEvent.self)
        let folder: URL
        do {
            folder = try store.folder(run.student.modelHash)
            let fingerprint = try Tokenizer(folder: folder).fingerprint
            guard fingerprint == run.student.tokenizerFingerprint else {
                throw PermanentFailure(
                    code: "tokenizer-mismatch",
                    message: "student.tokenizerFingerprint is not that of the model's tokenizer, \(fingerprint)"
                )
            }
        } catch let failure as PermanentFailure {
            throw failure
        } catch {
            throw PermanentFailure(code: "unknown-student", message: "student.modelHash: \(error)")
        }
        let checkpoint = CheckpointEvent(
            id: DeterministicID.make(cause: run.id, parts: "checkpoint", TrainingStage.initial.rawValue),
            runId: run.id,
            stage: .initial,
            parentCheckpointId: nil,
            modelHash: run.student.modelHash,
            tokenizerFingerprint: run.student.tokenizerFingerprint,
            path: folder.lastPathComponent,
            tokensTrained: 0,
            steps: 0,
            finalLoss: nil,
            trainSeconds: 0,
            examples: [:],
            options: [:]
        )
        let outgoing = try OutgoingEvent(checkpoint, source: "/errata/template-distiller", time: clock())
        return Effects(events: [outgoing]) { transaction in
            try await RunStore.insert(run, in: transaction)
            try await RunStore.insert(checkpoint, in: transaction)
        }
    }
}
