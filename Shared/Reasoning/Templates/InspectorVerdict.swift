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

    /// The verdict as elements.
    public var xml: String {
        if isOK { return "<Verdict>ok</Verdict>" }
        return "<Verdict>faulty</Verdict>\n<Part>\(part ?? "")</Part>\n<Reason>\(reason ?? "")</Reason>"
    }

    /// Reads a verdict, tags in any case.
    ///
    /// Only the first 16 KiB are read.
    ///
    /// - Throws: ``ReasoningError`` where there is no verdict of `ok` or `faulty`.
    public static func parse(_ text: String) throws -> InspectorVerdict {
        let bounded = String(decoding: text.utf8.prefix(16_384), as: UTF8.self)
        guard let verdict = element("verdict", in: bounded)?.lowercased() else {
            throw ReasoningError(.malformedVerdict, "there is no <Verdict> element")
        }
        if verdict.hasPrefix("ok") { return InspectorVerdict(isOK: true) }
        guard verdict.hasPrefix("faulty") else {
            throw ReasoningError(.malformedVerdict, "the verdict \"\(verdict.prefix(40))\" is neither ok nor faulty")
        }
        return InspectorVerdict(isOK: false, part: element("part", in: bounded), reason: element("reason", in: bounded))
    }

    private static func element(_ name: String, in text: String) -> String? {
        guard let open = text.range(of: "<\(name)>", options: .caseInsensitive) else { return nil }
        let rest = text[open.upperBound...]
        let end = rest.firstIndex(of: "<") ?? rest.endIndex
        return String(rest[..<end]).trimmed
    }
}
