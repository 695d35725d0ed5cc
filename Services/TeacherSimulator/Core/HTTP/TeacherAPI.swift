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

    /// What is answered to a request.
    struct Reply: Sendable {
        let id: String
        let texts: [(text: String, finishReason: String)]
        let usage: CompletionAnswer.Usage
    }

    /// The reply to a request; the same request has the same one.
    func reply(to request: ChatCompletionRequest) -> Reply {
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
        return Reply(
            id: "chatcmpl-\(StableHash.hexadecimal(of: asked))",
            texts: texts,
            usage: CompletionAnswer.Usage(promptTokens: promptTokens, completionTokens: completionTokens)
        )
    }

    /// The completion of a request that came at `created`, in seconds since 1970, in one piece.
    func complete(_ request: ChatCompletionRequest, created: Int) -> CompletionAnswer.Whole {
        let reply = reply(to: request)
        return CompletionAnswer.Whole(
            id: reply.id,
            isChat: true,
            created: created,
            model: Self.model,
            texts: reply.texts,
            usage: reply.usage
        )
    }
}
