import LanguageModel
import TensorEngine

/// What both trainers share: the plan, the optimizer, and the schedule.
final class TrainingLoop {
    /// What one update found, before the optimizer's step.
    struct Outcome {
        var loss: Double
        var metrics: [String: Double]
    }

    let model: CausalLanguageModel
    let options: TrainingOptions
    let plan: TrainingPlan
    let lengths: [Int]
    /// Tokens that TRL counts for each example and that are not computed, because two sequences share them.
    private let uncomputed: [Int]
    private var uncomputedSoFar = 0
    let optimizer: AdamW
    /// Which trainer the run is of, and what decides how it goes on beside examples and options.
    let kind: [RunFingerprint.Field]
    /// The digest of the examples.
    let content: String
    /// The adapter that trains instead of the model's own weights, where one was attached when the run was made.
    let adapter: LoRAAdapter?
    /// Read once, for it reads all weights.
    private(set) lazy var loraFingerprint = adapter?.fingerprint(on: model) ?? []
    private(set) var step = 0
    private(set) var tokensSeen = 0

    init(
        kind: [RunFingerprint.Field],
        model: CausalLanguageModel,
        lengths: [Int],
        countedLengths: [Int]? = nil,
        mix: SupervisedMix? = nil,
        content: String,
        options: TrainingOptions
    ) throws {
        try options.validate()
        guard model.trainableParameters.allSatisfy({ $0.tensor.elementType == .float32 }) else {
            throw TrainingError.invalidOption(
                "the model's weights are kept in bfloat16 and cannot train; load it with float32 weights, or attach an "
                    + "adapter"
            )
        }
        self.kind = kind
        self.content = content
        self.model = model
        adapter = model.adapter
        self.options = options
        self.lengths = lengths
        uncomputed = zip(countedLengths ?? lengths, lengths).map { $0 - $1 }
        plan = try TrainingPlan(lengths: lengths, mix: mix, options: options)
        optimizer = AdamW(
            parameters: model.trainableParameters.map {
                AdamW.Parameter(name: $0.name, tensor: $0.tensor, decays: $0.tensor.shape.count > 1)
            },
            beta1: options.beta1,
            beta2: options.beta2,
            epsilon: options.epsilon,
            weightDecay: options.weightDecay
        )
    }

    /// Runs the updates that are left; `gradients` computes the loss of an update's examples and adds its gradients.
    ///
    /// All of it in the precision of the options, `onStep` included.
    func run(
        onStep: (TrainingStep) throws -> Void,
        gradients: (_ update: TrainingPlan.Update, _ passes: [[Int]]) throws -> Outcome
    ) throws -> TrainingSummary {
        try LoRATraining.check(model, adapter)
        return try model.context.withPrecision(options.precision) {
            try runUpdates(onStep: onStep, gradients: gradients)
        }
    }

    private func runUpdates(
        onStep: (TrainingStep) throws -> Void,
        gradients: (_ update: TrainingPlan.Update, _ passes: [[Int]]) throws -> Outcome
    ) throws -> TrainingSummary {
        let clock = ContinuousClock()
        let started = clock.now
        let firstToken = tokensSeen
        let total = plan.updates.count
        let warmup = Int((options.warmupRatio * Double(total)).rounded(.up))
        var losses: [Double] = []
        for parameter in model.trainableParameters { parameter.tensor.clearGradient() }
        while step < total {
            let begun = clock.now
            let update = plan.updates[step]
            let passes = TrainingPlan.passes(update.examples, lengths: lengths, limit: options.tokensAtOnce)
            adapter?.beginStep(step, seed: options.seed)
            let outcome = try gradients(update, passes)
            let rate =
                options.learningRate
                * options.schedule.factor(
                    step: step,
                    totalSteps: total,
                    warmupSteps: warmup,
                    epoch: step > 0 ? plan.updates[step - 1].epoch : 0
                )
            let norm = optimizer.gradientNorm()
            guard outcome.loss.isFinite, norm.isFinite else {
                for parameter in model.trainableParameters { parameter.tensor.clearGradient() }
                throw TrainingError.diverged(
                    "loss \(outcome.loss), gradient norm \(norm) at step \(step + 1) of \(total); lower the learning rate"
                )
            }
            optimizer.step(learningRate: rate, maximumNorm: options.maxGradientNorm, norm: norm)
            guard optimizer.isFinite else {
                throw TrainingError.diverged(
                    "weights or their moments are no longer finite after step \(step + 1) of \(total) (loss "
                        + "\(outcome.loss), gradient norm \(norm), rate \(rate)); lower the learning rate"
                )
            }
            step += 1
            tokensSeen += update.tokens
            uncomputedSoFar += update.examples.reduce(0) { $0 + uncomputed[$1] }
            losses.append(outcome.loss)
            let seconds = (clock.now - begun).seconds
            var metrics = outcome.metrics
            metrics["loss"] = outcome.loss
            metrics["grad_norm"] = norm
            metrics["learning_rate"] = rate
            metrics["num_tokens"] = Double(tokensSeen + uncomputedSoFar)
            metrics["epoch"] = update.epoch
            try onStep(
                TrainingStep(
                    step: step,
                    totalSteps: total,
                    epoch: update.epoch,
                    loss: outcome.loss,
                    learningRate: rate,
                    gradientNorm: norm,
                    tokensSeen: tokensSeen,
                    tokensPerSecond: seconds > 0 ? Double(update.tokens) / seconds : 0,
                    metrics: metrics
                )
            )
        }
        let seconds = (clock.now - started).seconds
        let tail = losses.suffix(max(1, losses.count / 10))
        return TrainingSummary(
            steps: step,
            tokensSeen: tokensSeen,
            finalLoss: tail.isEmpty ? 0 : tail.reduce(0, +) / Double(tail.count),
            seconds: seconds,
            tokensPerSecond: seconds > 0 ? Double(tokensSeen - firstToken) / seconds : 0
        )
    }

    /// Takes up the position of a checkpoint, whose weights and moments are in place.
    func goOn(from step: Int, tokensSeen: Int) {
        self.step = step
        self.tokensSeen = tokensSeen
        uncomputedSoFar = plan.updates.prefix(step).reduce(0) { sum, update in
            update.examples.reduce(sum) { $0 + uncomputed[$1] }
        }
    }
}

extension Duration {
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
