import Foundation
import Reasoning
import Schemas
import Tokenization

/// How a student is asked: in the form that a run's ``Schemas/RunPrompt`` names.
struct StudentPrompting: Sendable {
    /// The form.
    enum Style: Sendable {
        /// A few marks around the question, for students that are made from nothing.
        case short
        /// Instructions and question as plain text.
        case text
        /// By the student's own chat template; whether that knows a system message.
        case chat(ChatEncoder, hasSystem: Bool)
    }

    let style: Style
    /// In place of the built-in instructions of chains and templates.
    let system: String?

    static let short = StudentPrompting(style: .short, system: nil)

    /// Templates that show today's date see this one, the default of Llama 3's, so that a student is asked the same on
    /// every day.
    private static let date = Date(timeIntervalSince1970: 1_721_952_000)

    /// The form that a run asks for, of a student's folder.
    ///
    /// - Throws: ``DistillationError`` or the chat template's error, where the student cannot be asked in this form.
    init(_ prompt: RunPrompt?, folder: URL, tokenizer: Tokenizer) throws {
        system = prompt?.system
        switch prompt?.style ?? "short" {
        case "short": style = .short
        case "text": style = .text
        case "chat":
            let chat = ChatEncoder(
                template: try ChatTemplate(folder: folder, tokenizer: tokenizer),
                tokenizer: tokenizer,
                date: Self.date
            )
            let user = ChatMessage("user", "Question")
            let withSystem = Conversation([ChatMessage("system", "Instructions"), user])
            // Some templates refuse a system message, others leave it out without a word.
            let rendered = try? chat.template.render(withSystem, addGenerationPrompt: true, date: Self.date).text
            let hasSystem = rendered?.contains("Instructions") == true
            if !hasSystem { _ = try chat.encode(Conversation([user]), addGenerationPrompt: true) }
            style = .chat(chat, hasSystem: hasSystem)
        case let word: throw DistillationError("prompt.style is '\(word)'; known are short, text, chat")
        }
    }

    private init(style: Style, system: String?) {
        self.style = style
        self.system = system
    }

    /// The tokens that end an answer beside the end-of-text token.
    var stopTokens: [TokenID] {
        if case .chat(let chat, _) = style { chat.endTokens } else { [] }
    }

    /// Whether a response begins without the blank that stands before it in the short form.
    var isBare: Bool { if case .short = style { false } else { true } }

    // MARK: Prompts

    /// The tokens of a question, behind solved ones.
    func prompt(
        _ format: StudentFormat,
        question: String,
        shots: [StudentCodec.Shot],
        tokenizer: Tokenizer
    ) throws -> [TokenID] {
        switch style {
        case .short:
            let solved = shots.map { format.prompt(question: $0.question) + $0.response + "\n\n" }.joined()
            return tokenizer.encodePrompt(solved + format.prompt(question: question))
        case .text, .chat:
            let id: PromptID = format == .chainOfThought ? .studentChain : .hierarchicalThought
            let turns = try shots.map {
                (user: try user(id, ["question": $0.question]), assistant: $0.response.trimmed)
            }
            return try tokens(
                instructions: try system ?? instructions(id),
                turns: turns,
                user: try user(id, ["question": question]),
                tokenizer: tokenizer
            )
        }
    }

    /// The tokens that ask for a correction of an attempt.
    func correctionPrompt(question: String, attempt: [String], tokenizer: Tokenizer) throws -> [TokenID] {
        switch style {
        case .short:
            return tokenizer.encodePrompt(StudentFormat.correctionPrompt(question: question, attempt: attempt))
        case .text, .chat:
            let steps = attempt.enumerated().map { "\($0.offset + 1). \($0.element)" }.joined(separator: "\n")
            return try tokens(
                instructions: try instructions(.correction),
                turns: [],
                user: try user(.correction, ["question": question, "attempt": steps]),
                tokenizer: tokenizer
            )
        }
    }

    private func tokens(
        instructions: String,
        turns: [(user: String, assistant: String)],
        user: String,
        tokenizer: Tokenizer
    ) throws -> [TokenID] {
        guard case .chat(let chat, let hasSystem) = style else {
            func headed(_ user: String) -> String { user.hasPrefix("### ") ? user : "### Problem\n\(user)" }
            let solved = turns.map { "\(headed($0.user))\n### Response\n\($0.assistant)\n\n" }.joined()
            return tokenizer.encodePrompt("\(instructions)\n\n\(solved)\(headed(user))\n### Response\n")
        }
        var messages = hasSystem ? [ChatMessage("system", instructions)] : []
        for turn in turns { messages += [ChatMessage("user", turn.user), ChatMessage("assistant", turn.assistant)] }
        messages.append(ChatMessage("user", user))
        if !hasSystem, let first = messages.first {
            messages[0] = ChatMessage("user", "\(instructions)\n\n\(first.content ?? "")")
        }
        return try chat.encode(Conversation(messages), addGenerationPrompt: true)
    }

    /// The prompt's system message, without the line that only the simulated teacher reads.
    private func instructions(_ id: PromptID) throws -> String {
        let text = try PromptLibrary.shipped.prompt(id).sections.first { $0.role == "system" }?.content ?? ""
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.filter { !$0.hasPrefix("Task:") }.joined(separator: "\n").trimmed
    }

    private func user(_ id: PromptID, _ values: [String: String]) throws -> String {
        try PromptLibrary.shipped.prompt(id).messages(values).last { $0.role == "user" }?.content ?? ""
    }
}
