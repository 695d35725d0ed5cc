import TensorEngine

/// Which examples each update trains on: fixed by lengths, options and seed, so that a step number is a data position.
struct TrainingPlan {
    struct Update {
        /// Indices of the examples.
        var examples: [Int]
        /// Indices of the examples that are mixed in beside them.
        var mixed: [Int] = []
        /// Tokens of both.
        var tokens = 0
        /// Passes over the data when this update is done.
        var epoch: Double
    }

    /// The most updates of a training: the whole plan is in memory.
    static let mostUpdates = 1_000_000

    let updates: [Update]

    init(lengths: [Int], mix: SupervisedMix? = nil, options: TrainingOptions) throws {
        guard !lengths.isEmpty else { throw TrainingError.invalidExample("there are none") }
        var updates: [Update] = []
        var tokens = 0
        var epoch = 0
        let wantedExamples = Int((options.epochs * Double(lengths.count)).rounded(.up))
        var used = 0
        var draws = mix?.draws()
        func isFinished() -> Bool {
            if let limit = options.maximumSteps { return updates.count >= limit }
            if let limit = options.maximumTokens { return tokens >= limit }
            return used >= wantedExamples
        }
        while !isFinished() {
            var order = Array(lengths.indices)
            if options.shuffle {
                var generator = SeededGenerator(seed: options.seed, stream: UInt64(epoch) &+ 0x5348_5546)
                order.shuffle(using: &generator)
            }
            var cursor = 0
            while cursor < order.count, !isFinished() {
                var chosen: [Int] = []
                var updateTokens = 0
                var batches = 0
                while batches < options.accumulation, cursor < order.count {
                    var batchTokens = 0
                    var batch = 0
                    while cursor < order.count {
                        let length = lengths[order[cursor]]
                        if let limit = options.batchTokens {
                            if batch > 0, batchTokens + length > limit { break }
                        } else if batch >= options.batchSequences {
                            break
                        }
                        if options.maximumSteps == nil, options.maximumTokens == nil,
                            used + chosen.count >= wantedExamples
                        {
                            break
                        }
                        chosen.append(order[cursor])
                        batchTokens += length
                        batch += 1
                        cursor += 1
                    }
                    updateTokens += batchTokens
                    batches += 1
                    // As many examples as were wanted are chosen.
                    if batch == 0 { break }
                }
                if chosen.isEmpty { break }
                guard updates.count < Self.mostUpdates else {
                    throw TrainingError.invalidOption(
                        "the training has more than \(Self.mostUpdates) updates; lower maximumSteps, maximumTokens or epochs"
                    )
                }
                used += chosen.count
                let mixed = draws?.next(chosen.count) ?? []
                updateTokens += mix?.tokens(mixed) ?? 0
                tokens += updateTokens
                let passes = Double(used) / Double(lengths.count)
                updates.append(Update(examples: chosen, mixed: mixed, tokens: updateTokens, epoch: passes))
            }
            epoch += 1
        }
        self.updates = updates
    }

    /// Splits the examples of an update into passes of at most about `limit` tokens.
    static func passes(_ examples: [Int], lengths: [Int], limit: Int) -> [[Int]] {
        var passes: [[Int]] = []
        var tokens = 0
        for example in examples {
            if passes.isEmpty || tokens + lengths[example] > limit {
                passes.append([])
                tokens = 0
            }
            passes[passes.count - 1].append(example)
            tokens += lengths[example]
        }
        return passes
    }
}
