public import Foundation
import ModelFiles
import TemplateEngine

/// The chat template of a model: a Jinja program that lays a conversation out as the text that the model was trained on.
///
/// It is run as `transformers` runs it, bounded in steps, depth and output, and sees nothing but its values. What it
/// refuses (`raise_exception`) is an error with its words.
public struct ChatTemplate: Sendable {
    /// What a template made of a conversation.
    public struct Rendering: Sendable, Equatable {
        /// The text that the model will see.
        public var text: String
        /// The UTF-8 bytes of `text` that the template itself marks as the assistant's (`{% generation %}`).
        public var generationSpans: [Range<Int>]
    }

    private var program: TemplateProgram
    /// The templates that a model has under names, `default` and `tool_use` among them.
    private var named: [String: TemplateProgram]
    private var sources: [String: String]
    /// The default template's source.
    public private(set) var source: String
    private let specialTokens: [Conversation.Argument]
    private let place: String

    /// A template from its source.
    ///
    /// - Parameters:
    ///   - source: Jinja.
    ///   - specialTokens: What the template finds under `bos_token`, `eos_token` and the like; see
    ///     ``Tokenizer/specialTokens``.
    ///   - place: Names the template in errors.
    /// - Throws: `TokenizationError` when the source is not valid.
    public init(
        source: String,
        specialTokens: [(name: String, text: String)] = [],
        place: String = "chat template"
    ) throws {
        try self.init(sources: ["default": source], specialTokens: Self.arguments(specialTokens), place: place)
    }

    /// The template of a model folder: `chat_template.jinja`, or the `chat_template` of `tokenizer_config.json`.
    ///
    /// - Parameters:
    ///   - folder: The model folder.
    ///   - tokenizer: The folder's tokenizer, whose special tokens the template sees.
    ///   - file: A template to use instead of the folder's; nil uses the folder's.
    /// - Throws: `TokenizationError` when there is none, it cannot be read, or it is not valid.
    public init(folder: URL, tokenizer: Tokenizer, file: URL? = nil) throws {
        let own = folder.appendingPathComponent(ModelFolder.chatTemplateFile)
        var sources: [String: String] = [:]
        var place = folder.path
        if let file = file ?? (FileManager.default.fileExists(atPath: own.path) ? own : nil) {
            sources["default"] = try Self.read(file)
            place = file.path
        } else {
            sources = try tokenizer.chatTemplates(place: folder.path)
        }
        guard !sources.isEmpty else {
            throw TokenizationError(
                .unsupported,
                place: folder.path,
                "the model has no chat template (neither \(ModelFolder.chatTemplateFile) nor chat_template in "
                    + "\(ModelFolder.tokenizerConfigurationFile)); give one with --chat-template FILE"
            )
        }
        try self.init(sources: sources, specialTokens: Self.arguments(tokenizer.specialTokens), place: place)
    }

    private init(sources: [String: String], specialTokens: [Conversation.Argument], place: String) throws {
        var named: [String: TemplateProgram] = [:]
        for (name, source) in sources { named[name] = try Self.compile(source, place: place) }
        self.named = named
        let name = sources["default"] == nil && sources.count == 1 ? sources.keys.first ?? "default" : "default"
        guard let program = named[name], let source = sources[name] else {
            throw TokenizationError(
                .unsupported,
                place: place,
                "has the chat templates \(named.keys.sorted().joined(separator: ", ")), but no default one; give one with "
                    + "--chat-template FILE"
            )
        }
        self.program = program
        self.sources = sources
        self.source = source
        self.specialTokens = specialTokens
        self.place = place
    }

    /// The same with one template for all conversations: one of the model's by its name, or one given as Jinja.
    ///
    /// - Parameter choice: The name or the source; nil leaves the choice to the model.
    /// - Returns: The template that lays out every conversation alike, tools or not.
    /// - Throws: `TokenizationError` when the source is not valid.
    package func choosing(_ choice: String?) throws(TokenizationError) -> ChatTemplate {
        guard let choice else { return self }
        var result = self
        if let known = named[choice] {
            result.program = known
        } else {
            result.program = try Self.compile(choice, place: "chat_template")
        }
        result.source = sources[choice] ?? choice
        result.named = ["default": result.program]
        result.sources = ["default": result.source]
        return result
    }

    private static func arguments(_ tokens: [(name: String, text: String)]) -> [Conversation.Argument] {
        tokens.map { Conversation.Argument($0.name, .string(Array($0.text.utf8))) }
    }

    private static func read(_ file: URL) throws -> String {
        do {
            let data = try ModelFolder.read(file, limit: 4 << 20)
            guard let text = String(validating: data, as: UTF8.self) else {
                throw TokenizationError(.malformed, place: file.path, "is not UTF-8")
            }
            return text
        } catch let error as ModelFileError {
            throw TokenizationError(.inaccessible, place: error.place, error.message)
        }
    }

    private static func compile(_ source: String, place: String) throws(TokenizationError) -> TemplateProgram {
        do {
            return try TemplateProgram(source: source, name: place)
        } catch {
            throw TokenizationError(
                .malformed,
                place: place,
                "the chat template cannot be read: \(whereAndWhat(error))"
            )
        }
    }

    /// Whether the template's source mentions a name; a value that it does not mention changes nothing.
    package func mentions(_ name: String) -> Bool {
        func isPartOfName(_ byte: UInt8) -> Bool {
            byte == 0x5F || byte >= 0x80 || (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte)
        }
        let wanted = Array(name.utf8)
        return sources.values.contains { source in
            source.utf8.split(whereSeparator: { !isPartOfName($0) }).contains { $0.elementsEqual(wanted) }
        }
    }

    /// What a conversation holds beside its texts that the template never reads; nil where there is nothing of the kind.
    ///
    /// `transformers` passes over such fields without a word, and a model is then trained on less than the data says: to
    /// think nothing, or to end where it should call a tool.
    package func unread(in conversation: Conversation) -> String? {
        if conversation.tools != nil, !mentions("tools") { return "\"tools\"" }
        if let argument = conversation.arguments.first(where: { !mentions($0.name) }) {
            return "\"chat_template_kwargs\" with \"\(argument.name)\""
        }
        func has(_ field: String) -> Bool { conversation.messages.contains { $0.fields[field] != nil } }
        if has("tool_calls"), !mentions("tool_calls") { return "\"tool_calls\"" }
        if has(ChatMessage.thoughtNames[0]), !ChatMessage.thoughtNames.contains(where: mentions) {
            return "thoughts (" + ChatMessage.thoughtNames.map { "\"\($0)\"" }.joined(separator: ", ") + ")"
        }
        return nil
    }

    // MARK: Rendering

    /// The text of a conversation.
    ///
    /// - Parameters:
    ///   - conversation: What is laid out.
    ///   - addGenerationPrompt: Whether the assistant's next turn is opened.
    ///   - date: The moment that the template sees as now.
    /// - Returns: The text, and what the template itself marks in it as the assistant's.
    /// - Throws: `TokenizationError` when there is no turn, or the template refuses or fails; with the template's words.
    public func render(
        _ conversation: Conversation,
        addGenerationPrompt: Bool = false,
        date: Date = Date()
    ) throws(TokenizationError) -> Rendering {
        let program = conversation.tools == nil ? program : named["tool_use"] ?? program
        return try run(program, conversation, addGenerationPrompt: addGenerationPrompt, date: date)
    }

    /// The text of a request.
    ///
    /// - Throws: `TokenizationError` as ``render(_:addGenerationPrompt:date:)`` does, and where a message cannot be
    ///   continued.
    package func render(_ request: ConversationRequest, date: Date = Date()) throws(TokenizationError) -> Rendering {
        let template = try choosing(request.template)
        guard let field = request.continuedField else {
            return try template.render(
                request.conversation,
                addGenerationPrompt: request.addGenerationPrompt,
                date: date
            )
        }
        let (conversation, text) = try request.conversation.markingEnd(of: field, mark: Self.endMark)
        var rendering = try template.render(conversation, date: date)
        let trimmed = Substring(text).strippingWhitespace()
        guard rendering.text.containsBytes(trimmed),
            let end = rendering.text.lastIndex(ofBytes: Self.endMark.strippingWhitespace())
        else {
            throw failure("the last message does not appear in the text as it is, so that it cannot be continued")
        }
        var cut = String(rendering.text.utf8.prefix(end)) ?? rendering.text
        // A template that strips its messages lost the mark's space, and the message's own with it.
        if !rendering.text.utf8.dropFirst(end).starts(with: Self.endMark.utf8) { cut = cut.strippingWhitespaceAtEnd() }
        rendering.text = cut
        rendering.generationSpans = rendering.generationSpans.compactMap {
            $0.lowerBound < end ? $0.lowerBound..<min($0.upperBound, cut.utf8.count) : nil
        }
        return rendering
    }

    /// Stands at the end of a message that is to be continued; the space shows whether the template strips messages.
    private static let endMark = "ERRATA-CONTINUES-HERE "

    private func run(
        _ program: TemplateProgram,
        _ conversation: Conversation,
        addGenerationPrompt: Bool,
        date: Date
    ) throws(TokenizationError) -> Rendering {
        guard !conversation.messages.isEmpty else { throw failure("the conversation is empty; it needs a message") }
        var variables = TemplateVariables()
        for argument in specialTokens + conversation.arguments { variables[argument.name] = argument.value }
        variables["messages"] = .array(conversation.messages.map(\.fields))
        variables["tools"] = conversation.tools ?? .null
        variables["documents"] = conversation.documents ?? .null
        variables["add_generation_prompt"] = .bool(addGenerationPrompt)
        do {
            let result = try program.render(variables, at: TemplateMoment(date))
            return Rendering(text: result.text, generationSpans: result.generationSpans)
        } catch let error as TemplateError where error.code == .raised {
            throw failure("the chat template refuses the conversation: \(error.message)")
        } catch {
            throw failure("the chat template fails: \(Self.whereAndWhat(error))")
        }
    }

    private func failure(_ message: String) -> TokenizationError {
        TokenizationError(.malformed, place: place, message)
    }

    /// The line of the template, where one is to blame, and the fault.
    private static func whereAndWhat(_ error: any Error) -> String {
        guard let error = error as? TemplateError else { return "\(error)" }
        return error.line.map { "line \($0): \(error.message)" } ?? error.message
    }
}
