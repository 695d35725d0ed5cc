import Foundation

/// The tags of thought templates, correction traces and inspectors' verdicts.
enum TagName: Hashable, Sendable {
    case step
    case key
    case generalized
    case answer
    case cause
    case correction
    case verdict
    case part
    case reason
    case other

    /// The tag of a name in any case, of those that a kind of text has.
    init(_ name: String, in vocabulary: TagVocabulary) {
        switch (vocabulary, name.lowercased()) {
        case (.steps, "step"): self = .step
        case (.steps, "key"): self = .key
        case (.steps, "generalized"), (.steps, "generalised"), (.steps, "generalization"), (.steps, "generalisation"):
            self = .generalized
        case (.steps, "answer"), (.steps, "finalanswer"): self = .answer
        case (.steps, "cause"): self = .cause
        case (.steps, "correction"): self = .correction
        case (.verdict, "verdict"): self = .verdict
        case (.verdict, "part"): self = .part
        case (.verdict, "reason"): self = .reason
        default: self = .other
        }
    }
}

/// The kinds of tagged text; the tags of one are unknown in the other.
enum TagVocabulary: Sendable {
    case steps
    case verdict
}

/// A piece of a tagged text.
enum TagEvent: Hashable, Sendable {
    case open(TagName, Int?)
    case close(TagName, Int?)
    case text(String)
}

/// Reads tags as models write them: any case, `<Step 1:>`, `</Answer:>`, unknown tags dropped.
///
/// A `<` that starts no tag is text, and so is what has blanks between words (`a <b and c> d`) unless it is a known
/// tag. One pass over the UTF-8 bytes; no tag of more than 40 bytes is considered and none reaches over the next `<`, so
/// that each byte is looked at twice at most.
enum TagScanner {
    /// Longer texts are cut before they are read, in bytes.
    static let maximumLength = 1 << 17
    private static let longestTag = 40

    static func scan(_ text: String, vocabulary: TagVocabulary = .steps) -> [TagEvent] {
        var examined = 0
        return scan(text, vocabulary: vocabulary, examined: &examined)
    }

    /// Scans and adds the number of bytes that were looked at, for tests of linearity.
    static func scan(_ text: String, vocabulary: TagVocabulary, examined: inout Int) -> [TagEvent] {
        let bytes = Array(text.utf8.prefix(maximumLength))
        var events: [TagEvent] = []
        var start = 0
        var index = 0
        while index < bytes.count {
            examined += 1
            guard bytes[index] == UInt8(ascii: "<"),
                let (event, end) = tag(bytes, at: index, vocabulary: vocabulary, examined: &examined)
            else {
                index += 1
                continue
            }
            if start < index { events.append(.text(unescape(bytes[start..<index]))) }
            if let event { events.append(event) }
            index = end
            start = end
        }
        if start < bytes.count { events.append(.text(unescape(bytes[start...]))) }
        return events
    }

    /// The tag that starts here and where it ends; nil where there is none.
    private static func tag(
        _ bytes: [UInt8],
        at start: Int,
        vocabulary: TagVocabulary,
        examined: inout Int
    ) -> (TagEvent?, Int)? {
        var index = start + 1
        var closes = false
        var name = ""
        var number: Int?
        var isOneWord = true
        while index < bytes.count, index - start <= longestTag {
            let byte = bytes[index]
            examined += 1
            switch byte {
            case UInt8(ascii: "/") where name.isEmpty: closes = true
            case UInt8(ascii: ">"):
                guard !name.isEmpty else { return nil }
                let known = TagName(name, in: vocabulary)
                if known == .other { return isOneWord ? (nil, index + 1) : nil }
                return (closes ? .close(known, number) : .open(known, number), index + 1)
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
                guard number == nil else { return nil }
                if bytes[index - 1] == UInt8(ascii: " ") || bytes[index - 1] == UInt8(ascii: "\t") { isOneWord = false }
                name.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                guard !name.isEmpty else { return nil }
                number = min((number ?? 0) * 10 + Int(byte - UInt8(ascii: "0")), 1_000_000)
            case UInt8(ascii: " "), UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "\t"): break
            default: return nil
            }
            index += 1
        }
        return nil
    }

    // Escapes are made and read byte by byte: a string search takes "<" with a combining mark for another character.

    private static let escapes: [(byte: UInt8, text: [UInt8])] = [
        (UInt8(ascii: "<"), Array("&lt;".utf8)), (UInt8(ascii: ">"), Array("&gt;".utf8)),
        (UInt8(ascii: "&"), Array("&amp;".utf8)),
    ]

    private static func unescape(_ bytes: ArraySlice<UInt8>) -> String {
        guard bytes.contains(UInt8(ascii: "&")) else { return String(decoding: bytes, as: UTF8.self) }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if bytes[index] == UInt8(ascii: "&"),
                let escape = escapes.first(where: { bytes[index...].starts(with: $0.text) })
            {
                result.append(escape.byte)
                index += escape.text.count
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The text with `<`, `>` and `&` as `&lt;`, `&gt;` and `&amp;`; reading gives it back.
    static func escape(_ text: String) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if let escape = escapes.first(where: { $0.byte == byte }) {
                result += escape.text
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// The tree that both template kinds share, read leniently.
struct TaggedSteps {
    struct Step {
        var text = ""
        var keys: [String] = []
        var cause: String?
        var correction: String?
    }

    static let maximumSteps = 64
    static let maximumKeys = 16

    /// Whether steps or key notes above the most that are kept were left out.
    private(set) var isCut = false
    var steps: [Step] = []
    var generalization: String?
    var answer: String?

    private enum Place {
        case outside
        case step
        case key
        case generalized
        case answer
        case cause
        case correction
    }

    init(_ text: String) {
        var place = Place.outside
        var buffer = ""
        for event in TagScanner.scan(text) {
            switch event {
            case .text(let text):
                if place == .step { append(text) } else { buffer += text }
            case .open(let name, let number):
                // A second opening tag of the same kind is a closing tag without its slash.
                let reopened =
                    TaggedSteps.place(name) == place && place != .outside && (place != .step || isCurrent(number))
                let outer = settle(place, &buffer)
                if reopened {
                    place = place == .step ? .outside : outer
                } else {
                    place = enter(name)
                }
            case .close(let name, _):
                let outer = settle(place, &buffer)
                place = name == .step ? .outside : outer
            }
        }
        _ = settle(place, &buffer)
    }

    private static func place(_ name: TagName) -> Place {
        switch name {
        case .step: .step
        case .key: .key
        case .generalized: .generalized
        case .answer: .answer
        case .cause: .cause
        case .correction: .correction
        case .verdict, .part, .reason, .other: .outside
        }
    }

    private func isCurrent(_ number: Int?) -> Bool { number == nil || number == steps.count }

    private mutating func append(_ text: String) {
        guard !steps.isEmpty, !text.trimmed.isEmpty else { return }
        let piece = text.trimmed
        steps[steps.count - 1].text += steps[steps.count - 1].text.isEmpty ? piece : " " + piece
    }

    private mutating func enter(_ name: TagName) -> Place {
        let place = TaggedSteps.place(name)
        if place == .step {
            guard steps.count < TaggedSteps.maximumSteps else {
                isCut = true
                return .outside
            }
            steps.append(Step())
        }
        return place
    }

    /// Stores what an element held; returns the place around it.
    private mutating func settle(_ place: Place, _ buffer: inout String) -> Place {
        let content = buffer.trimmed
        buffer = ""
        let last = steps.count - 1
        switch place {
        case .outside, .step: return place
        case .key:
            guard last >= 0, !content.isEmpty else { return .step }
            guard steps[last].keys.count < TaggedSteps.maximumKeys else {
                isCut = true
                return .step
            }
            steps[last].keys.append(content)
            return .step
        case .cause:
            if last >= 0, steps[last].cause == nil, !content.isEmpty { steps[last].cause = content }
            return .step
        case .correction:
            if last >= 0, steps[last].correction == nil, !content.isEmpty { steps[last].correction = content }
            return .step
        case .generalized:
            if !content.isEmpty { generalization = content }
            return .outside
        case .answer:
            if !content.isEmpty { answer = content }
            return .outside
        }
    }
}
