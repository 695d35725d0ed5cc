import TensorEngine
public import Tokenization

extension CausalLanguageModel {
    /// Continues each prompt.
    ///
    /// Prompts are decoded together, each with a cache of its own length and no padding; as one ends, the next takes its
    /// place. What all of them begin with is computed once. A prompt's result depends only on the model, the parameters, its own tokens and its stream.
    ///
    /// A generation ends at the positions that the model was made for (`max_position_embeddings`) where that comes before
    /// the parameters' limit, with ``Generation/FinishReason/length``.
    ///
    /// - Parameters:
    ///   - prompts: Token ids, at least one each.
    ///   - parameters: Limits, sampling and stop conditions.
    ///   - batchSize: How many sequences are decoded at a time.
    ///   - streams: The random stream of each prompt; its index unless given.
    ///   - decode: Turns tokens into text; needed for stop strings.
    ///   - onToken: Called with a prompt's index and each new token as it is drawn, stop tokens left out; throwing ends all.
    ///   - onFinish: Called with a prompt's index as each generation ends; throwing cancels the rest.
    /// - Returns: One generation a prompt, in order.
    /// - Throws: ``GenerationError`` for parameters or prompts that cannot be used, among them prompts that fill all of the
    ///   model's positions, and for a model whose logits are no numbers; or what `onToken` or `onFinish` throws.
    public func generate(
        prompts: [[TokenID]],
        parameters: GenerationParameters,
        batchSize: Int = 64,
        streams: [UInt64]? = nil,
        decode: (([TokenID]) -> String)? = nil,
        onToken: ((_ index: Int, _ token: TokenID) throws -> Void)? = nil,
        onFinish: ((_ index: Int, _ generation: Generation) throws -> Void)? = nil
    ) throws -> [Generation] {
        try parameters.validate()
        try check(prompts, streams: streams)
        guard parameters.stopStrings.isEmpty || decode != nil else {
            throw GenerationError.invalidParameter("stop strings need a decoding function")
        }
        var results = [Generation](
            repeating: Generation(tokens: [], finishReason: .length, logProbabilities: [], stopToken: nil),
            count: prompts.count
        )
        guard parameters.maximumNewTokens > 0 else { return results }
        let session = DecodingSession(model: self)
        let vocabulary = configuration.vocabularySize
        let width = max(1, batchSize)
        let stop = StopCondition(parameters: parameters, decode: decode)
        let scratch = context.buffers.take(context.threads * vocabulary)
        let prefix = SharedPrefix(of: prompts, session: session, model: self)
        var active: [ActiveSequence] = []
        var next = 0

        while next < prompts.count || !active.isEmpty {
            var rows: [DecodingSession.Row] = []
            while next < prompts.count, active.count < width, rows.count < SharedPrefix.rowsOfStep {
                let limit = min(parameters.maximumNewTokens, configuration.maximumPositions - prompts[next].count)
                let sequence = ActiveSequence(
                    index: next,
                    prompt: prompts[next],
                    limit: limit,
                    slot: DecodingSession.Slot(capacity: prompts[next].count + limit, model: self),
                    sampler: TokenSampler(
                        parameters: parameters,
                        stream: streams?[next] ?? UInt64(next),
                        prompt: prompts[next]
                    )
                )
                prefix.fill(sequence.slot)
                for position in prefix.count..<prompts[next].count - 1 {
                    rows.append(
                        DecodingSession.Row(slot: sequence.slot, position: position, token: prompts[next][position])
                    )
                }
                active.append(sequence)
                next += 1
            }
            // The last token of every sequence, new or old, asks for logits.
            var wanted: [Int] = []
            for sequence in active {
                wanted.append(rows.count)
                rows.append(sequence.pendingRow)
            }
            let logits = session.step(rows, wanted: wanted)
            let sequences = active
            context.parallel(sequences.count) { index, worker in
                sequences[index].advance(
                    logits.pointer + index * vocabulary,
                    scratch: scratch.pointer + worker * vocabulary,
                    vocabulary: vocabulary,
                    context: context
                )
            }
            if let failed = sequences.first(where: \.hasFailed) {
                throw GenerationError.notFinite(
                    notFinite(
                        "prompt \(failed.index)",
                        position: failed.position,
                        penalty: parameters.repetitionPenalty
                    )
                )
            }
            if let onToken {
                for sequence in sequences {
                    guard let token = sequence.tokens.last, !stop.isStop(token) else { continue }
                    try onToken(sequence.index, token)
                }
            }
            active = try sequences.filter { sequence in
                guard let generation = stop.check(sequence) else { return true }
                results[sequence.index] = generation
                try onFinish?(sequence.index, generation)
                return false
            }
        }
        return results
    }

    /// What is wrong where the logits after a token are no finite numbers.
    func notFinite(_ sequence: String, position: Int, penalty: Double = 1) -> String {
        "the logits of the \(configuration.modelType.rawValue) model (\(configuration.layers) layers, hidden size "
            + "\(configuration.hiddenSize)) after position \(position) of \(sequence) are not finite numbers; its weights are "
            + "damaged or too large" + (penalty == 1 ? "" : ", or the repetition penalty of \(penalty) is")
    }

    private func check(_ prompts: [[TokenID]], streams: [UInt64]?) throws {
        if let streams, streams.count != prompts.count {
            throw GenerationError.invalidParameter("\(streams.count) streams for \(prompts.count) prompts")
        }
        for (index, prompt) in prompts.enumerated() {
            guard !prompt.isEmpty else {
                throw GenerationError.invalidPrompt("prompt \(index) is empty; give at least one token")
            }
            guard prompt.count < configuration.maximumPositions else {
                throw GenerationError.invalidPrompt(
                    "prompt \(index) has \(prompt.count) tokens, which leaves no room in the "
                        + "\(configuration.maximumPositions) positions that the model was made for; shorten it"
                )
            }
            for token in prompt where token < 0 || Int(token) >= configuration.vocabularySize {
                throw GenerationError.invalidPrompt(
                    "prompt \(index) has token \(token), outside the vocabulary of \(configuration.vocabularySize)"
                )
            }
        }
    }
}

/// A sequence being decoded.
private final class ActiveSequence {
    let index: Int
    /// The most tokens that it may become longer by.
    let limit: Int
    let slot: DecodingSession.Slot
    /// Whether the last step's logits were no finite numbers; ``position`` is that of the token before them then.
    private(set) var hasFailed = false
    private(set) var tokens: [TokenID] = []
    private(set) var logProbabilities: [Float] = []
    private var sampler: TokenSampler
    private var pending: TokenID
    private(set) var position: Int

    init(index: Int, prompt: [TokenID], limit: Int, slot: DecodingSession.Slot, sampler: TokenSampler) {
        self.index = index
        self.limit = limit
        self.slot = slot
        self.sampler = sampler
        pending = prompt[prompt.count - 1]
        position = prompt.count - 1
    }

    var pendingRow: DecodingSession.Row { DecodingSession.Row(slot: slot, position: position, token: pending) }

    func advance(
        _ logits: UnsafePointer<Float>,
        scratch: UnsafeMutablePointer<Float>,
        vocabulary: Int,
        context: ComputeContext
    ) {
        guard let token = sampler.next(logits, scratch: scratch, vocabulary: vocabulary, context: context) else {
            hasFailed = true
            return
        }
        // NaN where any of the row's logits is one, which the sampler need not have seen.
        let logProbability = InferenceKernels.logProbability(
            context: context,
            logits,
            target: token,
            vocabulary: vocabulary
        )
        guard logProbability.isFinite else {
            hasFailed = true
            return
        }
        tokens.append(token)
        logProbabilities.append(logProbability)
        pending = token
        position += 1
    }
}

/// Decides whether a sequence has ended.
private struct StopCondition {
    private let parameters: GenerationParameters
    private let stopTokens: Set<TokenID>
    private let decode: (([TokenID]) -> String)?
    private let window: Int

    init(parameters: GenerationParameters, decode: (([TokenID]) -> String)?) {
        self.parameters = parameters
        self.decode = decode
        stopTokens = Set(parameters.stopTokens)
        // A token is at least about a byte of text, so a stop string lies within this many tokens of the end.
        window = (parameters.stopStrings.map { $0.utf8.count }.max() ?? 0) + 8
    }

    func isStop(_ token: TokenID) -> Bool { stopTokens.contains(token) }

    func check(_ sequence: ActiveSequence) -> Generation? {
        var tokens = sequence.tokens
        var logProbabilities = sequence.logProbabilities
        if let last = tokens.last, stopTokens.contains(last) {
            tokens.removeLast()
            logProbabilities.removeLast()
            return Generation(
                tokens: tokens,
                finishReason: .stop,
                logProbabilities: logProbabilities,
                stopToken: last
            )
        }
        if let decode, !parameters.stopStrings.isEmpty {
            let text = Array(decode(Array(tokens.suffix(window))).utf8)
            if parameters.stopStrings.contains(where: { !$0.isEmpty && text.firstOccurrence(of: Array($0.utf8)) != nil }
            ) {
                return Generation(
                    tokens: tokens,
                    finishReason: .stop,
                    logProbabilities: logProbabilities,
                    stopToken: nil
                )
            }
        }
        guard tokens.count >= sequence.limit else { return nil }
        return Generation(
            tokens: tokens,
            finishReason: .length,
            logProbabilities: logProbabilities,
            stopToken: nil
        )
    }
}
