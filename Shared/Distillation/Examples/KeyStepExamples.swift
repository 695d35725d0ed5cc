public import Reasoning
public import Schemas
import Tokenization
public import Training

/// The two examples of a pair of chains, each with a signed weight a token (KRSL: EDIT, equations 5 to 7).
public struct KeyStepPair: Sendable, Hashable {
    /// The right chain.
    public var right: SupervisedExample
    /// The wrong chain.
    public var wrong: SupervisedExample

    /// Both, the right one first.
    public var examples: [SupervisedExample] { [right, wrong] }

    /// The examples of tokens and their weights.
    ///
    /// Arguments:
    ///   - right, wrong: the tokens of the responses, one weight each.
    init(
        prompt: [TokenID],
        right: [TokenID],
        wrong: [TokenID],
        weights: (right: [Float], wrong: [Float])
    ) {
        func example(_ response: [TokenID], _ weights: [Float]) -> SupervisedExample {
            SupervisedExample(
                tokens: prompt + response,
                weights: [Float](repeating: 0, count: prompt.count) + weights,
                responseLength: response.count
            )
        }
        self.right = example(right, weights.right)
        self.wrong = example(wrong, weights.wrong)
    }
}

extension SupervisedExamples {
    /// KRSL on two responses, whose key tokens are located here.
    ///
    /// Arguments:
    ///   - right, wrong: the texts as the student is to write them, such as ``DualRendering`` gives.
    ///   - format: how the question is asked.
    public static func keySteps(
        right: String,
        wrong: String,
        question: String,
        format: StudentFormat,
        codec: StudentCodec,
        options: KeyStepOptions
    ) throws -> KeyStepPair {
        let rightTokens = codec.tokenizer.encode(codec.written(right))
        let wrongTokens = codec.tokenizer.encode(codec.written(wrong))
        return pair(
            rightTokens,
            wrongTokens,
            weights: options.tokenWeights(right: rightTokens, wrong: wrongTokens),
            prompt: try codec.prompt(format, question: question),
            codec: codec,
            options: options
        )
    }

    /// KRSL on a pair whose key tokens are the spans of an event, with the weights of `options`, not the event's: those
    /// are the weights of the run that asked first.
    ///
    /// Arguments:
    ///   - options: whose tie rule must be that of the event's spans; it is not used here.
    ///   - format: how the question is asked.
    /// - Throws: ``DistillationError`` when the spans were located with another tokenizer.
    public static func keySteps(
        of event: KeyStepsEvent,
        question: String,
        format: StudentFormat,
        codec: StudentCodec,
        options: KeyStepOptions
    ) throws -> KeyStepPair {
        let right = try tokens(of: event.right, codec)
        let wrong = try tokens(of: event.wrong, codec)
        let weights = options.tokenWeights(
            right: right,
            rightKeys: event.right.keys,
            wrong: wrong,
            wrongKeys: event.wrong.keys
        )
        return pair(
            right,
            wrong,
            weights: weights,
            prompt: try codec.prompt(format, question: question),
            codec: codec,
            options: options
        )
    }

    /// Adds the end-of-text token, which both sides share: no key token of either.
    private static func pair(
        _ right: [TokenID],
        _ wrong: [TokenID],
        weights: (right: [Float], wrong: [Float]),
        prompt: [TokenID],
        codec: StudentCodec,
        options: KeyStepOptions
    ) -> KeyStepPair {
        KeyStepPair(
            prompt: prompt,
            right: right + [codec.endOfText],
            wrong: wrong + [codec.endOfText],
            weights: (weights.right + [Float(options.gamma)], weights.wrong + [0])
        )
    }

    private static func tokens(of side: KeyStepSide, _ codec: StudentCodec) throws -> [TokenID] {
        let tokens = codec.tokenizer.encode(side.text)
        guard tokens.count == side.tokens else {
            throw DistillationError(
                "key steps were located in \(side.tokens) tokens of a text that has \(tokens.count): they were located "
                    + "with another tokenizer than the student's"
            )
        }
        return tokens
    }
}

extension KeyStepSide {
    /// Whether each token lies in a span.
    fileprivate var keys: [Bool] {
        var keys = [Bool](repeating: false, count: tokens)
        for span in spans {
            for token in (span.tokenStart..<span.tokenEnd).clamped(to: keys.indices) { keys[token] = true }
        }
        return keys
    }
}
