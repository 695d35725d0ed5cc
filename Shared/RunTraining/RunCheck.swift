import Distillation
public import Foundation
public import LanguageModel
public import Schemas
import ServiceRuntime
import TensorEngine
import Tokenization
import Training

/// What every service asks of a run before it takes it up, so that all refuse the same runs for the same reasons.
///
/// Memory is the exception: only who trains, or sends runs to those that do, asks for it, as each service has bounds of its own.
public enum RunCheck {
    /// Checks that a run's student is in the store and can be asked in the run's form, that every stage's options are known,
    /// and that every stage's training could fit into the memory at all.
    ///
    /// Arguments:
    ///   - memory: whether the trainings must fit into this process's memory; false where another trains, which has bounds of
    ///     its own.
    /// - Returns: the student's folder.
    /// - Throws: `PermanentFailure` that names the field and the cure.
    @discardableResult
    public static func check(
        _ run: RunEvent,
        store: ModelStore,
        memory: Bool = true
    ) throws -> URL {
        try check(run, store: store, available: memory ? MemoryBudget.current().limit : nil)
    }

    /// Checks a run where its trainings may take so many bytes; nil leaves them unbounded.
    @discardableResult
    static func check(_ run: RunEvent, store: ModelStore, available: Int?) throws -> URL {
        let folder: URL
        let codec: StudentCodec
        do {
            folder = try store.folder(run.student.modelHash)
        } catch {
            throw PermanentFailure(code: "unknown-student", message: "student.modelHash: \(error)")
        }
        do {
            codec = try StudentCodec(folder: folder, prompt: run.prompt)
        } catch let error as DistillationError {
            throw PermanentFailure(code: "invalid-recipe", message: "prompt: \(error)")
        } catch let error as TokenizationError {
            throw PermanentFailure(code: "invalid-recipe", message: "prompt.style: \(error)")
        } catch {
            throw PermanentFailure(code: "unknown-student", message: "student.modelHash: \(error)")
        }
        guard codec.tokenizer.fingerprint == run.student.tokenizerFingerprint else {
            throw PermanentFailure(
                code: "tokenizer-mismatch",
                message: "student.tokenizerFingerprint is \(run.student.tokenizerFingerprint), but that of the model "
                    + "\(run.student.modelHash) is \(codec.tokenizer.fingerprint)"
            )
        }
        for (index, stage) in run.stages.enumerated() where stage.engine == nil {
            do {
                try check(stage, seed: run.seed, folder: folder, available: available)
            } catch let error as DistillationError {
                throw PermanentFailure(code: "invalid-recipe", message: "stages[\(index)]: \(error)")
            } catch let error as TrainingError {
                throw PermanentFailure(code: "invalid-recipe", message: "stages[\(index)]: \(error)")
            }
        }
        return folder
    }

    /// Checks a stage's words and the memory of its shortest example: what its data need more is known when it starts.
    static func check(_ stage: RunStage, seed: UInt64, folder: URL, available: Int?) throws {
        let options = try stage.trainingOptions(seed: seed)
        let adapter = try (stage.training ?? TrainingBlock()).adapter()
        switch stage.method {
        case .keySteps(let method): _ = try method.keyStepOptions(seed: seed)
        case .preferences(let method):
            _ = try method.preferenceOptions()
            if method.layout != PreferenceMethod.dualChains { _ = try method.pairOptions() }
        case .supervised, nil: break
        }
        try TrainingMemory(
            try ModelConfiguration(folder: folder),
            storedBytes: try CausalLanguageModel.inspect(folder: folder).storedBytes,
            adapter: adapter,
            options: options,
            lengths: [1]
        ).check(available: available, names: StageTrainer.memoryOptions)
    }
}
