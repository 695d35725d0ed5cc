import Foundation
import LanguageModel
import TensorEngine
import Tokenization

/// Continues prompts with a model: streams one text, or prints several as JSON lines.
struct TextGeneration {
    let folder: URL
    let options: TextOptions
    let seed: UInt64

    private struct Stopped: Error {}

    func run() throws {
        try EngineSettings.check()
        let configuration = try ModelConfiguration(folder: folder)
        let tokenizer = try Tokenizer(folder: folder)
        let prompts = try TextPrompts(folder: folder, tokenizer: tokenizer, options: options)
        try prompts.check(configuration, folder: folder)
        let defaults = try GenerationConfiguration.load(folder: folder)
        func parameters(_ prompt: TextPrompts.Prompt) -> GenerationParameters {
            options.sampling.parameters(
                defaults: defaults,
                stopTokens: (prompt.isChat ? prompts.endTokens : []) + configuration.eosTokenIDs
                    + (defaults?.eosTokenIDs ?? []),
                room: configuration.maximumPositions - prompt.tokens.count,
                seed: seed
            )
        }
        let all = prompts.prompts.map(parameters)
        if (options.samples ?? 1) > 1, all.contains(where: { $0.temperature == 0 }) {
            throw CLIError(
                "the model takes the likeliest token unless told otherwise, so that --samples would all be the same; "
                    + "give --temperature"
            )
        }
        let model = try CausalLanguageModel.load(
            folder: folder,
            context: options.threads.map { ComputeContext(threads: $0) } ?? ComputeContext(),
            weights: (options.dtype ?? .auto).storage
        )
        if let adapter = options.adapter {
            try model.attach(LoRAAdapter.load(folder: URL(fileURLWithPath: adapter), for: model))
        }
        if options.json || options.prompts != nil || options.samples != nil {
            try TextBatch(model: model, tokenizer: tokenizer, options: options)
                .run(prompts.prompts, parameters: all) { try Self.write($0 + "\n") }
        } else {
            try stream(prompts.prompts[0].tokens, all[0], model, tokenizer)
        }
    }

    private func stream(
        _ prompt: [TokenID],
        _ parameters: GenerationParameters,
        _ model: CausalLanguageModel,
        _ tokenizer: Tokenizer
    ) throws {
        var stream = TextStream(tokenizer, continuing: prompt, stopStrings: options.stop)
        do {
            _ = try model.generate(
                prompts: [prompt],
                parameters: parameters,
                onToken: { _, token in
                    try Self.write(stream.append(token))
                    if stream.isStopped { throw Stopped() }
                }
            )
        } catch is Stopped {}
        try Self.write(stream.finish() + "\n")
    }

    private static func write(_ text: String) throws {
        guard !text.isEmpty else { return }
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        } catch {
            // Whoever read the text has gone; there is nothing left to do.
            throw CLIError("standard output was closed")
        }
    }
}
