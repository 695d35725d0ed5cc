/// Text on its way through a tokenizer, with the range of the original bytes that each byte came from.
struct NormalizedText {
    private(set) var bytes: [UInt8]
    /// Original range of each byte; nil while every byte stands at `origin` plus its index, or when nobody asked.
    private var sources: [Range<Int>]?
    private let origin: Int
    private let keepsOffsets: Bool

    init(_ bytes: some Sequence<UInt8>, origin: Int, keepsOffsets: Bool) {
        self.bytes = Array(bytes)
        self.origin = origin
        self.keepsOffsets = keepsOffsets
    }

    private init(bytes: [UInt8], sources: [Range<Int>]?, origin: Int, keepsOffsets: Bool) {
        self.bytes = bytes
        self.sources = sources
        self.origin = origin
        self.keepsOffsets = keepsOffsets
    }

    /// The part of the text in `range`.
    func slice(_ range: Range<Int>) -> NormalizedText {
        NormalizedText(
            bytes: Array(bytes[range]),
            sources: sources.map { Array($0[range]) },
            origin: sources == nil ? origin + range.lowerBound : origin,
            keepsOffsets: keepsOffsets
        )
    }

    /// Where in the original text the bytes of `range` came from.
    func source(_ range: Range<Int>) -> Range<Int> {
        guard let sources else { return origin + range.lowerBound..<origin + range.upperBound }
        guard !range.isEmpty else { return origin..<origin }
        let lower = sources[range.lowerBound].lowerBound
        return lower..<max(lower, sources[range.upperBound - 1].upperBound)
    }

    /// Whether the text begins where the original does.
    var startsAtOrigin: Bool { source(0..<min(1, bytes.count)).lowerBound == 0 }

    /// Puts `prefix` before the text; it stands for nothing of the original.
    mutating func prepend(_ prefix: [UInt8]) {
        if keepsOffsets {
            let start = source(0..<min(1, bytes.count)).lowerBound
            sources = Array(repeating: start..<start, count: prefix.count) + expandedSources
        }
        bytes.insert(contentsOf: prefix, at: 0)
    }

    /// Replaces every occurrence of `pattern`, left to right.
    mutating func replace(_ pattern: [UInt8], with content: [UInt8]) {
        guard !pattern.isEmpty, bytes.containsSequence(pattern) else { return }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 2)
        var resultSources: [Range<Int>] = []
        var position = 0
        while position < bytes.count {
            if bytes.hasSequence(pattern, at: position) {
                let end = position + pattern.count
                result.append(contentsOf: content)
                if keepsOffsets {
                    resultSources += Array(repeating: source(position..<end), count: content.count)
                }
                position = end
            } else {
                result.append(bytes[position])
                if keepsOffsets { resultSources.append(source(position..<position + 1)) }
                position += 1
            }
        }
        bytes = result
        if keepsOffsets { sources = resultSources }
    }

    /// Composes the text canonically (NFC); the bytes of what is changed point to all of the scalars that it came from.
    mutating func composeCanonically() {
        let changes = bytes.withUnsafeBufferPointer { CanonicalComposition.changes(in: $0) }
        guard !changes.isEmpty else { return }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var resultSources: [Range<Int>] = []
        var position = 0
        func keep(_ range: Range<Int>) {
            result.append(contentsOf: bytes[range])
            if keepsOffsets { resultSources += range.lazy.map { source($0..<$0 + 1) } }
        }
        for (range, composed) in changes {
            keep(position..<range.lowerBound)
            result.append(contentsOf: composed)
            if keepsOffsets { resultSources += Array(repeating: source(range), count: composed.count) }
            position = range.upperBound
        }
        keep(position..<bytes.count)
        bytes = result
        if keepsOffsets { sources = resultSources }
    }

    private var expandedSources: [Range<Int>] { sources ?? bytes.indices.map { origin + $0..<origin + $0 + 1 } }
}

extension Collection<UInt8> where Index == Int {
    @inline(__always)
    func hasSequence(_ pattern: [UInt8], at position: Int) -> Bool {
        guard pattern.count <= endIndex - position else { return false }
        for index in pattern.indices where self[position + index] != pattern[index] { return false }
        return true
    }

    func containsSequence(_ pattern: [UInt8]) -> Bool {
        guard !pattern.isEmpty else { return true }
        return indices.contains { self[$0] == pattern[0] && hasSequence(pattern, at: $0) }
    }

    func replacingSequence(_ pattern: [UInt8], with content: [UInt8]) -> [UInt8] {
        guard containsSequence(pattern), !pattern.isEmpty else { return Array(self) }
        var result: [UInt8] = []
        var position = startIndex
        while position < endIndex {
            if hasSequence(pattern, at: position) {
                result.append(contentsOf: content)
                position += pattern.count
            } else {
                result.append(self[position])
                position += 1
            }
        }
        return result
    }
}
