import CompletionAPI
import Foundation
import PracticeDomain
import Reasoning

/// Answers chat-completion requests out of a simulated teacher, without any I/O.
///
/// The answer depends on the teacher's seed and on the request's messages, temperature and seed alone.
struct TeacherAPI: Sendable {
    /// The name that answers carry, whatever model was asked for.
    static let model = SimulatedTeacher.model

    let teacher: SimulatedTeacher

    /// The completion of a request that came at `created`, in seconds since 1970.
    func complete(_ request: ChatCompletionRequest, created: Int) -> CompletionAnswer.Whole {
        let text = SimulatedTeacher.transcript(request.messages)
        let promptTokens = SimulatedTeacher.promptTokens(request.messages)
        var completionTokens = 0
        let texts = (0..<request.choices).map { index in
            let answer = teacher.completion(
                of: request.messages,
                temperature: request.temperature,
                seed: request.seed,
                choice: index,
                maximumTokens: request.maximumTokens
            )
            completionTokens += answer.tokens
            return (text: answer.text, finishReason: answer.isWhole ? "stop" : "length")
        }
        let asked = "\(request.seed) \(request.temperature) \(request.choices)\n\(text)"
        return CompletionAnswer.Whole(
            id: "chatcmpl-\(StableHash.hexadecimal(of: asked))",
            isChat: true,
            created: created,
            model: Self.model,
            texts: texts,
            usage: CompletionAnswer.Usage(promptTokens: promptTokens, completionTokens: completionTokens)
        )
    }
}
