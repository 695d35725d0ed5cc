import Distillation
public import Foundation
public import LanguageModel
public import Schemas
import ServiceRuntime
import TensorEngine
import Tokenization
public import Training

/// What every service asks of a run before it takes it up, so that all refuse the same runs for the same reasons.
///
/// Memory is the exception: only who trains, or sends runs to those that do, asks for it, as each service has bounds of its own.
public enum RunCheck {
    /// Checks that a run's student is in the store and can be asked in the run's form, that the trainers take every stage's
    /// options, and that there is memory for every stage's training.
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
            } catch let error as RefusedOption {
                throw PermanentFailure(code: "invalid-recipe", message: "stages[\(index)].\(error.description)")
            }
        }
        return folder
    }

    /// An option that a trainer refuses, by its place in the stage.
    struct RefusedOption: Error, CustomStringConvertible {
        let description: String
    }

    /// Checks a stage's options as its trainer does when it begins, and its memory.
    ///
    /// - Throws: ``RefusedOption``, or `DistillationError` that names an unknown word.
    static func check(_ stage: RunStage, seed: UInt64, folder: URL, available: Int?) throws {
        try refusing("training") { try stage.trainingOptions(seed: seed).validate() }
        switch stage.method {
        case .keySteps(let method): _ = try method.keyStepOptions(seed: seed)
        case .preferences(let method):
            try refusing("preferences") { try method.preferenceOptions().validate() }
            if method.layout != PreferenceMethod.dualChains { _ = try method.pairOptions() }
        case .supervised, nil: break
        }
        let memory = try memory(of: stage, seed: seed, folder: folder)
        try refusing("training", memory.circumstance) {
            try memory.training.check(available: available, names: StageTrainer.memoryOptions)
        }
    }

    private static func refusing(_ place: String, _ circumstance: String = "", _ body: () throws -> Void) throws {
        do {
            try body()
        } catch TrainingError.invalidOption(let text) {
            throw RefusedOption(description: "\(place): \(text)")
        } catch TrainingError.insufficientMemory(let text) {
            throw RefusedOption(description: "\(place): \(circumstance)\(text)")
        }
    }

    /// The length that the examples of a stage are taken to have where it does not bound it.
    static let usualLength = 512

    /// The memory that a stage's training can come to need, before its examples are there: of full batches of the longest
    /// ones that it takes, or of 512 tokens where it bounds none.
    ///
    /// What the examples that there are need is told, and checked again, when the stage starts.
    ///
    /// - Returns: the need, and the beginning of a sentence that says what it is for.
    public static func memory(
        of stage: RunStage,
        seed: UInt64,
        folder: URL
    ) throws -> (training: TrainingMemory, circumstance: String) {
        let configuration = try ModelConfiguration(folder: folder)
        let length = min(configuration.maximumPositions, stage.training?.maximumLength ?? usualLength)
        let memory = TrainingMemory(
            configuration,
            storedBytes: try CausalLanguageModel.inspect(folder: folder).storedBytes,
            adapter: try (stage.training ?? TrainingBlock()).adapter(),
            options: try stage.trainingOptions(seed: seed),
            ofExamplesOf: length
        )
        let isBound = stage.training?.maximumLength != nil
        let source = isBound ? "as maximumLength allows" : "where maximumLength bounds none"
        return (memory, "with full batches of examples of \(length) tokens, \(source), ")
    }
}
