import Foundation
import LanguageModel
import ModelFiles
import TensorEngine

/// What both trainers share: the plan, the optimizer, the schedule, and checkpoints.
final class TrainingLoop {
    /// What one update found, before the optimizer's step.
    struct Outcome {
        var loss: Double
        var metrics: [String: Double]
    }

    let model: CausalLanguageModel
    let options: TrainingOptions
    let plan: TrainingPlan
    private let lengths: [Int]
    /// Tokens that TRL counts for each example and that are not computed, because two sequences share them.
    private let spared: [Int]
    private var sparedSoFar = 0
    private let optimizer: AdamW
    private let kind: String
    private let content: String
    /// The adapter that trains instead of the model's own weights, where one was attached when the run was made.
    let adapter: LoRAAdapter?
    private lazy var loraFingerprint = LoRATraining.fingerprint(model, adapter)
    private(set) var step = 0
    private(set) var tokensSeen = 0

    init(
        kind: String,
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
        spared = zip(countedLengths ?? lengths, lengths).map { $0 - $1 }
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
                * options.schedule.factor(step: step, totalSteps: total, warmupSteps: warmup)
            let norm = optimizer.gradientNorm()
            guard outcome.loss.isFinite, norm.isFinite else {
                for parameter in model.trainableParameters { parameter.tensor.clearGradient() }
                throw TrainingError.diverged(
                    "loss \(outcome.loss), gradient norm \(norm) at step \(step + 1) of \(total); lower the learning rate"
                )
            }
            optimizer.step(learningRate: rate, maximumNorm: options.maxGradientNorm, norm: norm)
            step += 1
            tokensSeen += update.tokens
            sparedSoFar += update.examples.reduce(0) { $0 + spared[$1] }
            losses.append(outcome.loss)
            let seconds = (clock.now - begun).seconds
            var metrics = outcome.metrics
            metrics["loss"] = outcome.loss
            metrics["grad_norm"] = norm
            metrics["learning_rate"] = rate
            metrics["num_tokens"] = Double(tokensSeen + sparedSoFar)
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

    // MARK: Checkpoints

    /// Everything that decides how the run goes on, as one string.
    private func fingerprint() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let settings = String(decoding: try encoder.encode(options), as: UTF8.self)
        return "\(kind) \(lengths.count) \(content) \(settings)" + (adapter == nil ? "" : " \(loraFingerprint)")
    }

    /// Writes weights, moments and position to one file, atomically.
    func save(to url: URL) throws {
        var items: [SafetensorsWriter.Item] = []
        func add(_ name: String, _ tensor: Tensor) {
            items.append(
                SafetensorsWriter.Item(name: name, shape: tensor.shape) { body in
                    try tensor.withValues { try body($0) }
                }
            )
        }
        for (name, tensor) in model.trainableParameters { add("weight/" + name, tensor) }
        for state in optimizer.state {
            add("first/" + state.name, state.first)
            add("second/" + state.name, state.second)
        }
        try SafetensorsWriter.write(
            items,
            metadata: [
                "format": "errata-training-1",
                "step": String(step),
                "updates": String(optimizer.updates),
                "tokens": String(tokensSeen),
                "run": try fingerprint(),
            ],
            to: url
        )
    }

    /// Goes on where a checkpoint of the same run left off.
    func resume(from url: URL) throws {
        let file = try SafetensorsFile(url: url)
        guard file.metadata["format"] == "errata-training-1", let step = file.metadata["step"].flatMap({ Int($0) }),
            let updates = file.metadata["updates"].flatMap({ Int($0) }),
            let tokens = file.metadata["tokens"].flatMap({ Int($0) }), (0...plan.updates.count).contains(step)
        else {
            throw TrainingError.invalidCheckpoint("\(url.path) is no checkpoint of a training run")
        }
        guard file.metadata["run"] == (try fingerprint()) else {
            throw TrainingError.invalidCheckpoint(
                "\(url.path) belongs to a run with other options or examples; start anew or restore them"
            )
        }
        var targets: [(String, Tensor)] = model.trainableParameters.map { ("weight/" + $0.name, $0.tensor) }
        for state in optimizer.state {
            targets.append(("first/" + state.name, state.first))
            targets.append(("second/" + state.name, state.second))
        }
        for (name, tensor) in targets where file.entry(name)?.shape != tensor.shape {
            throw TrainingError.invalidCheckpoint("\(url.path) lacks \(name) of shape \(tensor.shape)")
        }
        for (name, tensor) in targets { try tensor.withMutableValues { try file.read(name, into: $0) } }
        optimizer.resume(updates: updates)
        self.step = step
        tokensSeen = tokens
        sparedSoFar = plan.updates.prefix(step).reduce(0) { sum, update in
            update.examples.reduce(sum) { $0 + spared[$1] }
        }
    }
}

extension Duration {
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
