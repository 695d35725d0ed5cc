public import Reasoning
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

    /// Creates a codec.
    ///
    /// - Throws: ``DistillationError`` when the tokenizer has no end-of-text token.
    public init(_ tokenizer: Tokenizer) throws {
        guard let end = tokenizer.eosTokenID else {
            throw DistillationError("the student's tokenizer names no end-of-text token (eos_token)")
        }
        self.tokenizer = tokenizer
        endOfText = end
    }

    /// The tokens of a question in a format, ready to be continued: with a start token where the tokenizer puts one.
    public func prompt(_ format: StudentFormat, question: String) -> [TokenID] {
        tokenizer.encodePrompt(format.prompt(question: question))
    }

    /// The tokens of the prompt that asks for a correction of an attempt.
    public func correctionPrompt(question: String, attempt: [String]) -> [TokenID] {
        tokenizer.encodePrompt(StudentFormat.correctionPrompt(question: question, attempt: attempt))
    }

    /// The tokens of a response, with the end-of-text token.
    public func response(_ text: String) -> [TokenID] { tokenizer.encode(text) + [endOfText] }

    /// An example whose loss counts every token of the response and none of the prompt.
    public func supervised(prompt: [TokenID], response: String) -> SupervisedExample {
        SupervisedExample(prompt: prompt, response: self.response(response))
    }
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
