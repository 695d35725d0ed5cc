public import Foundation
public import Reasoning
public import Schemas
public import Tokenization
public import Training

/// Turns questions and responses into a student's tokens, the same way in training, key-step location and evaluation.
///
/// Prompt and response are encoded apart, so that the tokens of a response do not depend on its prompt; a response ends
/// with the end-of-text token.
public struct StudentCodec: Sendable {
    /// The student's tokenizer.
    public let tokenizer: Tokenizer
    /// Ends every response.
    public let endOfText: TokenID
    /// What ends an answer: the end-of-text token, and that of the chat template's turns where the student is asked by it.
    public let stopTokens: [TokenID]

    private let prompting: StudentPrompting

    /// A solved problem that is shown before a question.
    public struct Shot: Sendable, Hashable {
        /// The question.
        public var question: String
        /// The response, as ``Reasoning/StudentFormat`` writes it.
        public var response: String

        /// Makes a solved problem.
        public init(question: String, response: String) {
            self.question = question
            self.response = response
        }
    }

    /// Creates a codec of the short form.
    ///
    /// - Throws: ``DistillationError`` when the tokenizer has no end-of-text token.
    public init(_ tokenizer: Tokenizer) throws { try self.init(tokenizer, .short) }

    /// Creates a codec for a student's folder, in the form that a run asks for.
    ///
    /// - Throws: ``DistillationError`` when the tokenizer has no end-of-text token or the form is unknown, and
    ///   `TokenizationError` when the folder has no tokenizer or no chat template where one is asked for.
    public init(folder: URL, prompt: RunPrompt? = nil) throws {
        let tokenizer = try Tokenizer(folder: folder)
        try self.init(tokenizer, try StudentPrompting(prompt, folder: folder, tokenizer: tokenizer))
    }

    private init(_ tokenizer: Tokenizer, _ prompting: StudentPrompting) throws {
        guard let end = tokenizer.eosTokenID else {
            throw DistillationError("the student's tokenizer names no end-of-text token (eos_token)")
        }
        self.tokenizer = tokenizer
        self.prompting = prompting
        endOfText = end
        stopTokens = [end] + prompting.stopTokens.filter { $0 != end }
    }

    /// The tokens of a question in a format, ready to be continued: with a start token where the tokenizer puts one.
    ///
    /// Arguments:
    ///   - shots: solved problems that are shown before it.
    /// - Throws: the chat template's error, when it refuses the question.
    public func prompt(_ format: StudentFormat, question: String, shots: [Shot] = []) throws -> [TokenID] {
        try prompting.prompt(format, question: question, shots: shots, tokenizer: tokenizer)
    }

    /// The tokens of the prompt that asks for a correction of an attempt.
    ///
    /// - Throws: the chat template's error, when it refuses the question.
    public func correctionPrompt(question: String, attempt: [String]) throws -> [TokenID] {
        try prompting.correctionPrompt(question: question, attempt: attempt, tokenizer: tokenizer)
    }

    /// A response as the student writes it in its form: what ``Reasoning/StudentFormat`` gives begins with a blank, which
    /// only the short form has.
    public func written(_ text: String) -> String {
        prompting.isBare ? StudentFormat.bare(text) : text
    }

    /// The name of a pair's form in key-step events: the format and whether a blank stands before it.
    public func keyStepFormat(_ format: StudentFormat) -> String {
        KeyStepsEvent.format(template: format == .hierarchicalThought, bare: prompting.isBare)
    }

    /// The tokens of a response, with the end-of-text token.
    public func response(_ text: String) -> [TokenID] { tokenizer.encode(written(text)) + [endOfText] }

    /// An example whose loss counts every token of the response and none of the prompt.
    public func supervised(prompt: [TokenID], response: String) -> SupervisedExample {
        SupervisedExample(prompt: prompt, response: self.response(response))
    }
}

extension StudentFormat {
    /// The format of a run's word for what a student writes: `chain` or `template`.
    public init(answers: String) { self = answers == "template" ? .hierarchicalThought : .chainOfThought }

    /// The word.
    public var answers: String { self == .hierarchicalThought ? "template" : "chain" }
}

/// Why a student cannot be made, trained or asked.
public struct DistillationError: Error, Sendable, CustomStringConvertible {
    /// The whole in a sentence, safe to log.
    public let description: String

    /// Creates an error from a sentence that names the place and the cure.
    public init(_ description: String) {
        self.description = description
    }
}
