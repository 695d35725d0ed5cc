/// In which form a text of steps is written, and its events in the form of tags.
struct TaggedForm {
    /// Whether the steps stand in tags; else they are read from headings, or there are none.
    let hasTags: Bool
    /// The events, cut where steps begin again behind an answer.
    let versions: [ArraySlice<TagEvent>]

    /// Finds the form of a text whose tags in angle brackets are given.
    init(_ text: String, _ events: [TagEvent]) {
        if let tagged = Self.tagged(text, events) {
            hasTags = true
            versions = Self.versions(Self.marked(tagged, steps: .none))
            return
        }
        hasTags = false
        let named = Self.marked(events, steps: .named)
        if Self.hasSteps(named) {
            versions = Self.versions(named)
            return
        }
        let numbered = Self.marked(events, steps: .numbered)
        versions = Self.versions(Self.isList(numbered) ? numbered : named)
    }

    /// The events of a text with tags of steps, in whatever brackets; nil where there are none.
    private static func tagged(_ text: String, _ events: [TagEvent]) -> [TagEvent]? {
        if hasSteps(events) { return events }
        // Escaped, as a server or a model makes it that takes the tags for HTML.
        for (open, close) in [("&lt;", "&gt;"), ("\\u003c", "\\u003e"), ("\u{FF1C}", "\u{FF1E}")]
        where text.contains(open) {
            let plain = text.replacing(open, with: "<").replacing(close, with: ">")
            let found = TagScanner.scan(plain)
            if hasSteps(found) { return found }
        }
        let square = TagScanner.scan(text, brackets: .square)
        return hasSteps(square) ? square : nil
    }

    private static func hasSteps(_ events: [TagEvent]) -> Bool {
        events.contains { if case .open(.step, _) = $0 { true } else { false } }
    }

    /// Whether the steps are a list of at least two that counts from 1.
    private static func isList(_ events: [TagEvent]) -> Bool {
        let numbers = events.compactMap { event -> Int? in
            if case .open(.step, let number?) = event { number } else { nil }
        }
        return numbers.count >= 2 && numbers.enumerated().allSatisfy { $0.offset + 1 == $0.element }
    }

    /// The events from each first step behind an answer on.
    private static func versions(_ events: [TagEvent]) -> [ArraySlice<TagEvent>] {
        var versions: [ArraySlice<TagEvent>] = []
        var start = 0
        var (hasStep, hasAnswer) = (false, false)
        for (index, event) in events.enumerated() {
            switch event {
            case .open(.answer, _): hasAnswer = hasStep
            case .open(.step, let number):
                if hasAnswer, (number ?? 1) <= 1 {
                    versions.append(events[start..<index])
                    start = index
                    hasAnswer = false
                }
                hasStep = true
            default: break
            }
        }
        return versions + [events[start...]]
    }

    // MARK: Labels

    /// The events with labels in place of tags where no element that is closed holds the text.
    private static func marked(_ events: [TagEvent], steps: LineMarkers.Steps) -> [TagEvent] {
        let held = held(events)
        var result: [TagEvent] = []
        for (index, event) in events.enumerated() {
            if case .text(let text) = event, !held[index] {
                result += LineMarkers.events(in: text, steps: steps)
            } else {
                result.append(event)
            }
        }
        return result
    }

    /// Which texts stand in an element that is closed: they are what they are.
    private static func held(_ events: [TagEvent]) -> [Bool] {
        var held = Array(repeating: false, count: events.count)
        var outer: (name: TagName, number: Int?, texts: [Int])?
        var inner: (name: TagName, texts: [Int])?
        func hold(_ texts: [Int]?) { for index in texts ?? [] { held[index] = true } }
        for (index, event) in events.enumerated() {
            switch event {
            case .title: break
            case .text:
                if inner != nil { inner?.texts.append(index) } else { outer?.texts.append(index) }
            case .open(let name, let number):
                if isOuter(name) {
                    inner = nil
                    // The same again is a closing tag without its slash.
                    if let before = outer, before.name == name, name != .step || number == before.number {
                        hold(before.texts)
                        outer = nil
                    } else {
                        outer = (name, number, [])
                    }
                } else if let before = inner, before.name == name {
                    hold(before.texts)
                    inner = nil
                } else {
                    inner = (name, [])
                }
            case .close(let name, _):
                if isOuter(name) {
                    hold(outer?.texts)
                    (outer, inner) = (nil, nil)
                } else {
                    hold(inner?.texts)
                    inner = nil
                }
            }
        }
        return held
    }

    private static func isOuter(_ name: TagName) -> Bool { name == .step || name == .generalized || name == .answer }
}
