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

    /// The longest text that is read, in bytes, thoughts left out; what is longer is cut.
    public static let maximumLength = 16_384

    /// Reads a verdict as models write it: in elements with the tolerance of ``ThoughtTemplate/parse(_:)``, behind labels
    /// (`**Verdict:** ok`), as an object of JSON, or as a bare word; "correct", "accepted", "incorrect" and their like
    /// count as `ok` and `faulty`.
    ///
    /// A candidate is accepted only by a verdict that says nothing else: "ok, but …", "partially correct", verdicts that
    /// contradict one another, and an `ok` with a reason that finds fault cannot be read. Linear in the text's length.
    ///
    /// - Throws: ``ReasoningError`` where there is no verdict, or none that is clear.
    public static func parse(_ text: String) throws -> InspectorVerdict {
        let said = Thoughts.split(text).answer
        let bounded = String(decoding: said.utf8.prefix(maximumLength), as: UTF8.self)
        var found = VerdictFields(elements: bounded)
        if found.verdicts.isEmpty { found = VerdictFields(object: bounded) }
        if found.verdicts.isEmpty { found = VerdictFields(labels: bounded) }
        guard let first = found.verdicts.first else {
            throw ReasoningError(.malformedVerdict, "there is no <Verdict> element", kind: .inspectorUnreadable)
        }
        guard let isOK = judgement(found) else {
            throw ReasoningError(
                .malformedVerdict,
                "the verdict \"\(first.prefix(60))\" is neither ok nor faulty",
                kind: .inspectorUnreadable
            )
        }
        if isOK { return InspectorVerdict(isOK: true) }
        var reason = found.reason
        if reason == nil, let rest = JudgementWords.remark(first) { reason = rest }
        return InspectorVerdict(isOK: false, part: found.part, reason: reason)
    }

    /// Whether all verdicts of a text accept, or all refuse; nil where they do not agree or one is not clear.
    private static func judgement(_ found: VerdictFields) -> Bool? {
        let judgements = Set(found.verdicts.map { JudgementWords.judgement($0) })
        guard judgements.count == 1, let judgement = judgements.first, let isOK = judgement else { return nil }
        // An ok with a fault beside it is none.
        if isOK, let reason = found.reason, JudgementWords.findsFault(reason) { return nil }
        return isOK
    }
}

/// What a text says where its form has a verdict, a part and a reason.
private struct VerdictFields {
    var verdicts: [String] = []
    var part: String?
    var reason: String?

    private mutating func add(_ name: TagName, _ text: String) {
        let text = text.trimmed
        guard !text.isEmpty else { return }
        switch name {
        case .verdict: verdicts.append(text)
        case .part: part = part ?? text
        case .reason: reason = reason ?? text
        default: break
        }
    }

    /// Reads elements, the first of part and reason.
    init(elements text: String) {
        var place: TagName?
        var buffer = ""
        func settle(_ fields: inout VerdictFields) {
            if let place { fields.add(place, buffer) }
            place = nil
            buffer = ""
        }
        for event in TagScanner.scan(text, vocabulary: .verdict) {
            switch event {
            case .text(let text): if place != nil { buffer += text }
            case .title: break
            case .close: settle(&self)
            case .open(let name, _):
                // The same tag again is a closing tag without its slash.
                let closes = name == place
                settle(&self)
                if !closes { place = name }
            }
        }
        if place == .verdict { buffer = buffer.split(whereSeparator: \.isNewline).first.map(String.init) ?? "" }
        settle(&self)
    }

    /// Reads the object of JSON that a text holds.
    init(object text: String) {
        guard let open = text.firstIndex(of: "{"), let close = text.lastIndex(of: "}"), open < close,
            let value = try? JSONSerialization.jsonObject(with: Data(text[open...close].utf8)),
            let members = value as? [String: Any]
        else { return }
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            let name = TagName(key.filter(\.isLetter), in: .verdict)
            if let text = value as? String { add(name, text) }
        }
    }

    /// Reads lines with labels, or a text of a few words as the verdict itself.
    init(labels text: String) {
        var place: TagName?
        var buffer = ""
        func settle(_ fields: inout VerdictFields) {
            if let place { fields.add(place, buffer) }
            (place, buffer) = (nil, "")
        }
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            if LineMarkers.isFrame(line) { continue }
            let bare = LineMarkers.plain(line.drop { !$0.isLetter })
            let label = bare.prefix { $0.isLetter || $0 == " " || $0 == "'" }
            let rest = bare.dropFirst(label.count).drop { $0 == "*" || $0 == "_" || $0 == " " }
            let words = label.lowercased().split(separator: " ").map(String.init)
            if let (name, said) = Self.label(words, rest, isHeading: line.hasPrefix("#")) {
                settle(&self)
                place = name
                buffer = said
            } else if place == .verdict, !buffer.trimmed.isEmpty, bare.isEmpty {
                settle(&self)
            } else if place != nil {
                buffer += "\n" + line
            }
        }
        settle(&self)
        // "OK." or "All steps are correct." alone.
        if verdicts.isEmpty, text.utf8.count <= 80, JudgementWords.judgement(text) != nil { verdicts = [text.trimmed] }
    }

    /// The field of a label: `Verdict:`, `My final verdict is`, and headings without a colon.
    private static func label(_ words: [String], _ rest: Substring, isHeading: Bool) -> (TagName, String)? {
        var words = words
        while let first = words.first, ["the", "my", "final", "overall", "first", "faulty"].contains(first) {
            words.removeFirst()
        }
        guard let first = words.first else { return nil }
        let name = TagName(first, in: .verdict)
        guard name != .other else { return nil }
        if words.count == 1, rest.first == ":" || rest.first == "\u{FF1A}" || rest.first == "=" {
            return (name, String(rest.dropFirst().drop { $0 == "*" || $0 == " " }))
        }
        if words.count == 1, rest.isEmpty, isHeading { return (name, "") }
        guard name == .verdict, words.count >= 2, words[1] == "is" else { return nil }
        let said = words.dropFirst(2).joined(separator: " ") + (rest.first == ":" ? rest.dropFirst() : rest)
        return (name, said)
    }
}
