import Foundation
import LanguageModel
import ModelFiles
import Tokenization
import Training

/// What a model is, read from its files without its weights.
struct ModelSummary: Encodable {
    /// The content hash; nil for a model that is in no store.
    private(set) var hash: String?
    private(set) var folder: String
    /// Why it cannot be used; nil where it can.
    private(set) var fault: String?
    private(set) var family: String?
    private(set) var parameters: Int?
    /// Bytes of all files.
    private(set) var bytes = 0
    /// How the weights are stored.
    private(set) var format = "?"
    private(set) var sizes: Sizes?
    private(set) var tokenizer: TokenizerFigures?
    /// `chat_template.jinja`, `tokenizer_config.json`, or why there is none.
    private(set) var chatTemplate: String?
    private(set) var endTokens: [String] = []
    /// Where it came from first.
    private(set) var origin: String?
    private(set) var origins: [ModelRecord.Origin] = []
    /// The stored models that were trained from it.
    private(set) var descendants: [String] = []
    /// What trainings of it need in memory.
    private(set) var memory: [Memory] = []

    /// The decoder's shape.
    struct Sizes: Encodable {
        let layers, hidden, intermediate, heads, keyValueHeads, headDimension, vocabulary, positions: Int
    }

    /// The tokenizer's.
    struct TokenizerFigures: Encodable {
        let tokens: Int
        let fingerprint: String
        let startTokens: [String]
        let specialTokens: [String: String]
    }

    /// The need of one kind of training.
    struct Memory: Encodable {
        let training: String
        let bytes: Int
    }

    /// A stored model.
    init(_ stored: StoredModel, in store: ModelStore) throws {
        self.init(folder: stored.folder)
        hash = stored.hash
        let record = try store.record(of: stored.hash)
        origins = record?.origins ?? []
        origin = origins.first.map { $0.source }
        descendants = try store.descendants(of: stored.hash)
    }

    /// A folder or a GGUF file that is in no store.
    init(unstored path: URL) throws {
        let source = try ModelSource(path)
        defer { source.close() }
        self.init(folder: source.folder)
        folder = path.path
    }

    private init(folder: URL) {
        self.folder = folder.path
        bytes = Self.size(of: folder)
        do {
            let configuration = try ModelConfiguration(folder: folder)
            let files = try CausalLanguageModel.inspect(folder: folder)
            let tokenizer = try Tokenizer(folder: folder)
            family = configuration.modelType.rawValue
            parameters = configuration.parameterCount
            format = files.format
            sizes = Sizes(
                layers: configuration.layers,
                hidden: configuration.hiddenSize,
                intermediate: configuration.intermediateSize,
                heads: configuration.heads,
                keyValueHeads: configuration.keyValueHeads,
                headDimension: configuration.headDimension,
                vocabulary: configuration.vocabularySize,
                positions: configuration.maximumPositions
            )
            self.tokenizer = TokenizerFigures(
                tokens: tokenizer.vocabularySize,
                fingerprint: tokenizer.fingerprint,
                startTokens: tokenizer.startTokens.compactMap(tokenizer.token),
                specialTokens: Dictionary(tokenizer.specialTokens.map { ($0.name, $0.text) }, uniquingKeysWith: { $1 })
            )
            readChat(folder, tokenizer, configuration)
            memory = Self.memory(configuration, storedBytes: files.storedBytes)
        } catch {
            fault = "\(error)"
        }
    }

    private mutating func readChat(_ folder: URL, _ tokenizer: Tokenizer, _ configuration: ModelConfiguration) {
        var ends = configuration.eosTokenIDs + ((try? GenerationConfiguration.load(folder: folder))??.eosTokenIDs ?? [])
        do {
            let encoder = try ChatEncoder(folder: folder, tokenizer: tokenizer)
            let own = folder.appending(path: ModelFolder.chatTemplateFile)
            chatTemplate =
                FileManager.default.fileExists(atPath: own.path)
                ? ModelFolder.chatTemplateFile : ModelFolder.tokenizerConfigurationFile
            ends += encoder.endTokens
        } catch {
            chatTemplate = "none: \(error)"
        }
        endTokens = Array(Set(ends)).sorted().compactMap(tokenizer.token)
    }

    private static func memory(_ configuration: ModelConfiguration, storedBytes: Int) -> [Memory] {
        let options = TrainingOptions(learningRate: 1e-5, tokensAtOnce: 1024)
        var recomputing = options
        recomputing.checkpointsActivations = true
        func need(_ options: TrainingOptions, _ adapter: LoRAConfiguration? = nil) -> Int {
            MemoryEstimate(
                configuration,
                storedBytes: storedBytes,
                adapter: adapter,
                options: options,
                lengths: [options.tokensAtOnce]
            ).total
        }
        return [
            Memory(training: "all weights", bytes: need(options)),
            Memory(training: "all weights, activations recomputed", bytes: need(recomputing)),
            Memory(training: "LoRA of rank 16", bytes: need(options, LoRAConfiguration())),
            Memory(training: "LoRA of rank 16, activations recomputed", bytes: need(recomputing, LoRAConfiguration())),
        ]
    }

    private static func size(of folder: URL) -> Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.reduce(0) { sum, name in
            let attributes = try? FileManager.default.attributesOfItem(
                atPath: folder.appending(path: name).resolvingSymlinksInPath().path
            )
            return sum + (attributes?[.size] as? Int ?? 0)
        }
    }

    // MARK: Display

    private struct Line: Encodable {
        let names: [String]
        let model: ModelSummary
    }

    /// One line of JSON.
    func jsonLine(names: [String]) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(Line(names: names, model: self)), as: UTF8.self)
    }

    /// Lines for a person.
    func text(names: [String]) throws -> String {
        var rows: [(String, String)] = []
        if !names.isEmpty { rows.append(("name", names.joined(separator: ", "))) }
        if let hash { rows.append(("hash", hash)) }
        rows.append(("folder", folder))
        if let family, let parameters {
            rows.append(("family", "\(family), \(ByteCount.short(parameters)) parameters"))
        }
        rows.append(("format", "\(format), \(ByteCount.text(bytes))"))
        if let sizes {
            rows.append(
                (
                    "sizes",
                    "\(sizes.layers) layers, hidden \(sizes.hidden), intermediate \(sizes.intermediate), \(sizes.heads) heads "
                        + "(\(sizes.keyValueHeads) of keys and values) of \(sizes.headDimension), \(sizes.positions) positions"
                )
            )
        }
        if let tokenizer {
            rows.append(("tokenizer", "\(tokenizer.tokens) tokens, fingerprint \(tokenizer.fingerprint)"))
            let special = tokenizer.specialTokens.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            rows.append(("special tokens", special.joined(separator: ", ")))
            let starts = tokenizer.startTokens
            rows.append(("a text begins", starts.isEmpty ? "with no token of its own" : "with \(starts.joined())"))
        }
        rows.append(("an answer ends", endTokens.joined(separator: " or ")))
        if let chatTemplate { rows.append(("chat template", chatTemplate)) }
        for origin in origins {
            rows.append(("from", origin.source + (origin.parent.map { ", started from \($0)" } ?? "")))
        }
        for child in descendants { rows.append(("trained from it", child)) }
        for need in memory {
            rows.append(("memory to train", "\(ByteCount.text(need.bytes)): \(need.training), 1,024 tokens at once"))
        }
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { $0.0.padding(toLength: width + 2, withPad: " ", startingAt: 0) + $0.1 }.joined(
            separator: "\n"
        )
    }
}
