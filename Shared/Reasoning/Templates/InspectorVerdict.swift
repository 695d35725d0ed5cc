import Foundation

/// An inspector's judgement of a template or a correction.
public struct InspectorVerdict: Sendable, Hashable, Codable {
    /// Whether it may be used.
    public var isOK: Bool
    /// The first faulty element, such as `Step2`.
    public var part: String?
    /// What is wrong with it.
    public var reason: String?

    /// Makes a verdict.
    public init(isOK: Bool, part: String? = nil, reason: String? = nil) {
        self.isOK = isOK
        self.part = part
        self.reason = reason
    }

    /// The verdict as elements; of an `ok` no part and no reason are written.
    public var xml: String {
        if isOK { return "<Verdict>ok</Verdict>" }
        return "<Verdict>faulty</Verdict>\n<Part>\(TagScanner.escape(part ?? ""))</Part>\n"
            + "<Reason>\(TagScanner.escape(reason ?? ""))</Reason>"
    }

    /// The longest text that is read, in bytes; what is longer is cut.
    public static let maximumLength = 16_384

    /// Reads a verdict with the tolerance of ``ThoughtTemplate/parse(_:)``; the first element of a name counts.
    ///
    /// Linear in the text's length.
    ///
    /// - Throws: ``ReasoningError`` where there is no verdict of `ok` or `faulty`.
    public static func parse(_ text: String) throws -> InspectorVerdict {
        let elements = elements(of: String(decoding: text.utf8.prefix(maximumLength), as: UTF8.self))
        guard let verdict = elements[.verdict]?.lowercased() else {
            throw ReasoningError(.malformedVerdict, "there is no <Verdict> element")
        }
        if verdict.hasPrefix("ok") { return InspectorVerdict(isOK: true) }
        guard verdict.hasPrefix("faulty") else {
            throw ReasoningError(.malformedVerdict, "the verdict \"\(verdict.prefix(40))\" is neither ok nor faulty")
        }
        return InspectorVerdict(isOK: false, part: elements[.part], reason: elements[.reason])
    }

    /// What the elements hold; empty ones are left out.
    private static func elements(of text: String) -> [TagName: String] {
        var found: [TagName: String] = [:]
        var place: TagName?
        var buffer = ""
        func settle() {
            if let place, found[place] == nil, !buffer.trimmed.isEmpty { found[place] = buffer.trimmed }
            place = nil
            buffer = ""
        }
        for event in TagScanner.scan(text, vocabulary: .verdict) {
            switch event {
            case .text(let text): if place != nil { buffer += text }
            case .close: settle()
            case .open(let name, _):
                // The same tag again is a closing tag without its slash.
                let closes = name == place
                settle()
                if !closes { place = name }
            }
        }
        settle()
        return found
    }
}
