import ArgumentParser
import Foundation
import LanguageModel
import ModelFiles
import Tokenization

/// `errata models render`.
struct ModelsRenderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render",
        abstract: "Print conversations as a model sees them.",
        discussion: """
            Each conversation is a JSON object with "messages" and whatever else transformers' apply_chat_template takes: \
            "tools", "documents", "add_generation_prompt", "continue_final_message", "chat_template", and values that the \
            template reads by name, such as "enable_thinking". The file holds one object, or one a line; with several, each \
            output is one line of JSON.

            --ids shows the tokens, and --labels which of them a training on conversations learns: as transformers lays \
            labels out, with -100 for a token that is not learned.
            """
    )

    @OptionGroup var models: ModelStoreOptions

    @Argument(help: "A name, a hash, a folder, a GGUF file, or a file with a chat template (Jinja).")
    var model: String

    @Option(help: "The conversations: a JSON file, JSON lines, or - for standard input.")
    var messages: String

    @Flag(help: "Print the ids of the tokens, as a JSON array, in place of the text.")
    var ids = false

    @Flag(help: "Print the ids of the tokens that the assistant's turns are learned by, and -100 for each other token.")
    var labels = false

    func validate() throws {
        if ids, labels { throw ValidationError("--ids and --labels exclude each other; give one") }
    }

    func run() throws {
        let requests = try Self.requests(in: messages)
        let path = URL(fileURLWithPath: model)
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path.path, isDirectory: &isFolder)
        let template: ChatTemplate
        var tokenizer: Tokenizer?
        if exists, !isFolder.boolValue, !GGUFFile.isNamed(path) {
            guard !ids, !labels else {
                throw CLIError(
                    "\(model) is a template without a tokenizer; for \(ids ? "--ids" : "--labels") name a model"
                )
            }
            template = try ChatTemplate(source: Self.text(of: path), place: model)
        } else {
            let source = try ModelSource(models.model(model))
            defer { source.close() }
            let own = try Tokenizer(folder: source.folder)
            tokenizer = own
            // A request that brings its template needs none of the model's.
            template =
                requests.allSatisfy { $0.template?.contains("{") ?? false }
                ? try ChatTemplate(source: "", specialTokens: own.specialTokens, place: model)
                : try ChatTemplate(folder: source.folder, tokenizer: own)
        }
        for request in requests {
            if labels, let tokenizer {
                Terminal.out(Self.list(try Self.labels(of: request, template: template, tokenizer: tokenizer)))
                continue
            }
            let rendered = try template.render(request)
            if ids, let tokenizer {
                Terminal.out(Self.list(tokenizer.encode(rendered.text)))
            } else if requests.count > 1 {
                Terminal.out(JSONNode.quoted(rendered.text))
            } else {
                try FileHandle.standardOutput.write(contentsOf: Data(rendered.text.utf8))
            }
        }
    }

    /// The label of a token that is not learned; PyTorch's default for what cross-entropy leaves out.
    private static let ignoredLabel: TokenID = -100

    private static func labels(
        of request: ConversationRequest,
        template: ChatTemplate,
        tokenizer: Tokenizer
    ) throws -> [TokenID] {
        guard !request.addGenerationPrompt, request.continuedField == nil else {
            throw CLIError(
                "--labels is about whole conversations; leave \"add_generation_prompt\" and \"continue_final_message\" out"
            )
        }
        let encoder = ChatEncoder(template: try template.choosing(request.template), tokenizer: tokenizer)
        let tokens = try encoder.layout(request.conversation)
        return zip(tokens.ids, tokens.isAssistant).map { $1 ? $0 : ignoredLabel }
    }

    private static func list(_ ids: [TokenID]) -> String {
        "[\(ids.map(String.init).joined(separator: ", "))]"
    }

    private static func text(of file: URL) throws -> String {
        guard let text = String(validating: try ModelFolder.read(file, limit: 4 << 20), as: UTF8.self) else {
            throw CLIError("\(file.path) is not UTF-8; give a chat template (Jinja), a model folder, or a .gguf file")
        }
        return text
    }

    /// The requests of a file: one JSON value, or one a line.
    static func requests(in file: String) throws -> [ConversationRequest] {
        let data = try InputFile.read(file)
        let place = InputFile.place(file)
        if let whole = try? JSONNode.parse(data) { return [try ConversationRequest(whole, place: place)] }
        var requests: [ConversationRequest] = []
        for (index, line) in data.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
            do {
                requests.append(try ConversationRequest(JSONNode.parse(line), place: "\(place):\(index + 1)"))
            } catch let error as JSONSyntaxError {
                throw CLIError("\(place):\(index + 1): \(error.description); give a JSON object, or one a line")
            }
        }
        guard !requests.isEmpty else {
            throw CLIError("\(place) has no conversation; give a JSON object with \"messages\"")
        }
        return requests
    }
}
