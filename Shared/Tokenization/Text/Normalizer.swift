import ModelFiles

/// The `normalizer` of a tokenizer: steps applied in order to each stretch of text between special tokens.
struct Normalizer: Sendable {
    enum Step: Sendable {
        case composed
        case prepend([UInt8])
        case replace([UInt8], with: [UInt8])
    }

    let steps: [Step]

    init(_ node: JSONNode?, place: String) throws {
        steps = try Self.steps(node, place: place)
    }

    private static func steps(_ node: JSONNode?, place: String) throws -> [Step] {
        guard let node, !node.isNull else { return [] }
        switch node["type"]?.string {
        case "NFC": return [.composed]
        case "Prepend":
            guard let prefix = node["prepend"]?.bytes else {
                throw TokenizationError(.malformed, place: place, "normalizer Prepend has no prepend")
            }
            return [.prepend(prefix)]
        case "Replace":
            let (pattern, content) = try node.stringReplacement(part: "normalizer", place: place)
            return [.replace(pattern, with: content)]
        case "Sequence":
            return try (node["normalizers"]?.array ?? []).flatMap { try steps($0, place: place) }
        case let type:
            throw TokenizationError(
                .unsupported,
                place: place,
                "normalizer \(type ?? "without a type") is not supported; NFC, Prepend, Replace and Sequence are"
            )
        }
    }

    /// Normalises `text`; `prepends` says whether it begins a stretch, which some tokenizers put a space before.
    func apply(to text: inout NormalizedText, prepends: Bool = true) {
        // As in the reference implementation, nothing is put before an empty text.
        for step in steps where !text.bytes.isEmpty {
            switch step {
            case .composed: text.composeCanonically()
            case .prepend(let prefix): if prepends { text.prepend(prefix) }
            case .replace(let pattern, let content): text.replace(pattern, with: content)
            }
        }
    }
}

extension JSONNode {
    /// The pattern and content of a `Replace` whose pattern is a plain string.
    func stringReplacement(part: String, place: String) throws -> (pattern: [UInt8], content: [UInt8]) {
        if let expression = self["pattern"]?["Regex"]?.string {
            throw TokenizationError(
                .unsupported,
                place: place,
                "\(part) Replace with the regular expression \(expression) is not supported; a String is"
            )
        }
        guard let pattern = self["pattern"]?["String"]?.bytes, let content = self["content"]?.bytes, !pattern.isEmpty
        else { throw TokenizationError(.malformed, place: place, "\(part) Replace has no pattern or content") }
        return (pattern, content)
    }
}
