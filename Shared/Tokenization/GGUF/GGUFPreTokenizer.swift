/// How text is cut into words before a byte-level vocabulary's merges, as GGUF names it (`tokenizer.ggml.pre`).
///
/// The names and what each stands for are llama.cpp's.
struct GGUFPreTokenizer: Equatable {
    /// The pattern that cuts.
    var pattern: PreTokenizerPattern
    /// Whether each digit is cut out first.
    var splitsDigits = false
    /// Whether a word that is a token is that token, whatever the merges say.
    var ignoresMerges = false
    /// Whether texts begin with the start token where the file does not say.
    var addsBOS = false

    /// What SentencePiece's vocabularies, which are not cut, are given for form's sake.
    static let none = gpt2

    private static let gpt2 = GGUFPreTokenizer(pattern: .gpt2)
    private static let digits = GGUFPreTokenizer(pattern: .gpt2, splitsDigits: true)
    private static let llama3 = GGUFPreTokenizer(pattern: .llama3, ignoresMerges: true, addsBOS: true)
    private static let mergingLlama3 = GGUFPreTokenizer(pattern: .llama3)
    private static let qwen2 = GGUFPreTokenizer(pattern: .qwen2)

    /// Several names a kind; the first is the one that is written.
    private static let names: [(kind: GGUFPreTokenizer, names: [String])] = [
        (
            gpt2,
            [
                "gpt-2", "a.x-4.0", "exaone4", "gigachat", "granite-docling", "jais", "mellum", "mpt", "olmo", "phi-2",
                "trillion",
            ]
        ),
        (digits, ["smollm", "codeshell", "exaone", "mellum2", "minerva-7b", "refact", "starcoder"]),
        (llama3, ["llama-bpe", "falcon3", "lfm2", "llama-v3", "llama3", "midm-2.0"]),
        (mergingLlama3, ["smaug-bpe", "dbrx"]),
        (qwen2, ["qwen2", "deepseek-r1-qwen", "f2llmv2", "kormo", "megrez"]),
    ]

    /// The pre-tokenizer of a name.
    ///
    /// Files made before spring 2024 name none (or `default`). Those of Qwen's families can only be cut by Qwen's pattern;
    /// of others nobody can tell.
    init(name: String?, architecture: String?, place: String) throws {
        guard let name, !name.isEmpty, name != "default" else {
            guard architecture?.hasPrefix("qwen") == true else {
                throw TokenizationError(
                    .unsupported,
                    place: place,
                    "names no pre-tokenizer (tokenizer.ggml.pre), without which text cannot be cut into words; convert the "
                        + "model again with a newer llama.cpp"
                )
            }
            self = Self.qwen2
            return
        }
        guard let kind = Self.names.first(where: { $0.names.contains(name) })?.kind else {
            let known = Self.names.flatMap(\.names).sorted().joined(separator: ", ")
            throw TokenizationError(
                .unsupported,
                place: place,
                "tokenizer.ggml.pre \(name) is not supported; supported are \(known)"
            )
        }
        self = kind
    }

    private init(
        pattern: PreTokenizerPattern,
        splitsDigits: Bool = false,
        ignoresMerges: Bool = false,
        addsBOS: Bool = false
    ) {
        self.pattern = pattern
        self.splitsDigits = splitsDigits
        self.ignoresMerges = ignoresMerges
        self.addsBOS = addsBOS
    }

    /// The name that llama.cpp knows a tokenizer's way of cutting by; nil where it knows none.
    static func name(_ splits: [PreTokenizer.Split], ignoresMerges: Bool) -> String? {
        names.first { kind, _ in
            let expected: [PreTokenizer.Split] =
                (kind.splitsDigits ? [.digits(individual: true)] : []) + [.pattern(kind.pattern)]
            return splits == expected && kind.ignoresMerges == ignoresMerges
        }?.names.first
    }

    /// The `normalizer` of `tokenizer.json`.
    ///
    /// GGUF has no place for one, and llama.cpp applies none. Qwen's tokenizers compose, those of the other patterns do
    /// not.
    var normalizerJSON: String { pattern == .qwen2 ? #"{"type": "NFC"}"# : "null" }

    /// The `pre_tokenizer` of `tokenizer.json`.
    var json: String { pattern.preTokenizerJSON(splitsDigits: splitsDigits) }
}
