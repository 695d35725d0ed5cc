/// Reads headings and labels in place of tags: `### Step 1`, `**Step 2: Find the cost**`, `Key: …`, `**Answer:** 5`.
enum LineMarkers {
    /// What is looked for beside the labels of notes, the method and the answer.
    enum Steps: Sendable {
        case none
        /// `Step 1`, in a heading, in bold or before a colon.
        case named
        /// `1.` or `1)`.
        case numbered
    }

    /// The events of a text outside of closed elements, which begins at the start of a line.
    static func events(in text: String, steps: Steps) -> [TagEvent] {
        var events: [TagEvent] = []
        var note: TagName?
        func endNote() {
            if let name = note { events.append(.close(name, nil)) }
            note = nil
        }
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            if isFrame(line) { continue }
            let bare = line.drop { $0.isWhitespace }
            if bare.isEmpty {
                // A note is a paragraph.
                endNote()
                events.append(.text("\n"))
                continue
            }
            guard let marker = marker(bare, steps: steps) else {
                events.append(.text(plain(line) + "\n"))
                continue
            }
            endNote()
            if [.key, .cause, .correction].contains(marker.name) { note = marker.name }
            if marker.name == .step { events.append(.close(.step, nil)) }
            events.append(.open(marker.name, marker.number))
            let rest = plain(marker.rest).trimmed
            if marker.name == .answer {
                // An answer is a line, the next one where the label stands alone.
                if !rest.isEmpty { events += [.text(rest), .close(.answer, nil)] }
            } else if marker.isTitle, !rest.isEmpty {
                events.append(.title(rest))
            } else {
                events.append(.text(rest + "\n"))
            }
        }
        endNote()
        return events
    }

    /// Whether a line is a fence of code or a rule.
    static func isFrame(_ line: Substring) -> Bool {
        let line = line.drop { $0.isWhitespace }
        if line.hasPrefix("```") || line.hasPrefix("~~~") {
            return line.drop { $0 == "`" || $0 == "~" }.allSatisfy { $0.isLetter || $0.isWhitespace }
        }
        guard let first = line.first, "-*_=".contains(first) else { return false }
        return line.count(where: { $0 == first }) >= 3 && line.allSatisfy { $0 == first || $0.isWhitespace }
    }

    // MARK: One line

    private struct Marker {
        var name: TagName
        var number: Int?
        var rest: Substring
        /// Whether the rest is a heading's.
        var isTitle = false
    }

    private static func marker(_ line: Substring, steps: Steps) -> Marker? {
        var rest = line
        var isHeading = false
        // Quotes, bullets and headings, each with a blank behind it.
        while let first = rest.first, ">#-+*\u{2022}".contains(first) {
            let sign = rest.prefix { $0 == first }
            let after = rest.dropFirst(sign.count)
            if first == "*", sign.count > 1 || after.first != " " { break }
            if first == "#" {
                // GSM8K's last line.
                if sign.count >= 4, let digit = after.drop(while: { " *$".contains($0) }).first, digit.isNumber {
                    return Marker(name: .answer, rest: after)
                }
                isHeading = true
            }
            rest = after.drop { $0 == " " || $0 == "\t" }
        }
        let emphasis = rest.prefix { $0 == "*" || $0 == "_" || $0 == "`" }
        rest = rest.dropFirst(emphasis.count)
        if case .numbered = steps, let number = leading(&rest) {
            return Marker(name: .step, number: number, rest: rest)
        }
        if rest.first == "[" || rest.first == "(" { rest = rest.dropFirst() }
        guard let label = label(&rest, steps: steps) else { return nil }
        let isBold = !emphasis.isEmpty
        // What ends a label: a colon, a stop, a dash, closing emphasis, or the line.
        var ended = rest.isEmpty
        var colon = false
        var closed = false
        while let sign = rest.first {
            if sign == ":" || sign == "\u{FF1A}" {
                (colon, ended) = (true, true)
            } else if sign == "*" || sign == "_" || sign == "`" || sign == "]" || sign == ")" {
                (closed, ended) = (true, true)
            } else if sign == "." || sign == "-" || sign == "\u{2013}" || sign == "\u{2014}" {
                if label.name != .step { break }
                ended = true
            } else if sign != " " && sign != "\t" {
                break
            }
            rest = rest.dropFirst()
        }
        guard ended || label.name == .step && (isHeading || isBold) else { return nil }
        if label.name != .step, !colon, !(isHeading || isBold && closed) { return nil }
        if label.name != .step, !colon, !rest.isEmpty, !closed { return nil }
        var marker = Marker(name: label.name, number: label.number, rest: rest)
        // `**Step 2: Find the cost**` is a title, `**Step 2:** She pays …` is not.
        marker.isTitle = label.name == .step && (isHeading || isBold && !closed && endsInEmphasis(rest))
        return marker
    }

    private static func endsInEmphasis(_ text: Substring) -> Bool {
        guard let last = text.last(where: { !$0.isWhitespace && $0 != ":" }) else { return false }
        return last == "*" || last == "_"
    }

    /// `12.` or `12)` with a blank behind it.
    private static func leading(_ rest: inout Substring) -> Int? {
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard (1...2).contains(digits.count), let number = Int(digits) else { return nil }
        let after = rest.dropFirst(digits.count)
        guard let sign = after.first, sign == "." || sign == ")", let blank = after.dropFirst().first,
            blank == " " || blank == "*"
        else { return nil }
        rest = after.dropFirst().drop { $0 == " " || $0 == "*" }
        return number
    }

    /// The labels with their elements.
    private static let labels: [(text: String, name: TagName)] = {
        let groups: [(texts: [String], name: TagName)] = [
            (
                [
                    "key note", "key notes", "key point", "key points", "key insight", "key idea", "key step",
                    "key concept",
                ],
                .key
            ),
            (["key takeaway", "key", "keys"], .key),
            (
                ["generalized method", "generalised method", "generalized approach", "generalized solution"],
                .generalized
            ),
            (["general method", "general approach", "general strategy", "in general", "generalized"], .generalized),
            (["generalised", "generalization", "generalisation", "summary"], .generalized),
            (["the final answer", "the answer", "final answer", "final result", "answer"], .answer),
            (["cause", "why it is wrong"], .cause),
            (["correction", "corrected step", "correct step"], .correction),
        ]
        return groups.flatMap { group in group.texts.map { (text: $0, name: group.name) } }
    }()

    private static func label(_ rest: inout Substring, steps: Steps) -> (name: TagName, number: Int?)? {
        let lower = rest.prefix(32).lowercased()
        if case .named = steps, lower.hasPrefix("step") {
            var after = rest.dropFirst(4).drop { $0 == " " || $0 == "#" || $0 == "_" }
            let digits = after.prefix { $0.isASCII && $0.isNumber }
            if let number = Int(digits.prefix(6)), digits.count <= 6 {
                after = after.dropFirst(digits.count)
                // `Step 1.2` is a part of one.
                if after.first == ".", after.dropFirst().first?.isNumber == true { return nil }
                rest = after
                return (.step, number)
            }
            let word = after.prefix { $0.isLetter }
            if let number = TagName.numbers[word.lowercased()] {
                rest = after.dropFirst(word.count)
                return (.step, number)
            }
        }
        for (text, name) in labels {
            guard lower.hasPrefix(text) else { continue }
            let after = rest.dropFirst(text.count)
            if after.first?.isLetter == true || after.first?.isNumber == true { continue }
            rest = after
            return (name, nil)
        }
        return nil
    }

    /// A line without pairs of `**` and `__` around words; `2**3` is a power.
    static func plain(_ line: Substring) -> String {
        guard line.contains("**") || line.contains("__") else { return String(line) }
        let characters = Array(line)
        var result = ""
        var index = 0
        while index < characters.count {
            let character = characters[index]
            guard character == "*" || character == "_", index + 1 < characters.count,
                characters[index + 1] == character
            else {
                result.append(character)
                index += 1
                continue
            }
            let before = index > 0 ? characters[index - 1] : " "
            let behind = index + 2 < characters.count ? characters[index + 2] : " "
            let isPower =
                (before.isNumber || before == ")" || before == " ") && (behind.isNumber || behind == " ")
                && character == "*" && before != " " || before == " " && behind == " "
            if isPower {
                result.append(character)
                result.append(character)
            }
            index += 2
        }
        return result
    }
}
