import Foundation
public import LanguageModel
import Schemas
public import Tokenization

/// What writes a student's texts: a model in memory, or a server that has loaded it.
public protocol StudentWriter {
    /// The most tokens of a prompt and its text together.
    var maximumPositions: Int { get }

    /// Continues prompts.
    ///
    /// Arguments:
    ///   - prompts: token ids, at least one each and fewer than ``maximumPositions``.
    ///   - streams: the random stream of each prompt; equal streams give equal samples whatever stands beside them.
    ///   - parameters: decoding, with the tokens and texts that end a text.
    ///   - onFinish: called as each text ends; throwing cancels the rest.
    /// - Returns: one text a prompt, in order.
    func write(
        _ prompts: [[TokenID]],
        streams: [UInt64],
        parameters: GenerationParameters,
        onFinish: () throws -> Void
    ) throws -> [WrittenText]
}

/// What a student wrote.
public struct WrittenText: Sendable, Hashable {
    /// The text, without what ended it and without NUL characters: what is graded is what is kept.
    public let text: String
    /// Whether it was cut off.
    public var isTruncated: Bool
    /// Its tokens.
    public var tokens: Int

    /// Makes a text.
    public init(text: String, isTruncated: Bool, tokens: Int) {
        self.text = text.withoutNUL
        self.isTruncated = isTruncated
        self.tokens = tokens
    }
}

/// A model in memory as a writer.
struct ModelWriter: StudentWriter {
    let model: CausalLanguageModel
    let tokenizer: Tokenizer
    let batchSize: Int

    var maximumPositions: Int { model.configuration.maximumPositions }

    func write(
        _ prompts: [[TokenID]],
        streams: [UInt64],
        parameters: GenerationParameters,
        onFinish: () throws -> Void
    ) throws -> [WrittenText] {
        let generations = try withoutActuallyEscaping(onFinish) { onFinish in
            try model.generate(
                prompts: prompts,
                parameters: parameters,
                batchSize: batchSize,
                streams: streams,
                decode: { tokenizer.decode($0) },
                onFinish: { _, _ in try onFinish() }
            )
        }
        return generations.map { generation in
            WrittenText(
                text: Self.text(tokenizer.decode(generation.tokens), before: parameters.stopStrings),
                isTruncated: generation.finishReason == .length,
                tokens: generation.tokens.count
            )
        }
    }

    /// A text up to the first of what ends it, which is no part of it.
    private static func text(_ text: String, before stops: [String]) -> String {
        let end = stops.compactMap { $0.isEmpty ? nil : text.range(of: $0)?.lowerBound }.min()
        return end.map { String(text[..<$0]) } ?? text
    }
}
