public import Foundation
public import LanguageModel
import ModelFiles
public import Schemas
import TensorEngine
public import Training

/// Trains one stage from a stored model to a stored model, resuming where an interrupted process left off.
public struct StageTrainer: Sendable {
    /// A trained stage.
    public struct Trained: Sendable {
        /// The new model in the store.
        public let stored: StoredModel
        /// Optimizer updates.
        public let steps: Int
        /// Tokens computed, prompts included; what both sides of a pair begin with counts once.
        public let tokens: Int
        /// Mean loss of the last updates.
        public let finalLoss: Double?
        /// Wall-clock seconds of this process's part.
        public let seconds: Double
        /// The last update's metrics under TRL's names.
        public let metrics: [String: Double]

        /// A stage that another engine trained.
        public init(
            stored: StoredModel,
            steps: Int,
            tokens: Int,
            finalLoss: Double?,
            seconds: Double,
            metrics: [String: Double]
        ) {
            self.stored = stored
            self.steps = steps
            self.tokens = tokens
            self.finalLoss = finalLoss
            self.seconds = seconds
            self.metrics = metrics
        }
    }

    private let store: ModelStore
    private let workFolder: URL
    private let saveInterval: Duration
    private let threads: Int?

    /// Creates a trainer.
    ///
    /// - Parameters:
    ///   - store: where models come from and go to.
    ///   - workFolder: where resumable state is kept while a stage is trained.
    ///   - saveInterval: how often that state is written.
    ///   - threads: that compute; all processors unless said otherwise. The same number gives the same bits.
    public init(store: ModelStore, workFolder: URL, saveInterval: Duration = .seconds(15), threads: Int? = nil) {
        self.store = store
        self.workFolder = workFolder
        self.saveInterval = saveInterval
        self.threads = threads
    }

    /// Trains on weighted log-likelihoods.
    ///
    /// Arguments:
    ///   - modelHash: the model to start from.
    ///   - name: names the resumable state; the same work must have the same name.
    ///   - adapter: what is trained in place of the model's own weights, drawn by the options' seed; the new model is
    ///     the merged one.
    ///   - savedType: how the new model's weights are written.
    ///   - onNotice: told where the work folder holds state of other work under this name, which is not used.
    ///   - fence: asked before the state is written or set aside, and before the model is stored; throws where the work is
    ///     another process's by now.
    ///   - onStep: called after each update; throwing ends the training with the state kept: of an orderly stop, a
    ///     `CancellationError`, as it is now, else as it was kept last.
    public func supervised(
        from modelHash: String,
        name: String,
        examples: [SupervisedExample],
        options: TrainingOptions,
        adapter: LoRAConfiguration? = nil,
        savedType: SavedType = .float32,
        onNotice: @escaping @Sendable (String) -> Void = { _ in },
        fence: () throws -> Void = {},
        onStep: (TrainingStep) throws -> Void
    ) throws -> Trained {
        let model = try load(modelHash, adapter, options, lengths: examples.map(\.tokens.count))
        let trainer = try SupervisedTrainer(model: model, examples: examples, options: options)
        return try train(
            model: model,
            parent: modelHash,
            name: name,
            savedType: savedType,
            resume: trainer.resume,
            save: trainer.saveCheckpoint,
            run: trainer.run,
            onNotice: onNotice,
            fence: fence,
            onStep: onStep
        )
    }

    /// Trains on preference pairs; the reference is the model that it starts from.
    ///
    /// Arguments:
    ///   - supervised: examples of the supervised term, used where `preference.supervisedWeight` is above 0.
    ///   - savedType: how the new model's weights are written.
    ///   - onNotice: told why state of other work under this name, or log-probabilities of the reference that the work
    ///     folder holds, are not used.
    ///   - fence: asked before the state is written or set aside, and before the model is stored; throws where the work is
    ///     another process's by now.
    public func preference(
        from modelHash: String,
        name: String,
        pairs: [PreferenceExample],
        options: TrainingOptions,
        preference: PreferenceOptions,
        supervised: [SupervisedExample] = [],
        adapter: LoRAConfiguration? = nil,
        savedType: SavedType = .float32,
        onNotice: @escaping @Sendable (String) -> Void = { _ in },
        fence: () throws -> Void = {},
        onStep: (TrainingStep) throws -> Void
    ) throws -> Trained {
        let lengths = pairs.map { $0.prompt.count + $0.chosen.count + $0.rejected.count }
        let model = try load(modelHash, adapter, options, lengths: lengths + supervised.map(\.tokens.count))
        let trainer = try PreferenceTrainer(
            model: model,
            pairs: pairs,
            options: options,
            preference: preference,
            supervised: supervised,
            store: ReferenceStore(
                url: workFolder.appending(path: "reference-\(modelHash.prefix(16)).jsonl"),
                onNotice: onNotice
            )
        )
        return try train(
            model: model,
            parent: modelHash,
            name: name,
            savedType: savedType,
            resume: trainer.resume,
            save: trainer.saveCheckpoint,
            run: trainer.run,
            onNotice: onNotice,
            fence: fence,
            onStep: onStep
        )
    }

    /// The codec of a stored student, in the form in which a run asks.
    public func codec(of modelHash: String, prompt: RunPrompt? = nil) throws -> StudentCodec {
        try StudentCodec(folder: try store.folder(modelHash), prompt: prompt)
    }

    /// What makes a stage's training need less memory, as a run names it.
    public static let memoryOptions = TrainingMemory.OptionNames(
        recomputation: "training.recomputeActivations",
        tokensAtOnce: { "training.tokensAtOnce \($0)" },
        adapter: { "training.lora of rank \($0)" }
    )

    /// The model that a stage starts from, with its adapter.
    ///
    /// A training that the machine, or the container, has no room for is refused before it takes the memory of others.
    private func load(
        _ hash: String,
        _ adapter: LoRAConfiguration?,
        _ options: TrainingOptions,
        lengths: [Int]
    ) throws -> CausalLanguageModel {
        let folder = try store.folder(hash)
        let memory = TrainingMemory(
            try ModelConfiguration(folder: folder),
            storedBytes: try CausalLanguageModel.inspect(folder: folder).storedBytes,
            adapter: adapter,
            options: options,
            lengths: lengths
        )
        try memory.check(
            available: MemoryBudget.current().limit,
            names: Self.memoryOptions
        )
        let model = try CausalLanguageModel.load(
            folder: folder,
            context: ComputeContext(threads: threads),
            // Frozen weights need no float32 copy.
            weights: adapter == nil ? .float32 : .asStored
        )
        if let adapter { try model.attach(LoRAAdapter(configuration: adapter, for: model, seed: options.seed)) }
        return model
    }

    private func train(
        model: CausalLanguageModel,
        parent: String,
        name: String,
        savedType: SavedType,
        resume: (URL) throws -> Void,
        save: (URL) throws -> Void,
        run: @escaping ((TrainingStep) throws -> Void) throws -> TrainingSummary,
        onNotice: (String) -> Void,
        fence: () throws -> Void,
        onStep: (TrainingStep) throws -> Void
    ) throws -> Trained {
        try FileManager.default.createDirectory(at: workFolder, withIntermediateDirectories: true)
        _ = Leftovers.remove(from: workFolder)
        let (state, unused) = files(name)
        if FileManager.default.fileExists(atPath: state.path) {
            do {
                try resume(state)
            } catch let error as TrainingError {
                // Of other work under this name, e.g. after the data changed or the program did, or damaged: begin anew, and
                // leave the old state to whoever wants it. One is kept.
                try fence()
                try? FileManager.default.removeItem(at: unused)
                try FileManager.default.moveItem(at: state, to: unused)
                onNotice("\(error); \(name) begins anew, and the old state is kept as \(unused.path) until it is done")
            }
        }
        var saved = ContinuousClock.now
        var last: TrainingStep?
        let summary = try run { step in
            last = step
            if ContinuousClock.now - saved > saveInterval, step.step < step.totalSteps {
                try fence()
                try save(state)
                saved = .now
            }
            do {
                try onStep(step)
            } catch let stop as CancellationError {
                // An orderly stop, and no fault: whoever goes on need not do again what was done since the last save. The
                // last update is done again all the same, as its loss and metrics are told with the model.
                if step.step < step.totalSteps {
                    try fence()
                    try save(state)
                }
                throw stop
            }
        }
        try fence()
        let stored = try StudentFolder.store(model, trainedFrom: try store.folder(parent), as: savedType, in: store)
        try store.note(ModelRecord.Origin(source: "training \(name)", parent: parent), of: stored.hash)
        return Trained(
            stored: stored,
            steps: last?.step ?? summary.steps,
            tokens: last?.tokensSeen ?? summary.tokensSeen,
            finalLoss: summary.finalLoss.isFinite ? summary.finalLoss : nil,
            seconds: summary.seconds,
            metrics: (last?.metrics ?? [:]).filter(\.value.isFinite)
        )
    }

    /// Takes away the resumable state of work that is done and whose model is written down: until then another process can
    /// still go on from it.
    public func forget(_ name: String) {
        let (state, unused) = files(name)
        for file in [state, unused] { try? FileManager.default.removeItem(at: file) }
    }

    /// Where the resumable state of work is, and where state of other work under its name is set aside.
    private func files(_ name: String) -> (state: URL, unused: URL) {
        (workFolder.appending(path: "\(name).state"), workFolder.appending(path: "\(name).state.unused"))
    }
}
