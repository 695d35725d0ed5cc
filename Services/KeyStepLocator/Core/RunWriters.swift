import Distillation
import Logging
import PostgresClient
import Schemas
import ServiceRuntime
import Synchronization
import Tokenization

/// The writers of active runs, each made once.
///
/// Which runs are active is read with every trace, so that no trace misses a run that any copy of the service has taken up
/// before; only what a run asks for is kept here, since that never changes under the run's id.
final class RunWriters: Sendable {
    /// What a run asks for.
    struct Wanted: Sendable {
        /// The data sets that it learns from.
        let datasets: Set<String>
        /// One writer a form.
        let writers: [KeyStepWriter]
    }

    private let pool: PostgresPool
    private let tokenizers: any StudentTokenizers
    private let logger: Logger
    private let kept = Mutex<[String: Wanted]>([:])

    init(pool: PostgresPool, tokenizers: any StudentTokenizers, logger: Logger) {
        self.pool = pool
        self.tokenizers = tokenizers
        self.logger = logger
    }

    /// The number of runs that are kept.
    var count: Int { kept.withLock { $0.count } }

    /// What the active runs ask for, in order; those that are not among them are forgotten.
    ///
    /// A run whose student cannot be read does not hold up the traces: its own event waits until it can, and then fills
    /// back what was passed over.
    func wanted(by active: [String]) async throws -> [Wanted] {
        var known = kept.withLock { kept in
            if kept.count > active.count {
                let active = Set(active)
                kept = kept.filter { active.contains($0.key) }
            }
            return kept
        }
        let new = active.filter { known[$0] == nil }
        guard !new.isEmpty else { return active.compactMap { known[$0] } }
        for run in try await RunStore.runs(ids: new, from: pool) {
            do {
                let wanted = Wanted(datasets: Set(run.learnedDatasets), writers: try await make(for: run))
                known[run.id] = wanted
                kept.withLock { $0[run.id] = wanted }
            } catch {
                logger.warning(
                    "key steps for this run are left to its back-fill",
                    metadata: ["run": "\(run.id)", "model": "\(run.student.modelHash)", "error": "\(error)"]
                )
            }
        }
        return active.compactMap { known[$0] }
    }

    /// One writer a form that the run's stages on key steps ask for.
    ///
    /// - Throws: `PermanentFailure` where the run can never be written for.
    func make(for run: RunEvent) async throws -> [KeyStepWriter] {
        let methods = run.stages.compactMap(\.keySteps)
        guard !methods.isEmpty else { return [] }
        let tokenizer = try await tokenizers.tokenizer(of: run.student)
        guard tokenizer.fingerprint == run.student.tokenizerFingerprint else {
            throw PermanentFailure(
                code: "tokenizer-mismatch",
                message:
                    "model \(run.student.modelHash) has tokenizer \(tokenizer.fingerprint), but run \(run.id) names "
                    + "\(run.student.tokenizerFingerprint)"
            )
        }
        var writers: [KeyStepForm: KeyStepWriter] = [:]
        do {
            for method in methods {
                let form = KeyStepForm(method, of: run)
                guard writers[form] == nil else { continue }
                writers[form] = KeyStepWriter(
                    tokens: .student(tokenizer),
                    options: try method.keyStepOptions(seed: run.seed),
                    format: form.format
                )
            }
        } catch let error as DistillationError {
            throw PermanentFailure(code: "unknown-tie-rule", message: "run \(run.id): \(error)")
        }
        return writers.sorted { $0.key.format < $1.key.format }.map(\.value)
    }
}
