/// The key steps of a dual chain: where the two solutions part.
///
/// The spans hold for every run of the tokenizer and the tie rule; the weights are those of the run that asked first, and
/// each run's trainer makes its own from the spans.
///
/// Record key: the problem's id.
public struct KeyStepsEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.keySteps

    /// The tokenizer's name when words were aligned instead of a student's tokens.
    public static let wordTokenizer = "errata-words-v1"

    /// The id of these key steps.
    public var id: String
    /// The problem that the chains solve.
    public var problemId: String
    /// The trace that holds the dual chain.
    public var traceId: String
    /// The fingerprint of the tokenizer whose tokens were aligned, or ``wordTokenizer``.
    public var tokenizer: String
    /// The minimum edit distance in tokens.
    public var distance: Int
    /// The right chain.
    public var right: KeyStepSide
    /// The wrong chain.
    public var wrong: KeyStepSide
    /// The weight of key tokens on the right chain.
    public var alpha: Double
    /// The weight of key tokens on the wrong chain; the weights hold it with a minus sign.
    public var beta: Double
    /// The weight of the tokens that are not key.
    public var gamma: Double
    /// How ties between alignments were decided: `edit`, the authors' rule, or `canonical`.
    public var tieRule: String
    /// How the student writes the pair: `chain` or `template`, or `chain/bare` or `template/bare` where no blank stands
    /// before it; the chains as they came when it is not there.
    public var format: String?

    /// Makes key steps.
    public init(
        id: String,
        problemId: String,
        traceId: String,
        tokenizer: String,
        distance: Int,
        right: KeyStepSide,
        wrong: KeyStepSide,
        alpha: Double,
        beta: Double,
        gamma: Double,
        tieRule: String,
        format: String? = nil
    ) {
        self.id = id
        self.problemId = problemId
        self.traceId = traceId
        self.tokenizer = tokenizer
        self.distance = distance
        self.right = right
        self.wrong = wrong
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.tieRule = tieRule
        self.format = format
    }

    /// The problem's id.
    public var key: String { problemId }

    /// Checks ids and ranges, that spans lie in their text and tokens in order, and that weights cover the tokens.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(problemId, "problemId")
        try check.identifier(traceId, "traceId")
        try check.identifier(tokenizer, "tokenizer")
        try check.atLeast(distance, 0, "distance")
        try check.range(alpha, 0...1000, "alpha")
        try check.range(beta, 0...1000, "beta")
        try check.range(gamma, 0...1000, "gamma")
        try check.notBlank(tieRule, "tieRule")
        try check.notBlank(format, "format")
        try right.validate(check, "right")
        try wrong.validate(check, "wrong")
    }
}

/// One chain of a pair with its key spans and token weights.
public struct KeyStepSide: Sendable, Hashable, Codable {
    /// The chain's text.
    public var text: String
    /// The number of its tokens.
    public var tokens: Int
    /// The spans that the alignment does not match, in order.
    public var spans: [KeyStepSpan]
    /// The signed weight of every token, run by run.
    public var weights: [WeightRun]

    /// Makes a side from weight runs.
    public init(text: String, tokens: Int, spans: [KeyStepSpan], weights: [WeightRun]) {
        self.text = text
        self.tokens = tokens
        self.spans = spans
        self.weights = weights
    }

    /// Makes a side from the weight of every token.
    public init(text: String, spans: [KeyStepSpan], tokenWeights: [Float]) {
        self.init(
            text: text,
            tokens: tokenWeights.count,
            spans: spans,
            weights: WeightRun.runs(of: tokenWeights)
        )
    }

    /// The weight of every token.
    public var tokenWeights: [Float] {
        weights.flatMap { Array(repeating: $0.weight, count: max(0, $0.count)) }
    }

    func validate(_ check: Validation, _ field: String) throws {
        try check.notBlank(text, "\(field).text")
        try check.range(tokens, 0...10_000_000, "\(field).tokens")
        let bytes = text.utf8.count
        var end = 0
        var tokenEnd = 0
        for (index, span) in spans.enumerated() {
            var place: String { "\(field).spans[\(index)]" }
            try check.range(span.start, end...max(end, bytes), "\(place).start")
            try check.range(span.end, span.start...max(span.start, bytes), "\(place).end")
            try check.range(span.tokenStart, tokenEnd...max(tokenEnd, tokens), "\(place).tokenStart")
            try check.range(span.tokenEnd, span.tokenStart...max(span.tokenStart, tokens), "\(place).tokenEnd")
            try check.atLeast(span.step, 0, "\(place).step")
            end = span.end
            tokenEnd = span.tokenEnd
        }
        var covered = 0
        for (index, run) in weights.enumerated() {
            try check.range(run.count, 1...max(1, tokens - covered), "\(field).weights[\(index)].count")
            try check.finite(Double(run.weight), "\(field).weights[\(index)].weight")
            covered += run.count
        }
        try check.require(covered == tokens, "\(field).weights", "cover \(covered) of \(tokens) tokens")
    }
}

/// A stretch of one chain that has no match in the other.
public struct KeyStepSpan: Sendable, Hashable, Codable {
    /// What the alignment does here, read from the wrong chain to the right one.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// Tokens stand for other tokens.
        case replace
        /// Tokens that only the right chain has.
        case insert
        /// Tokens that only the wrong chain has.
        case delete
    }

    /// The first byte in the UTF-8 of the text.
    public var start: Int
    /// The byte after the last.
    public var end: Int
    /// The first token.
    public var tokenStart: Int
    /// The token after the last.
    public var tokenEnd: Int
    /// What the alignment does here.
    public var kind: Kind
    /// The step of the solution that it falls in, from 0.
    public var step: Int

    /// Makes a span.
    public init(start: Int, end: Int, tokenStart: Int, tokenEnd: Int, kind: Kind, step: Int) {
        self.start = start
        self.end = end
        self.tokenStart = tokenStart
        self.tokenEnd = tokenEnd
        self.kind = kind
        self.step = step
    }
}

/// A run of tokens with one weight.
public struct WeightRun: Sendable, Hashable, Codable {
    /// The number of tokens.
    public var count: Int
    /// The weight of each: positive makes a token likelier, negative less likely, 0 leaves it alone.
    public var weight: Float

    /// Makes a run.
    public init(count: Int, weight: Float) {
        self.count = count
        self.weight = weight
    }

    /// The shortest list of runs for the weights of all tokens.
    public static func runs(of weights: [Float]) -> [WeightRun] {
        weights.reduce(into: []) { runs, weight in
            if let last = runs.indices.last, runs[last].weight == weight {
                runs[last].count += 1
            } else {
                runs.append(WeightRun(count: 1, weight: weight))
            }
        }
    }
}

// One stands for every pair, with some hundred spans and runs of weights.
extension KeyStepsEvent: JSONText.Writing {
    func write(to json: inout JSONText) {
        json.map { json in
            json.member("alpha", alpha)
            json.member("beta", beta)
            json.member("distance", distance)
            if let format { json.member("format", format) }
            json.member("gamma", gamma)
            json.member("id", id)
            json.member("problemId", problemId)
            json.name("right")
            right.write(to: &json)
            json.member("tieRule", tieRule)
            json.member("tokenizer", tokenizer)
            json.member("traceId", traceId)
            json.name("wrong")
            wrong.write(to: &json)
        }
    }
}

extension KeyStepSide {
    fileprivate func write(to json: inout JSONText) {
        json.map { json in
            json.name("spans")
            json.list(spans) { json, span in
                json.map { json in
                    json.member("end", span.end)
                    json.member("kind", span.kind.rawValue)
                    json.member("start", span.start)
                    json.member("step", span.step)
                    json.member("tokenEnd", span.tokenEnd)
                    json.member("tokenStart", span.tokenStart)
                }
            }
            json.member("text", text)
            json.member("tokens", tokens)
            json.name("weights")
            json.list(weights) { json, run in
                json.map { json in
                    json.member("count", run.count)
                    json.member("weight", run.weight)
                }
            }
        }
    }
}

extension KeyStepsEvent {
    /// The name of a pair's form.
    ///
    /// Arguments:
    ///   - template: whether the pair is written as templates, else as chains.
    ///   - bare: whether no blank stands before it.
    public static func format(template: Bool, bare: Bool) -> String {
        (template ? "template" : "chain") + (bare ? "/bare" : "")
    }
}
