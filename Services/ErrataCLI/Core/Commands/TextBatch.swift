import Foundation
import LanguageModel
import Tokenization

/// Makes several texts at a time and prints them as JSON lines, in the prompts' order.
struct TextBatch {
    let model: CausalLanguageModel
    let tokenizer: Tokenizer
    let options: TextOptions

    /// One line of output.
    private struct Line: Encodable {
        var line: Int?
        var id: String?
        var sample: Int
        var text: String
        var finishReason: String
        var promptTokens: Int
        var completionTokens: Int
        var logprob: Double

        enum CodingKeys: String, CodingKey {
            case line, id, sample, text, logprob
            case finishReason = "finish_reason"
            case promptTokens = "prompt_tokens"
            case completionTokens = "completion_tokens"
        }
    }

    /// A text to make.
    private struct Work {
        let prompt: TextPrompts.Prompt
        let sample: Int
    }

    /// What must be alike for texts to be made at a time.
    private struct Group: Hashable {
        let limit: Int
        let stopTokens: [TokenID]
    }

    /// Makes `--samples` texts a prompt.
    ///
    /// - Parameters:
    ///   - prompts: What to continue.
    ///   - parameters: Of each prompt: one that is long leaves less room than the others have.
    ///   - output: Gets each line as soon as those before it are made.
    /// - Throws: what the model or `output` throws.
    func run(
        _ prompts: [TextPrompts.Prompt],
        parameters: [GenerationParameters],
        output: @escaping (String) throws -> Void
    ) throws {
        let samples = options.samples ?? 1
        let work = prompts.flatMap { prompt in (0..<samples).map { Work(prompt: prompt, sample: $0) } }
        var groups: [(group: Group, members: [Int])] = []
        var positions: [Group: Int] = [:]
        for index in work.indices {
            let own = parameters[index / samples]
            let group = Group(limit: own.maximumNewTokens, stopTokens: own.stopTokens)
            if let position = positions[group] {
                groups[position].members.append(index)
            } else {
                positions[group] = groups.count
                groups.append((group, [index]))
            }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var finished: [Int: String] = [:]
        var next = 0
        for (_, members) in groups {
            var common = parameters[members[0] / samples]
            common.stopStrings = options.stop
            _ = try model.generate(
                prompts: members.map { work[$0].prompt.tokens },
                parameters: common,
                batchSize: options.batchSize ?? 16,
                streams: members.map { UInt64($0) },
                decode: options.stop.isEmpty ? nil : { tokenizer.decode($0) },
                onFinish: { member, generation in
                    let index = members[member]
                    finished[index] = String(decoding: try encoder.encode(line(work[index], generation)), as: UTF8.self)
                    while let line = finished.removeValue(forKey: next) {
                        try output(line)
                        next += 1
                    }
                }
            )
        }
    }

    private func line(_ work: Work, _ generation: Generation) -> Line {
        var stream = TextStream(tokenizer, continuing: work.prompt.tokens, stopStrings: options.stop)
        var text = ""
        for token in generation.tokens { text += stream.append(token) }
        text += stream.finish()
        return Line(
            line: work.prompt.line,
            id: work.prompt.id,
            sample: work.sample,
            text: text,
            finishReason: generation.finishReason.rawValue,
            promptTokens: work.prompt.tokens.count,
            completionTokens: generation.tokens.count,
            logprob: generation.logProbabilities.reduce(0) { $0 + Double($1) }
        )
    }
}
