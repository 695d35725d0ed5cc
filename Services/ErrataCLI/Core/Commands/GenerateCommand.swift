import ArgumentParser
import Foundation
import LanguageModel
import PracticeDomain
import Reasoning
import Schemas
import Tokenization

/// `errata generate`: continues a prompt with a model, or prints problems of the built-in domain.
struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Continue a prompt with a model, or print problems of the built-in domain.",
        discussion: """
            With --model it streams text from a model: it continues --prompt, or standard input. Sampling follows \
            the model's generation_config.json unless an option says otherwise; without either it takes the likeliest \
            token. Text ends at the model's end token, at a --stop string (which is left out) or after --max-tokens.

            Several texts (--prompts, --samples), or one with --json, are printed as JSON lines in the prompts' order: \
            "text", "finish_reason" (stop or length), "prompt_tokens", "completion_tokens", "logprob" (the sum over the \
            tokens, under the model itself), "sample", and the prompt's "line" and "id". Each sample has random numbers \
            of its own, drawn from --seed, the prompt's place and its own number, so that nothing depends on \
            --batch-size.

            Without --model it prints arithmetic word problems with worked solutions, as JSON lines in GSM8K's layout. \
            The same seed gives the same problems; no problem stands in two splits.
            """
    )

    @OptionGroup(title: "Text from a model") var text: TextOptions
    @OptionGroup(title: "Problems of the built-in domain") var problems: ProblemOptions

    @Option(help: "The seed of the draws or of the problems. Default: 0 for text, 1 for problems.")
    var seed: UInt64?

    func validate() throws {
        if let model = text.model {
            if let given = problems.given.first {
                throw ValidationError("\(given) belongs to the built-in problems; with --model (\(model)) leave it out")
            }
            try text.validateValues()
        } else {
            if let given = text.given.first {
                throw ValidationError("\(given) needs --model: the built-in problems have no use for it")
            }
            try problems.validateValues()
        }
    }

    func run() throws {
        guard let model = text.model else { return try problems.run(seed: seed ?? 1) }
        let source = try ModelSource(text.store.model(model))
        defer { source.close() }
        try TextGeneration(folder: source.folder, options: text, seed: seed ?? 0).run()
    }
}

/// What text is made of, and how.
struct TextOptions: ParsableArguments {
    @Option(help: "A model: a folder in Hugging Face layout, a GGUF file, or a stored model's name or hash.")
    var model: String?

    @OptionGroup var store: ModelStoreOptions

    @Option(help: "A LoRA adapter for the model: a folder in PEFT's layout.")
    var adapter: String?

    @Option(help: "The text to continue. Default: standard input.")
    var prompt: String?

    @Option(help: "A file of prompts, or - for standard input: JSON lines with \"prompt\" or \"messages\".")
    var prompts: String?

    @Option(help: "How many texts a prompt; needs a temperature. Default: 1.")
    var samples: Int?

    @Option(help: "How many texts are made at a time, with --prompts or --samples. Default: 16.")
    var batchSize: Int?

    @Flag(help: "Print JSON lines; always so with --prompts and --samples.")
    var json = false

    @Flag(
        name: .customLong("chat"),
        help: "Take a prompt that is a text as a user's message, in the model's chat format."
    )
    var isChat = false

    @Option(help: "With --chat or messages: a system message.")
    var system: String?

    @OptionGroup var chat: ChatOptions

    @Flag(help: "With --chat or messages: answer without thoughts, where the template has enable_thinking.")
    var noThinking = false

    @Option(help: "Most tokens of the text.")
    var maxTokens: Int?

    @Option(help: "Softmax temperature; 0 takes the likeliest token.")
    var temperature: Double?

    @Option(help: "How many of the likeliest tokens may be drawn; 0 for all.")
    var topK: Int?

    @Option(help: "Probability mass that may be drawn from.")
    var topP: Double?

    @Option(help: "Makes tokens that were seen less likely; 1 does nothing.")
    var repetitionPenalty: Double?

    @Option(help: "A text that ends the generation; may be given several times.")
    var stop: [String] = []

    @Option(
        help: """
            How the weights are kept in memory: float32, bfloat16 (rounded where the folder has them more exactly), or \
            auto: as the folder stores them, which gives the same text as float32. Sums are float32. Default: auto.
            """
    )
    var dtype: LoadedType?

    @Option(help: "Threads to compute with. Default: all cores.")
    var threads: Int?

    /// The names of the options that were given.
    var given: [String] {
        let values: [(String, Bool)] = [
            ("--adapter", adapter != nil), ("--prompt", prompt != nil), ("--prompts", prompts != nil),
            ("--samples", samples != nil), ("--batch-size", batchSize != nil), ("--json", json), ("--chat", isChat),
            ("--max-tokens", maxTokens != nil),
            ("--temperature", temperature != nil), ("--top-k", topK != nil), ("--top-p", topP != nil),
            ("--repetition-penalty", repetitionPenalty != nil), ("--stop", !stop.isEmpty),
            ("--dtype", dtype != nil), ("--threads", threads != nil),
        ]
        return values.filter(\.1).map(\.0) + chatOnly
    }

    /// The names of the options that were given and mean something in a conversation only.
    var chatOnly: [String] {
        let values: [(String, Bool)] = [
            ("--system", system != nil), ("--chat-template", chat.chatTemplate != nil),
            ("--chat-template-kwargs", chat.chatTemplateKwargs != nil), ("--no-thinking", noThinking),
        ]
        return values.filter(\.1).map(\.0)
    }

    func validateValues() throws {
        func check(_ holds: Bool, _ message: String) throws {
            if !holds { throw ValidationError(message) }
        }
        if !isChat, prompts == nil, let option = chatOnly.first {
            throw ValidationError("\(option) belongs to --chat; give both")
        }
        try check(prompt == nil || prompts == nil, "--prompt and --prompts both say what to continue; give one of them")
        try check((1...100_000).contains(samples ?? 1), "--samples must lie in 1...100000, not \(samples ?? 1)")
        try check((1...4096).contains(batchSize ?? 1), "--batch-size must lie in 1...4096, not \(batchSize ?? 1)")
        try check(
            batchSize == nil || prompts != nil || samples != nil,
            "--batch-size has no effect on a single text; give --prompts or --samples, or leave it out"
        )
        try check(
            temperature != 0 || (samples ?? 1) == 1,
            "--samples are all the same at --temperature 0; raise it or leave --samples out"
        )
        try check((maxTokens ?? 1) > 0, "--max-tokens must be at least 1, not \(maxTokens ?? 0)")
        try check(
            temperature.map { $0.isFinite && $0 >= 0 } ?? true,
            "--temperature must be a number that is not negative"
        )
        try check((topK ?? 0) >= 0, "--top-k must not be negative")
        try check(topP.map { $0 > 0 && $0 <= 1 } ?? true, "--top-p must lie above 0 and at most at 1")
        try check(
            repetitionPenalty.map { $0.isFinite && $0 > 0 } ?? true,
            "--repetition-penalty must be a positive number"
        )
        try check(!stop.contains(""), "--stop must not be empty")
        try check(threads.map { (1...1024).contains($0) } ?? true, "--threads must lie in 1...1024")
        if temperature == 0, topK != nil || topP != nil {
            throw ValidationError("--top-k and --top-p have no effect at --temperature 0; raise it or leave them out")
        }
    }
}

/// What problems are printed.
struct ProblemOptions: ParsableArguments {
    @Option(help: "How many problems. Default: 100.")
    var count: Int?

    @Option(help: "train, rollout, development or test. Default: train.")
    var split: String?

    @Option(help: "Fewest dependent steps. Default: 2.")
    var minimumSteps: Int?

    @Option(help: "Most dependent steps. Default: 4.")
    var maximumSteps: Int?

    /// The names of the options that were given.
    var given: [String] {
        let values: [(String, Bool)] = [
            ("--count", count != nil), ("--split", split != nil), ("--minimum-steps", minimumSteps != nil),
            ("--maximum-steps", maximumSteps != nil),
        ]
        return values.filter(\.1).map(\.0)
    }

    private var stepBounds: (least: Int, most: Int) { (minimumSteps ?? 2, maximumSteps ?? 4) }

    func validateValues() throws {
        if let split, ProblemSplit(rawValue: split) == nil {
            throw ValidationError("--split must be train, rollout, development or test, not '\(split)'")
        }
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
        guard stepBounds.least >= 1, stepBounds.least <= stepBounds.most else {
            throw ValidationError("--minimum-steps must be at least 1 and at most --maximum-steps")
        }
    }

    func run(seed: UInt64) throws {
        guard let split = ProblemSplit(rawValue: split ?? "train") else { return }
        let generator = ProblemGenerator(seed: seed, stepRange: stepBounds.least...stepBounds.most)
        for problem in try generator.generate(count: count ?? 100, split: split) {
            Terminal.out(try GSM8K.format(problem))
        }
    }
}
