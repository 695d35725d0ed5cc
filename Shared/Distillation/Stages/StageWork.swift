public import LanguageModel
import Reasoning
public import Schemas
public import Training

/// A stage with all that its training needs but the model: the same for the services and for reproductions.
public struct StageWork: Sendable {
    /// What is learned from.
    public var examples: StageExamples.Collected
    /// The trainer's options.
    public var options: TrainingOptions
    /// The preference loss; nil for a supervised stage or one on key steps.
    public var preference: PreferenceOptions?
    /// The adapter that is trained; nil where the model's own weights are.
    public var adapter: LoRAConfiguration?
    /// How the checkpoint's weights are written.
    public var savedType: SavedType
    /// What a checkpoint tells of its training: the options that were used, defaults filled in.
    public var record: [String: JSONValue]

    /// The number of examples or pairs, without what is mixed into preferences.
    public var count: Int { preference == nil ? examples.supervised.count : examples.pairs.count }

    /// Makes a stage's examples and options.
    ///
    /// Arguments:
    ///   - tokens: the tokens to train on where the stage is to take as many as others took.
    ///   - codec: of the parent, in the form in which the run asks.
    /// - Throws: ``DistillationError`` where an option is unknown or there is nothing to learn from.
    public init(
        _ stage: RunStage,
        of run: RunEvent,
        material: StageMaterial,
        codec: StudentCodec,
        tokens: Int? = nil
    ) throws {
        examples = try StageExamples(stage: stage, of: run, material: material, codec: codec).collect()
        options = try stage.trainingOptions(seed: run.seed, tokens: tokens)
        let block = stage.training ?? TrainingBlock()
        adapter = try block.adapter()
        savedType = try block.savedType()
        record = ["training": .object(try block.record(of: options)), "answers": .string(run.answers(of: stage.name))]
        switch stage.method {
        case .supervised(let method):
            record["supervised"] = .object(try JSONValue.object(of: method))
        case .keySteps(let method):
            let weights = try method.keyStepOptions(seed: run.seed)
            var used = method
            used.form = method.form ?? "chains"
            (used.alpha, used.beta, used.gamma) = (weights.alpha, weights.beta, weights.gamma)
            used.tieRule = weights.tieRule.rawValue
            record["keySteps"] = .object(try JSONValue.object(of: used))
        case .preferences(let method):
            let loss = try method.preferenceOptions()
            preference = loss
            record["preference"] = .object(try JSONValue.object(of: loss))
            if method.layout != PreferenceMethod.dualChains {
                record["pairs"] = .object(try JSONValue.object(of: try method.pairOptions()))
            } else {
                record["pairs"] = .object(["layout": .string(method.layout)])
            }
            if let mix = method.mix { record["mix"] = .array(try mix.map { .object(try JSONValue.object(of: $0)) }) }
        case nil: break
        }
        if let data = stage.data { record["data"] = .object(try JSONValue.object(of: data)) }
    }
}

extension StageTrainer {
    /// Trains a stage.
    ///
    /// Arguments:
    ///   - modelHash: the model to start from; of preferences the frozen reference as well.
    ///   - name: names the resumable state; the same work must have the same name.
    ///   - onNotice: told why state that the work folder holds is not used.
    ///   - fence: asked before the state is written or set aside, and before the model is stored; throws where the work is
    ///     another process's by now.
    ///   - onStep: called after each update; throwing ends the training with the state kept.
    public func train(
        _ work: StageWork,
        from modelHash: String,
        name: String,
        onNotice: @escaping @Sendable (String) -> Void = { _ in },
        fence: () throws -> Void = {},
        onStep: (TrainingStep) throws -> Void
    ) throws -> Trained {
        guard let loss = work.preference else {
            return try supervised(
                from: modelHash,
                name: name,
                examples: work.examples.supervised,
                options: work.options,
                adapter: work.adapter,
                savedType: work.savedType,
                onNotice: onNotice,
                fence: fence,
                onStep: onStep
            )
        }
        return try preference(
            from: modelHash,
            name: name,
            pairs: work.examples.pairs,
            options: work.options,
            preference: loss,
            supervised: work.examples.supervised,
            adapter: work.adapter,
            savedType: work.savedType,
            onNotice: onNotice,
            fence: fence,
            onStep: onStep
        )
    }
}
