import CTensorKernels

/// What a row's distribution over the vocabulary looks like.
public struct TokenStatistics: Sendable {
    /// −Σ p log p, in nats.
    public var entropy: Float
    /// Whether no token is likelier than the target; of several alike the first counts.
    public var isLikeliest: Bool
    /// The mean of the logits.
    public var meanLogit: Float
}

extension Tape {
    /// log p(target) of each row under the softmax of `hidden` [rows, dimension] · `weight` [vocabulary, dimension]ᵀ.
    ///
    /// The logits exist only a chunk of rows at a time; going backwards each chunk but the last is computed again.
    /// - Returns: [rows].
    /// - Throws: ``TensorError`` when shapes do not fit or a target is outside the vocabulary.
    public func tokenLogProbabilities(_ hidden: Tensor, weight: Tensor, targets: [Int32]) throws -> Tensor {
        try tokenLogProbabilities(hidden, weight: weight, targets: targets, statistics: nil)
    }

    /// As ``tokenLogProbabilities(_:weight:targets:)``, the same bits, and what each row's distribution looks like, which
    /// costs no pass of its own and has no gradient.
    /// - Throws: ``TensorError`` when shapes do not fit or a target is outside the vocabulary.
    public func tokenStatistics(
        _ hidden: Tensor,
        weight: Tensor,
        targets: [Int32]
    ) throws -> (logProbabilities: Tensor, statistics: [TokenStatistics]) {
        let block = context.buffers.take(3 * targets.count)
        let values = try tokenLogProbabilities(hidden, weight: weight, targets: targets, statistics: block.pointer)
        return (values, Self.statistics(block, count: targets.count))
    }

    private static func statistics(_ block: Buffer, count: Int) -> [TokenStatistics] {
        (0..<count).map { row in
            let values = block.pointer + 3 * row
            return TokenStatistics(entropy: values[0], isLikeliest: values[1] != 0, meanLogit: values[2])
        }
    }

    /// `statistics` is [rows, 3], or nil where it is not wanted.
    private func tokenLogProbabilities(
        _ hidden: Tensor,
        weight: Tensor,
        targets: [Int32],
        statistics: UnsafeMutablePointer<Float>?
    ) throws -> Tensor {
        try check(hidden, weight, targets)
        let rows = hidden.rows
        let y = output([rows], from: hidden, weight)
        let logSumExp = context.buffers.take(rows)
        // Under a frozen weight a row's gradient is its upstream factor times a vector that is known here already.
        let directions = y.requiresGradient && !weight.requiresGradient ? context.buffers.take(hidden.count) : nil
        let ones = [Float](repeating: 1, count: directions == nil ? 0 : rows)
        let last = forEachChunk(hidden, weight) { range, logits in
            targets.withUnsafeBufferPointer { list in
                guard let base = list.baseAddress else { return }
                self.logProbabilities(range, logits, base, y.pointer, logSumExp.pointer, statistics, weight.rows)
                guard let directions else { return }
                self.logitGradients(range, logits, base, logSumExp.pointer, ones, weight.rows)
                let target = directions.pointer + range.lowerBound * hidden.columns
                self.hiddenGradient(range.count, logits, weight, into: target, accumulate: false)
            }
        }
        guard y.requiresGradient else { return y }
        if let directions {
            record { [context] in
                guard let dy = y.gradientBuffer else { return }
                let target = hidden.gradientToAdd()
                let dimension = hidden.columns
                context.parallelRanges(rows, grain: 64) { range in
                    context.kernels.pointee.add_scaled_rows(
                        directions.pointer + range.lowerBound * dimension,
                        dy.pointer + range.lowerBound,
                        target + range.lowerBound * dimension,
                        range.count,
                        dimension
                    )
                }
                y.gradientBuffer = nil
            }
            return y
        }
        hidden.isKept = true
        record { [unowned self] in
            guard let dy = y.gradientBuffer else { return }
            self.forEachChunk(hidden, weight, backFrom: last) { range, logits in
                targets.withUnsafeBufferPointer { list in
                    guard let base = list.baseAddress else { return }
                    self.chunkBackward(range, logits, base, logSumExp.pointer, dy.pointer, hidden, weight)
                }
            }
            y.gradientBuffer = nil
        }
        return y
    }

    /// The weighted negative log-likelihood Σ weights[r] · −log p(targets[r]), with any sign of weight; `negative` says
    /// what stands in its place for rows of negative weight.
    ///
    /// When recording, the gradients of `hidden` and `weight` are added at once, chunk by chunk, so that the logits are
    /// computed only once. They are those of the returned loss.
    /// - Returns: The loss, and each row's log-probability and distribution.
    /// - Throws: ``TensorError`` when shapes do not fit or a target is outside the vocabulary.
    public func weightedNegativeLogLikelihood(
        _ hidden: Tensor,
        weight: Tensor,
        targets: [Int32],
        weights: [Float],
        negative: NegativeTokens = NegativeTokens()
    ) throws -> (loss: Double, logProbabilities: [Float], statistics: [TokenStatistics]) {
        try check(hidden, weight, targets)
        guard weights.count == targets.count else {
            throw TensorError.shapeMismatch("\(weights.count) weights for \(targets.count) targets")
        }
        let rows = hidden.rows
        let vocabulary = weight.rows
        let values = context.buffers.take(rows)
        let logSumExp = context.buffers.take(rows)
        let statistics = context.buffers.take(3 * rows)
        // d(loss)/d(log p) of each row, and log(1 − p) of the rows where the loss asks for it.
        var upstream = weights.map { -$0 }
        var complements: [Int: Float] = [:]
        let needed = isRecording && (hidden.requiresGradient || weight.requiresGradient)
        upstream.withUnsafeMutableBufferPointer { factors in
            targets.withUnsafeBufferPointer { list in
                guard let base = list.baseAddress, let factor = factors.baseAddress else { return }
                self.forEachChunk(hidden, weight) { range, logits in
                    self.logProbabilities(
                        range,
                        logits,
                        base,
                        values.pointer,
                        logSumExp.pointer,
                        statistics.pointer,
                        vocabulary
                    )
                    for row in range where factor[row] > 0 {
                        let change = negative.apply(
                            to: logits + (row - range.lowerBound) * vocabulary,
                            target: base[row],
                            logProbability: values.pointer[row],
                            logSumExp: logSumExp.pointer + row,
                            factor: factor + row,
                            vocabulary: vocabulary,
                            context: self.context
                        )
                        if let change { complements[row] = change }
                    }
                    if needed { self.chunkBackward(range, logits, base, logSumExp.pointer, factor, hidden, weight) }
                }
            }
        }
        let result = Array(UnsafeBufferPointer(start: values.pointer, count: rows))
        var loss = 0.0
        for row in 0..<rows {
            // weight · log(1 − p) of a negative weight is |weight| · −log(1 − p).
            if let complement = complements[row] {
                loss += Double(weights[row]) * Double(complement)
            } else {
                loss -= Double(weights[row]) * Double(result[row])
            }
        }
        return (loss, result, Self.statistics(statistics, count: rows))
    }

    private func check(_ hidden: Tensor, _ weight: Tensor, _ targets: [Int32]) throws {
        guard hidden.columns == weight.columns, hidden.rows == targets.count else {
            throw TensorError.shapeMismatch(
                "log-probabilities of \(hidden.shape) under \(weight.shape) for \(targets.count) targets"
            )
        }
        for target in targets where target < 0 || Int(target) >= weight.rows {
            throw TensorError.indexOutOfRange("target \(target) in a vocabulary of \(weight.rows)")
        }
    }

    /// Computes the logits of a few rows at a time, at most about 64 MB of them: the weight is read once a chunk.
    ///
    /// With `last`, what an earlier call on the same rows returned, the chunks come in the opposite order, and the first
    /// of them is not computed again.
    /// - Returns: The logits of the last chunk, unless `body` changed them.
    @discardableResult
    private func forEachChunk(
        _ hidden: Tensor,
        _ weight: Tensor,
        backFrom last: Buffer? = nil,
        _ body: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
    ) -> Buffer? {
        let vocabulary = weight.rows
        let rows = hidden.rows
        guard rows > 0 else { return nil }
        let most = max(16, min(2048, (1 << 24) / max(1, vocabulary)))
        let count = (rows + most - 1) / most
        let logits = last ?? context.buffers.take((rows + count - 1) / count * vocabulary)
        for step in 0..<count {
            let chunk = last == nil ? step : count - 1 - step
            let range = rows * chunk / count..<rows * (chunk + 1) / count
            if last == nil || step > 0 {
                matrixProduct(
                    context: context,
                    transposeB: true,
                    m: range.count,
                    n: vocabulary,
                    k: hidden.columns,
                    a: .float32(hidden.pointer + range.lowerBound * hidden.columns),
                    b: weight.matrix,
                    c: logits.pointer,
                    accumulate: false
                )
            }
            body(range, logits.pointer)
        }
        return logits
    }

    private func logProbabilities(
        _ rows: Range<Int>,
        _ logits: UnsafeMutablePointer<Float>,
        _ targets: UnsafePointer<Int32>,
        _ y: UnsafeMutablePointer<Float>,
        _ logSumExp: UnsafeMutablePointer<Float>,
        _ statistics: UnsafeMutablePointer<Float>?,
        _ vocabulary: Int
    ) {
        context.parallelRanges(rows.count, grain: 8) { range in
            let first = rows.lowerBound + range.lowerBound
            let own = logits + range.lowerBound * vocabulary
            if let statistics {
                let target = statistics + 3 * first
                context.kernels.pointee.token_statistics(
                    own,
                    targets + first,
                    y + first,
                    logSumExp + first,
                    target,
                    range.count,
                    vocabulary
                )
            } else {
                context.kernels.pointee.token_log_probabilities(
                    own,
                    targets + first,
                    y + first,
                    logSumExp + first,
                    range.count,
                    vocabulary
                )
            }
        }
    }

    private func chunkBackward(
        _ rows: Range<Int>,
        _ logits: UnsafeMutablePointer<Float>,
        _ targets: UnsafePointer<Int32>,
        _ logSumExp: UnsafeMutablePointer<Float>,
        _ upstream: UnsafePointer<Float>,
        _ hidden: Tensor,
        _ weight: Tensor
    ) {
        let vocabulary = weight.rows
        let dimension = hidden.columns
        logitGradients(rows, logits, targets, logSumExp, upstream, vocabulary)
        if hidden.requiresGradient {
            let target = hidden.gradientToAdd() + rows.lowerBound * dimension
            hiddenGradient(rows.count, logits, weight, into: target, accumulate: true)
        }
        if weight.requiresGradient {
            matrixProduct(
                context: context,
                transposeA: true,
                m: vocabulary,
                n: dimension,
                k: rows.count,
                a: .float32(logits),
                b: .float32(hidden.pointer + rows.lowerBound * dimension),
                c: weight.gradientToAdd(),
                accumulate: true
            )
        }
    }

    /// upstream · (one-hot − softmax) in place of the logits.
    private func logitGradients(
        _ rows: Range<Int>,
        _ logits: UnsafeMutablePointer<Float>,
        _ targets: UnsafePointer<Int32>,
        _ logSumExp: UnsafePointer<Float>,
        _ upstream: UnsafePointer<Float>,
        _ vocabulary: Int
    ) {
        context.parallelRanges(rows.count, grain: 8) { range in
            let first = rows.lowerBound + range.lowerBound
            context.kernels.pointee.token_log_probabilities_backward(
                logits + range.lowerBound * vocabulary,
                targets + first,
                logSumExp + first,
                upstream + first,
                range.count,
                vocabulary
            )
        }
    }

    /// target [rows, dimension] = dlogits [rows, vocabulary] · weight (+ target).
    private func hiddenGradient(
        _ rows: Int,
        _ logits: UnsafePointer<Float>,
        _ weight: Tensor,
        into target: UnsafeMutablePointer<Float>,
        accumulate: Bool
    ) {
        matrixProduct(
            context: context,
            m: rows,
            n: weight.columns,
            k: weight.rows,
            a: .float32(logits),
            b: weight.matrix,
            c: target,
            accumulate: accumulate
        )
    }
}
