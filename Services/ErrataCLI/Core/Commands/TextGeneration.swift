import Foundation
import LanguageModel
import TensorEngine
import Tokenization

/// Streams a model's continuation of a prompt to standard output.
struct TextGeneration {
    let folder: URL
    let options: TextOptions
    let seed: UInt64

    private struct Stopped: Error {}

    func run() throws {
        let configuration = try ModelConfiguration(folder: folder)
        let tokenizer = try Tokenizer(folder: folder)
        let (prompt, endTokens) = try promptTokens(tokenizer)
        guard let last = prompt.max(), Int(last) < configuration.vocabularySize else {
            throw CLIError(
                prompt.isEmpty
                    ? "the prompt is empty; give --prompt or text on standard input"
                    : "\(folder.path): the tokenizer has more tokens than the model; they do not belong together"
            )
        }
        let room = configuration.maximumPositions - prompt.count
        guard room > 0 else {
            throw CLIError(
                "the prompt has \(prompt.count) tokens, the model was made for \(configuration.maximumPositions); "
                    + "shorten it"
            )
        }
        let defaults = try GenerationConfiguration.load(folder: folder)
        let parameters = Self.parameters(
            options,
            defaults: defaults,
            stopTokens: endTokens + configuration.eosTokenIDs + (defaults?.eosTokenIDs ?? []),
            room: room,
            seed: seed
        )
        let model = try CausalLanguageModel.load(
            folder: folder,
            context: options.threads.map { ComputeContext(threads: $0) } ?? ComputeContext()
        )
        if let adapter = options.adapter {
            try model.attach(LoRAAdapter.load(folder: URL(fileURLWithPath: adapter), for: model))
        }
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

    /// The options, with the model's own sampling where nothing was said.
    static func parameters(
        _ options: TextOptions,
        defaults: GenerationConfiguration?,
        stopTokens: [TokenID],
        room: Int,
        seed: UInt64
    ) -> GenerationParameters {
        // Who asks for top-k or top-p wants to draw.
        let samples = defaults?.doSample == true || options.topK != nil || options.topP != nil
        let temperature = options.temperature ?? (samples ? defaults?.temperature ?? 1 : 0)
        return GenerationParameters(
            maximumNewTokens: min(options.maxTokens ?? defaults?.maximumNewTokens ?? 256, room),
            temperature: temperature,
            topK: options.topK ?? (samples ? defaults?.topK ?? 0 : 0),
            topP: options.topP ?? (samples ? defaults?.topP ?? 1 : 1),
            repetitionPenalty: options.repetitionPenalty ?? defaults?.repetitionPenalty ?? 1,
            stopTokens: Array(Set(stopTokens)).sorted(),
            seed: seed
        )
    }

    private func promptTokens(_ tokenizer: Tokenizer) throws -> (prompt: [TokenID], endTokens: [TokenID]) {
        let text = try options.prompt ?? Self.standardInput()
        guard options.chat else { return (tokenizer.encodePrompt(text), []) }
        let chat = try ChatTemplate(folder: folder, tokenizer: tokenizer, format: options.chatFormat)
        let system = options.system.map { [ChatMessage(.system, $0)] } ?? []
        return (
            try chat.render(system + [ChatMessage(.user, text)], addGenerationPrompt: true), chat.endTokens
        )
    }

    /// All of standard input, without the line feed that a shell puts at its end.
    private static func standardInput() throws -> String {
        guard isatty(STDIN_FILENO) == 0 else {
            throw CLIError("there is no prompt; give --prompt TEXT, or the text on standard input")
        }
        var data = try FileHandle.standardInput.readToEnd() ?? Data()
        if data.last == 0x0A { data.removeLast() }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw CLIError("standard input is not valid UTF-8; convert it first")
        }
        return text
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
