import Foundation
import Reasoning
import TeacherSimulation

/// Answers chat-completion requests out of a simulated teacher, without any I/O.
///
/// The answer depends on the teacher's seed and on the request's messages, temperature and seed alone.
struct TeacherAPI: Sendable {
    /// The name that answers carry, whatever model was asked for.
    static let model = "errata-simulator"

    let teacher: SimulatedTeacher

    /// The completion of a request that came at `created`, in seconds since 1970.
    func complete(_ request: ChatCompletionRequest, created: Int) -> ChatCompletionResponse {
        let text = request.messages.map { "\($0.role)\n\($0.content)" }.joined(separator: "\n")
        let promptTokens = WordTokens.ranges(of: text).count
        var completionTokens = 0
        let choices = (0..<request.choices).map { index in
            let answer = teacher.reply(
                to: request.messages.map { (role: $0.role, content: $0.content) },
                temperature: request.temperature,
                sampleSeed: StableHash.value(of: "\(request.seed) \(index)\n\(text)")
            )
            let (content, count, isWhole) = Self.cut(answer, to: request.maximumTokens)
            completionTokens += count
            return ChatCompletionResponse.Choice(
                index: index,
                message: .init(content: content),
                finishReason: isWhole ? "stop" : "length"
            )
        }
        let asked = "\(request.seed) \(request.temperature) \(request.choices)\n\(text)"
        return ChatCompletionResponse(
            id: "chatcmpl-\(StableHash.hexadecimal(of: asked))",
            created: created,
            model: Self.model,
            choices: choices,
            usage: .init(
                promptTokens: promptTokens,
                completionTokens: completionTokens,
                totalTokens: promptTokens + completionTokens
            )
        )
    }

    /// The first tokens of a text, their number, and whether they are all of it.
    ///
    /// Tokens are words, digits and marks.
    static func cut(_ text: String, to maximum: Int?) -> (text: String, tokens: Int, isWhole: Bool) {
        let ranges = WordTokens.ranges(of: text)
        guard let maximum, maximum < ranges.count else { return (text, ranges.count, true) }
        let end = maximum > 0 ? ranges[maximum - 1].upperBound : 0
        return (String(decoding: text.utf8.prefix(end), as: UTF8.self), maximum, false)
    }
}
