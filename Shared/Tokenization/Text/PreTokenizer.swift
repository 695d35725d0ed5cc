import ModelFiles

/// The `pre_tokenizer`: cuts a stretch of text into the words that merges may not cross.
struct PreTokenizer: Sendable {
    enum Split: Sendable, Equatable {
        case pattern(PreTokenizerPattern)
        case digits(individual: Bool)
    }

    enum PrependScheme: String, Sendable {
        case always
        case first
        case never
    }

    struct Metaspace: Sendable {
        let replacement: [UInt8]
        let prepend: PrependScheme
        let splits: Bool

        init(_ node: JSONNode, place: String) throws {
            guard let replacement = node["replacement"]?.bytes, !replacement.isEmpty else {
                throw TokenizationError(.malformed, place: place, "Metaspace has no replacement")
            }
            self.replacement = replacement
            if let name = node["prepend_scheme"]?.string {
                guard let scheme = PrependScheme(rawValue: name) else {
                    throw TokenizationError(.unsupported, place: place, "Metaspace prepend_scheme \(name) is unknown")
                }
                prepend = scheme
            } else {
                prepend = node["add_prefix_space"]?.bool == false ? .never : .always
            }
            splits = node["split"]?.bool ?? true
        }
    }

    private(set) var prefixSpace = false
    private(set) var metaspace: Metaspace?
    private(set) var splits: [Split] = []
    /// Whether words are spelled in the 256 byte characters.
    private(set) var isByteLevel = false

    init(_ node: JSONNode?, place: String) throws {
        guard let node, !node.isNull else { return }
        let parts = node["type"]?.string == "Sequence" ? node["pretokenizers"]?.array ?? [] : [node]
        for (index, part) in parts.enumerated() {
            try add(part, isOnly: parts.count == 1, isFirst: index == 0, place: place)
        }
    }

    private mutating func add(_ node: JSONNode, isOnly: Bool, isFirst: Bool, place: String) throws {
        func unsupported(_ message: String) -> TokenizationError {
            TokenizationError(.unsupported, place: place, message)
        }
        guard !isByteLevel else { throw unsupported("a pre_tokenizer after ByteLevel is not supported") }
        switch node["type"]?.string {
        case "ByteLevel":
            isByteLevel = true
            if node["add_prefix_space"]?.bool ?? true {
                guard isFirst else { throw unsupported("ByteLevel add_prefix_space after a split is not supported") }
                prefixSpace = true
            }
            if node["use_regex"]?.bool ?? true { splits.append(.pattern(.gpt2)) }
        case "Split":
            guard let expression = node["pattern"]?["Regex"]?.string,
                let pattern = PreTokenizerPattern.allCases.first(where: {
                    $0.regularExpression.utf8.elementsEqual(expression.utf8)
                })
            else {
                let expression = node["pattern"]?["Regex"]?.string ?? "(no Regex)"
                throw unsupported("Split by \(expression) is not supported; Qwen2's, Llama 3's and GPT-2's are")
            }
            guard node["behavior"]?.string == "Isolated", node["invert"]?.bool != true else {
                throw unsupported("Split is supported with behavior Isolated and invert false only")
            }
            splits.append(.pattern(pattern))
        case "Digits":
            splits.append(.digits(individual: node["individual_digits"]?.bool ?? false))
        case "Metaspace":
            guard isOnly else { throw unsupported("Metaspace in a Sequence is not supported") }
            metaspace = try Metaspace(node, place: place)
        case let type:
            throw unsupported(
                "pre_tokenizer \(type ?? "without a type") is not supported; "
                    + "ByteLevel, Split, Digits and Metaspace are"
            )
        }
    }

    /// Changes `text` as the steps demand and returns the ends of its words.
    ///
    /// `prepends` says whether the text begins a stretch, which some tokenizers put a space before.
    func words(of text: inout NormalizedText, prepends: Bool = true) -> [Int] {
        guard !text.bytes.isEmpty else { return [] }
        if prefixSpace, prepends, text.bytes[0] != 0x20 { text.prepend([0x20]) }
        if let metaspace { return words(of: &text, metaspace, prepends: prepends) }
        var ends = [text.bytes.count]
        for split in splits {
            ends = text.bytes.withUnsafeBufferPointer { bytes in
                var result: [Int] = []
                var start = 0
                for end in ends {
                    switch split {
                    case .pattern(let pattern): pattern.split(bytes, start..<end, into: &result)
                    case .digits(let individual):
                        Self.splitDigits(bytes, start..<end, individual: individual, into: &result)
                    }
                    start = end
                }
                return result
            }
        }
        return ends
    }

    private func words(of text: inout NormalizedText, _ metaspace: Metaspace, prepends: Bool) -> [Int] {
        let startsAtOrigin = text.startsAtOrigin
        text.replace([0x20], with: metaspace.replacement)
        if prepends, metaspace.prepend == .always || metaspace.prepend == .first && startsAtOrigin,
            !text.bytes.hasSequence(metaspace.replacement, at: 0)
        {
            text.prepend(metaspace.replacement)
        }
        guard metaspace.splits else { return [text.bytes.count] }
        let bytes = text.bytes
        var ends = bytes.indices.dropFirst().filter { bytes.hasSequence(metaspace.replacement, at: $0) }
        ends.append(bytes.count)
        return ends
    }

    private static func splitDigits(
        _ bytes: UnsafeBufferPointer<UInt8>,
        _ range: Range<Int>,
        individual: Bool,
        into ends: inout [Int]
    ) {
        let cursor = ScalarCursor(bytes: UnsafeBufferPointer(rebasing: bytes[range]))
        var position = 0
        var wasNumber: Bool?
        while position < range.count {
            let scalar = cursor.scalar(at: position)
            let isNumber = CharacterClass.of(scalar.code) == .number
            if let wasNumber, wasNumber != isNumber || isNumber && individual {
                ends.append(range.lowerBound + position)
            }
            wasNumber = isNumber
            position += scalar.length
        }
        if range.count > 0 { ends.append(range.upperBound) }
    }
}
