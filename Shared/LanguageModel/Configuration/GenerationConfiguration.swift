public import Foundation
import ModelFiles
public import Tokenization

/// The sampling defaults of a model, as `generation_config.json` has them; nil means "not said".
public struct GenerationConfiguration: Sendable, Equatable {
    /// Token that starts a sequence.
    public var bosTokenID: TokenID?
    /// Tokens that end a generation.
    public var eosTokenIDs: [TokenID]
    /// Padding token.
    public var padTokenID: TokenID?
    /// Whether to sample rather than take the likeliest token.
    public var doSample: Bool?
    /// Softmax temperature.
    public var temperature: Double?
    /// How many of the likeliest tokens may be drawn.
    public var topK: Int?
    /// Probability mass that may be drawn from.
    public var topP: Double?
    /// Divisor of the logits of tokens already seen.
    public var repetitionPenalty: Double?
    /// Most tokens of one generation.
    public var maximumNewTokens: Int?

    /// A configuration from its parts.
    public init(
        bosTokenID: TokenID? = nil,
        eosTokenIDs: [TokenID] = [],
        padTokenID: TokenID? = nil,
        doSample: Bool? = nil,
        temperature: Double? = nil,
        topK: Int? = nil,
        topP: Double? = nil,
        repetitionPenalty: Double? = nil,
        maximumNewTokens: Int? = nil
    ) {
        self.bosTokenID = bosTokenID
        self.eosTokenIDs = eosTokenIDs
        self.padTokenID = padTokenID
        self.doSample = doSample
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.repetitionPenalty = repetitionPenalty
        self.maximumNewTokens = maximumNewTokens
    }

    /// The special tokens of a model and nothing else.
    public init(_ configuration: ModelConfiguration) {
        self.init(
            bosTokenID: configuration.bosTokenID,
            eosTokenIDs: configuration.eosTokenIDs,
            padTokenID: configuration.padTokenID
        )
    }

    /// Reads `generation_config.json` of `folder`; nil when there is none.
    public static func load(folder: URL) throws -> GenerationConfiguration? {
        let file = folder.appendingPathComponent(ModelFolder.generationFile)
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        return try GenerationConfiguration(json: ModelFolder.read(file, limit: 16 << 20), place: file.path)
    }

    /// Reads the content of a `generation_config.json`; `place` names it in errors.
    public init(json: Data, place: String = "generation_config.json") throws {
        let reader = try ConfigurationReader(json: json, place: place)
        self.init(
            bosTokenID: try reader.tokenIDs("bos_token_id").first,
            eosTokenIDs: try reader.tokenIDs("eos_token_id"),
            padTokenID: try reader.tokenIDs("pad_token_id").first,
            doSample: try reader.bool("do_sample"),
            temperature: try reader.double("temperature"),
            topK: try reader.integer("top_k"),
            topP: try reader.double("top_p"),
            repetitionPenalty: try reader.double("repetition_penalty"),
            maximumNewTokens: try reader.integer("max_new_tokens")
        )
    }

    /// The content of a `generation_config.json`.
    public func json() -> Data {
        let optional: [(String, String?)] = [
            ("bos_token_id", bosTokenID.map { "\($0)" }),
            ("eos_token_id", eosTokenIDs.isEmpty ? nil : eosTokenIDs.jsonTokenIDs),
            ("pad_token_id", padTokenID.map { "\($0)" }),
            ("do_sample", doSample.map { "\($0)" }),
            ("temperature", temperature.map { "\($0)" }),
            ("top_k", topK.map { "\($0)" }),
            ("top_p", topP.map { "\($0)" }),
            ("repetition_penalty", repetitionPenalty.map { "\($0)" }),
            ("max_new_tokens", maximumNewTokens.map { "\($0)" }),
        ]
        return ModelFolder.jsonObject(optional.compactMap { key, value in value.map { (key, $0) } })
    }

    /// Writes `generation_config.json` into `folder`, atomically.
    public func save(to folder: URL) throws {
        try AtomicFile.write(json(), to: folder.appendingPathComponent(ModelFolder.generationFile))
    }
}
