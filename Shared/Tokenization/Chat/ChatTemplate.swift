public import Foundation
import ModelFiles

/// Lays conversations out as a model was trained to read them.
///
/// Special tokens are put in as ids and all text is encoded as text, so that nothing a user writes can end a turn or
/// begin another. Ids are those that `transformers` gives for the same conversation.
public struct ChatTemplate: Sendable {
    /// The layout.
    public let format: ChatFormat
    /// The tokens that end the assistant's turn.
    public let endTokens: [TokenID]
    let tokenizer: Tokenizer
    /// The ids of the format's markers, in the order of `ChatFormat.markers`; those of the formats without are start
    /// and end of text, or the end alone.
    let markers: [(id: TokenID, length: Int)]
    /// What the model's template says for the system where a conversation has no system message.
    let defaultSystem: String?
    /// What the model's template puts before every system message (Llama 3.1: two dates).
    let preamble: String?
    /// Where Mistral's format has spaces and the system message.
    let instruct: InstructLayout
    /// How the model's template lays thoughts out, where it does.
    let thinking: ThinkingLayout?
    /// Whether the turn that is to be generated begins with thoughts that are over already.
    private(set) var skipsThinking = false
    /// Marks of the format that this vocabulary has as tokens, by their text.
    let namedMarks: [String: (id: TokenID, length: Int)]
    /// Marks of the format that are text to this tokenizer, which messages must not spell.
    let textMarks: [String]

    /// The template of a model folder, recognised from `chat_template.jinja`, the `chat_template` of
    /// `tokenizer_config.json`, or else the special tokens.
    ///
    /// - Parameters:
    ///   - folder: The model folder.
    ///   - tokenizer: The folder's tokenizer.
    ///   - format: The layout to use whatever the files say; nil recognises it.
    /// - Throws: `TokenizationError` when the layout is not known or its tokens are missing.
    public init(folder: URL, tokenizer: Tokenizer, format: ChatFormat? = nil) throws {
        let file = folder.appendingPathComponent("chat_template.jinja")
        var template: String?
        if FileManager.default.fileExists(atPath: file.path) {
            do {
                template = String(decoding: try Data(contentsOf: file).prefix(1 << 20), as: UTF8.self)
            } catch {
                throw TokenizationError(
                    .inaccessible,
                    place: file.path,
                    "cannot be read: \(error.localizedDescription)"
                )
            }
        }
        try self.init(
            tokenizer: tokenizer,
            template: template ?? tokenizer.chatTemplateText,
            format: format,
            place: folder.path
        )
    }

    /// A template from its parts.
    ///
    /// - Parameters:
    ///   - tokenizer: The model's tokenizer.
    ///   - template: The text of its chat template (Jinja), which is recognised and not run; nil when there is none.
    ///   - format: The layout to use whatever the template says; nil recognises it.
    ///   - place: Names the model in errors.
    /// - Throws: `TokenizationError` when the layout is not known or its tokens are missing.
    public init(
        tokenizer: Tokenizer,
        template: String?,
        format: ChatFormat? = nil,
        place: String = "chat template"
    ) throws {
        let format = try format ?? Self.recognise(template, tokenizer, place: place)
        func marker(_ name: String) throws -> (id: TokenID, length: Int) {
            guard let id = tokenizer.tokenID(name) else {
                throw TokenizationError(
                    .unsupported,
                    place: place,
                    "the vocabulary has no \(name), which the chat format \(format.rawValue) needs"
                )
            }
            return (id, name.utf8.count)
        }
        func marker(_ id: TokenID?, else name: String) throws -> (id: TokenID, length: Int) {
            guard let id, let text = tokenizer.token(id) else { return try marker(name) }
            return (id, text.utf8.count)
        }
        switch format {
        case .chatML, .llama3:
            markers = try format.markers.map { try marker($0) }
            endTokens = [markers[markers.count - 1].id]
        case .zephyr:
            markers = [try marker(tokenizer.eosTokenID, else: "</s>")]
            endTokens = [markers[0].id]
        case .llama2, .mistral:
            markers = [
                try marker(tokenizer.bosTokenID, else: "<s>"), try marker(tokenizer.eosTokenID, else: "</s>"),
            ]
            endTokens = [markers[1].id]
        }
        self.format = format
        self.tokenizer = tokenizer
        var named: [String: (id: TokenID, length: Int)] = [:]
        var spelled: [String] = []
        let added = tokenizer.model.rawTokens.tokens + tokenizer.model.normalizedTokens.tokens
        for mark in format.marksAnywhere {
            // In Llama 2's format the marks are text whatever the vocabulary says.
            if format != .llama2, let token = added.first(where: { $0.content == Array(mark.utf8) }) {
                named[mark] = (token.id, mark.utf8.count)
            } else {
                spelled.append(mark)
            }
        }
        namedMarks = named
        textMarks = spelled
        let skeleton = template.map(TemplateSkeleton.init)
        let isOwn = skeleton.map { format.isUsed(by: $0) } ?? false
        defaultSystem = isOwn && format == .chatML ? template.flatMap(Self.defaultSystem) : nil
        preamble = isOwn && format == .llama3 ? template.flatMap(Self.datePreamble) : nil
        thinking = isOwn && format == .chatML ? skeleton.flatMap(ThinkingLayout.init) : nil
        instruct =
            (isOwn ? skeleton.flatMap(InstructLayout.init) : nil) ?? (spelled.isEmpty ? .ofTokens : .ofText)
    }

    /// The same template, with thoughts that are over already at the beginning of the turn to be generated.
    ///
    /// - Throws: `TokenizationError` where the model's template has no such switch (Qwen3 has one).
    public func withoutThinking() throws -> ChatTemplate {
        guard thinking?.canBeSkipped == true else {
            throw TokenizationError(
                .unsupported,
                place: "chat",
                "the model's chat template has no switch for answers without thoughts (enable_thinking)"
            )
        }
        var copy = self
        copy.skipsThinking = true
        return copy
    }

    private static func recognise(_ template: String?, _ tokenizer: Tokenizer, place: String) throws -> ChatFormat {
        let cure = "name one with --chat-format: \(ChatFormat.names)"
        if let template {
            let skeleton = TemplateSkeleton(template)
            let formats = ChatFormat.allCases.filter { $0.isUsed(by: skeleton) }
            guard formats.count == 1 else {
                throw TokenizationError(
                    .unsupported,
                    place: place,
                    "the model's chat template is none of those that are known; if it is laid out like one, \(cure)"
                )
            }
            return formats[0]
        }
        for format in [ChatFormat.chatML, .llama3] {
            let ids = format.markers.map { tokenizer.tokenID($0) }
            if ids.allSatisfy({ $0.map(tokenizer.isSpecial) ?? false }) { return format }
        }
        throw TokenizationError(
            .unsupported,
            place: place,
            "the model has no chat template and no special tokens of a known one; \(cure)"
        )
    }

    /// The literal system turn of a ChatML template: Qwen's and SmolLM2's stand in it in one piece.
    private static func defaultSystem(_ template: String) -> String? {
        for lineFeed in ["\\n", "\n"] {
            var rest = template[...]
            while let start = rest.range(of: "<|im_start|>system\(lineFeed)") {
                rest = rest[start.upperBound...]
                guard let end = rest.range(of: "<|im_end|>") else { break }
                let text = rest[..<end.lowerBound]
                // Where the literal ends before the marker, the text is put together from variables.
                if !text.isEmpty, !text.contains("'"), !text.contains("\""), !text.contains("{") {
                    return text.replacingOccurrences(of: "\\n", with: "\n")
                }
            }
        }
        return nil
    }

    /// The dates that Llama 3.1 and later put before the system message.
    ///
    /// The template's own date is used, not today's:
    /// the same conversation shall give the same tokens.
    private static func datePreamble(_ template: String) -> String? {
        guard template.contains("Cutting Knowledge Date: December 2023") else { return nil }
        var date = "26 Jul 2024"
        if let start = template.range(of: "date_string = \""),
            let end = template.range(of: "\"", range: start.upperBound..<template.endIndex)
        {
            date = String(template[start.upperBound..<end.lowerBound])
        }
        return "Cutting Knowledge Date: December 2023\nToday Date: \(date)\n\n"
    }
}

extension Tokenizer {
    /// The `chat_template` of `tokenizer_config.json`, the one named "default" where there are several.
    var chatTemplateText: String? {
        guard let configuration, let root = try? JSONNode.parse(configuration), let node = root["chat_template"] else {
            return nil
        }
        if let text = node.string { return text }
        return node.array?.first { $0["name"]?.string == "default" }?["template"]?.string
    }
}
