public import Foundation

/// Cuts what a file or a stream holds into problems, as it comes: JSON lines, or one JSON document.
///
/// A line ends at a line feed and nowhere else, with or without a carriage return before it; blank lines and a byte-order
/// mark at the start are passed over. A document is a list of problems, or an object with such a list in `examples`, as
/// BIG-Bench Hard's files are; it is read when it has come whole. Which it is, the first line tells.
public struct ProblemSource: Sendable {
    /// A problem's text.
    public struct Item: Sendable, Hashable {
        /// The line, or the problem in a document, from 1.
        public let number: Int
        /// Whether ``number`` counts the problems of a document.
        public let isElement: Bool
        /// The JSON; bytes that are no UTF-8 are U+FFFD.
        public let text: Substring

        /// Where it stands, after the name of the file: `:12`, or ` problem 12`.
        public var place: String { isElement ? " problem \(number)" : ":\(number)" }
    }

    /// The longest document, in bytes; a longer one has to be made JSON lines.
    public static let documentLimit = 64 << 20

    private enum Form {
        case undecided, lines, document
        /// The first line is no object: a document over several lines, or a broken line, which the end tells.
        case broken
    }

    private var form = Form.undecided
    private var pending = Data()
    private var isAtStart = true
    /// So many of the pending bytes are known to hold no end of the first line.
    private var searched = 0
    private var line = 0
    /// Whether the rest of a line that is too long is being passed over.
    private var isSkipping = false
    /// Whether a document says that it must not be learned from, as benchmarks do by a `canary`.
    public private(set) var hasCanary = false

    /// Makes an empty source.
    public init() {}

    /// Whether part of a line has come, or a document that is not complete.
    public var isWaiting: Bool { !pending.isEmpty }

    /// Takes in bytes; gives the problems that are complete.
    public mutating func append(_ bytes: Data) -> [Item] {
        // Too long already, as the end will say: what more comes is not kept.
        if form == .document, pending.count > Self.documentLimit { return [] }
        var bytes = bytes[...]
        if isSkipping {
            guard let end = bytes.firstIndex(of: 0x0A) else { return [] }
            bytes = bytes[end...]
            isSkipping = false
        }
        pending.append(bytes)
        dropMark()
        if form == .undecided { decide(isComplete: false) }
        if form == .broken, pending.count > Self.documentLimit { form = .lines }
        return form == .lines ? completeLines() : []
    }

    /// Ends the input; gives what has not been given.
    ///
    /// - Throws: ``ReasoningError`` where a document cannot be read.
    public mutating func finish() throws -> [Item] {
        isAtStart = false
        if form == .undecided { decide(isComplete: true) }
        if form == .broken, Self.decode(pending)?.fields?["examples"]?.list != nil { form = .document }
        if form == .document { return try elements() }
        form = .lines
        var items = completeLines()
        if !pending.isEmpty, let item = item(of: pending) { items.append(item) }
        pending.removeAll()
        return items
    }

    private mutating func dropMark() {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        guard isAtStart, pending.count >= mark.count || !pending.elementsEqual(mark.prefix(pending.count)) else {
            return
        }
        isAtStart = false
        if pending.starts(with: mark) { pending = Data(pending.dropFirst(mark.count)) }
    }

    // MARK: The form

    private mutating func decide(isComplete: Bool) {
        guard !isAtStart, let start = pending.firstIndex(where: { !Self.blanks.contains($0) }) else { return }
        if pending[start] == UInt8(ascii: "[") {
            form = .document
            return
        }
        guard pending[start] == UInt8(ascii: "{") else {
            form = .lines
            return
        }
        let first: Data
        if let end = pending[max(start, pending.startIndex + searched)...].firstIndex(of: 0x0A) {
            first = pending[start..<end]
        } else {
            searched = pending.count
            guard isComplete || pending.count > Self.documentLimit else { return }
            first = pending[start...]
        }
        if let object = Self.decode(first)?.fields {
            form = object["examples"]?.list == nil ? .lines : .document
        } else {
            let isClosed = first.last { !Self.blanks.contains($0) } == UInt8(ascii: "}")
            form = isClosed || pending.count > Self.documentLimit ? .lines : .broken
        }
    }

    private static let blanks: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]

    private static func decode(_ data: Data) -> RecordValue? {
        guard data.count <= documentLimit else { return nil }
        return try? JSONDecoder().decode(RecordValue.self, from: Data(data))
    }

    // MARK: Documents

    private mutating func elements() throws -> [Item] {
        defer { pending.removeAll() }
        guard pending.count <= Self.documentLimit else {
            throw ReasoningError(
                .tooLong,
                "the JSON document has more than \(Self.documentLimit) bytes; write its problems one a line (JSON lines)"
            )
        }
        let value = Self.decode(pending)
        hasCanary = value?.fields?["canary"] != nil
        guard let list = value?.list ?? value?.fields?["examples"]?.list else {
            throw ReasoningError(
                .malformedProblem,
                "is neither JSON lines nor one JSON document, a list of problems or an object with such a list in \"examples\""
            )
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try list.enumerated().map { number, element in
            let text = String(decoding: try encoder.encode(element), as: UTF8.self)
            return Item(number: number + 1, isElement: true, text: text[...])
        }
    }

    // MARK: Lines

    private mutating func completeLines() -> [Item] {
        var items: [Item] = []
        var start = pending.startIndex
        while let end = pending[start...].firstIndex(of: 0x0A) {
            if let item = item(of: pending[start..<end]) { items.append(item) }
            start = pending.index(after: end)
        }
        pending = Data(pending[start...])
        // One byte more than may be read: the reader then says that it is too long.
        if pending.count > ProblemReader.maximumLineLength + 1 {
            pending = Data(pending.prefix(ProblemReader.maximumLineLength + 1))
            isSkipping = true
        }
        return items
    }

    private mutating func item(of bytes: Data) -> Item? {
        line += 1
        let bytes = bytes.last == 0x0D ? bytes.dropLast() : bytes
        guard bytes.contains(where: { !Self.blanks.contains($0) }) else { return nil }
        return Item(number: line, isElement: false, text: Substring(decoding: bytes, as: UTF8.self))
    }
}
