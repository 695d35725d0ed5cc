import Foundation

/// The tags of thought templates and correction traces.
enum TagName: Hashable, Sendable {
    case step
    case key
    case generalized
    case answer
    case cause
    case correction
    case other

    init(_ name: some StringProtocol) {
        switch name.lowercased() {
        case "step": self = .step
        case "key": self = .key
        case "generalized", "generalised", "generalization", "generalisation": self = .generalized
        case "answer", "finalanswer": self = .answer
        case "cause": self = .cause
        case "correction": self = .correction
        default: self = .other
        }
    }
}

/// A piece of a tagged text.
enum TagEvent: Hashable, Sendable {
    case open(TagName, Int?)
    case close(TagName, Int?)
    case text(String)
}

/// Reads tags as models write them: any case, `<Step 1:>`, `</Answer:>`, unknown tags dropped.
///
/// A `<` that starts no tag is text. One pass; no tag name longer than 40 bytes is considered, so the time is linear.
enum TagScanner {
    /// Longer texts are cut before they are read, in bytes.
    static let maximumLength = 1 << 17
    private static let longestTag = 40

    static func scan(_ text: String) -> [TagEvent] {
        let bytes = Array(text.utf8.prefix(maximumLength))
        var events: [TagEvent] = []
        var start = 0
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "<"), let (event, end) = tag(bytes, at: index) else {
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
    private static func tag(_ bytes: [UInt8], at start: Int) -> (TagEvent?, Int)? {
        var index = start + 1
        var closes = false
        var name = ""
        var number: Int?
        while index < bytes.count, index - start <= longestTag {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "/") where name.isEmpty: closes = true
            case UInt8(ascii: ">"):
                guard !name.isEmpty else { return nil }
                let known = TagName(name)
                if known == .other { return (nil, index + 1) }
                return (closes ? .close(known, number) : .open(known, number), index + 1)
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
                guard number == nil else { return nil }
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

    private static func unescape(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.contains("&") else { return text }
        return text.replacingOccurrences(of: "&lt;", with: "<").replacingOccurrences(of: "&gt;", with: ">")
            .replacingOccurrences(of: "&amp;", with: "&")
    }

    static func escape(_ text: String) -> String {
        guard text.contains(where: { "<>&".contains($0) }) else { return text }
        return text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;")
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
        case .other: .outside
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
            guard steps.count < TaggedSteps.maximumSteps else { return .outside }
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
            if last >= 0, !content.isEmpty, steps[last].keys.count < 16 { steps[last].keys.append(content) }
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
