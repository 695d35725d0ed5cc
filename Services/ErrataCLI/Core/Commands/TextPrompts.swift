import Foundation
import LanguageModel
import ModelFiles
import Tokenization
import Training

/// What `errata generate` continues, in tokens.
struct TextPrompts {
    /// One prompt.
    struct Prompt {
        var tokens: [TokenID]
        /// Whether it is a conversation, which the chat format's end tokens end.
        var isChat: Bool
        /// The line that it stands in, from 1, and its name there; nil where it comes from no file.
        var line: Int?
        var id: String?
    }

    private(set) var prompts: [Prompt] = []
    /// The tokens that end the assistant's turn.
    private(set) var endTokens: [TokenID] = []
    /// What the prompts were read from, for messages.
    private let place: String?

    /// Reads and encodes the prompts that the options name.
    init(folder: URL, tokenizer: Tokenizer, options: TextOptions) throws {
        let thinking = options.noThinking ? ["enable_thinking"] : []
        let chat = Result { try options.chat.encoder(folder: folder, tokenizer: tokenizer, needs: thinking) }
        endTokens = (try? chat.get().endTokens) ?? []
        let system = options.system.map { [ChatMessage("system", $0)] } ?? []
        func opened(_ conversation: Conversation) throws -> [TokenID] {
            var conversation = conversation.adding(try options.chat.arguments())
            for name in thinking { conversation = conversation.setting(name, .bool(false)) }
            return try chat.get().encode(conversation, addGenerationPrompt: true)
        }
        func question(_ text: String) -> Conversation { Conversation(system + [ChatMessage("user", text)]) }
        guard let file = options.prompts else {
            place = nil
            let text = try options.prompt ?? Self.standardInput()
            let tokens = options.isChat ? try opened(question(text)) : tokenizer.encodePrompt(text)
            prompts = [Prompt(tokens: tokens, isChat: options.isChat)]
            return
        }
        place = file == "-" ? "standard input" : file
        for (index, line) in try Self.content(file).split(separator: 0x0A, omittingEmptySubsequences: false)
            .enumerated()
        {
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
            func failure(_ reason: String) -> CLIError { CLIError("\(place ?? ""):\(index + 1): \(reason)") }
            do {
                let row = try TrainingRow(line, number: index + 1)
                var prompt = Prompt(tokens: [], isChat: true, line: index + 1, id: row.id)
                guard row.has("prompt") != row.has("messages") else {
                    throw failure("has \(row.keys); give \"prompt\" or \"messages\", and one of them only")
                }
                switch try row.content(row.has("prompt") ? "prompt" : "messages") {
                case .text where row.has("messages"):
                    throw failure("\"messages\" is a text; it must be a list of messages")
                case .text(let text) where options.isChat:
                    prompt.tokens = try opened(row.conversation(question(text).messages))
                case .text(let text):
                    if let option = options.chatOnly.first ?? row.conversationFields.first.map({ "\"\($0)\"" }) {
                        throw failure("\"prompt\" is a text, on which \(option) has no effect; give --chat as well")
                    }
                    prompt.tokens = tokenizer.encodePrompt(text)
                    prompt.isChat = false
                case .messages(let messages):
                    if !system.isEmpty, messages.first?.role == "system" {
                        throw failure("has a system message already; leave --system out")
                    }
                    guard messages.last?.role != "assistant" else {
                        throw failure("the last message is the assistant's already; end with the user's")
                    }
                    prompt.tokens = try opened(row.conversation(system + messages))
                }
                prompts.append(prompt)
            } catch let error as TrainingLineError {
                throw failure(error.reason)
            } catch let error as TokenizationError where (try? chat.get()) != nil {
                throw failure(error.message)
            }
        }
        guard !prompts.isEmpty else { throw CLIError("\(place ?? file) has no prompt; give JSON lines") }
    }

    /// Checks that the model can continue every prompt, before its weights are read.
    func check(_ configuration: ModelConfiguration, folder: URL) throws {
        for prompt in prompts {
            let name = prompt.line.map { "\(place ?? ""):\($0): the prompt" } ?? "the prompt"
            guard let last = prompt.tokens.max() else {
                throw CLIError(
                    prompt.line == nil
                        ? "the prompt is empty; give --prompt or text on standard input"
                        : "\(name) is empty; give it a text"
                )
            }
            guard Int(last) < configuration.vocabularySize else {
                throw CLIError(
                    "\(folder.path): the tokenizer has more tokens than the model; they do not belong together"
                )
            }
            guard prompt.tokens.count < configuration.maximumPositions else {
                throw CLIError(
                    "\(name) has \(prompt.tokens.count) tokens, the model was made for "
                        + "\(configuration.maximumPositions); shorten it"
                )
            }
        }
    }

    private static func content(_ file: String) throws -> Data {
        do {
            var data =
                file == "-"
                ? try FileHandle.standardInput.readToEnd() ?? Data()
                : try Data(contentsOf: URL(fileURLWithPath: file))
            if data.starts(with: [0xEF, 0xBB, 0xBF]) { data = Data(data.dropFirst(3)) }
            return data
        } catch {
            throw CLIError("\(file) cannot be read: \(error.localizedDescription)")
        }
    }

    /// All of standard input, without the line feed that a shell puts at its end.
    private static func standardInput() throws -> String {
        guard isatty(STDIN_FILENO) == 0 else {
            throw CLIError("there is no prompt; give --prompt TEXT, --prompts FILE, or the text on standard input")
        }
        var data = try FileHandle.standardInput.readToEnd() ?? Data()
        if data.last == 0x0A { data.removeLast() }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw CLIError("standard input is not valid UTF-8; convert it first")
        }
        return text
    }
}
