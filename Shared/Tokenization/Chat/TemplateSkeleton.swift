import Foundation

/// A chat template (Jinja) in one spelling, so that it can be compared with known ones.
///
/// The template is not run. White space is dropped as `transformers` drops it (`trim_blocks`, `lstrip_blocks` and the
/// marks with a minus), quotes are doubled, and inside `{{ }}` and `{% %}` only what stands in quotes keeps its spaces.
struct TemplateSkeleton {
    /// The whole, its tags without spaces: `{{"<|user|>\n"+message["content"]}}`.
    let text: String
    /// Whether anything but tags is left: text that every conversation gets.
    let hasText: Bool

    init(_ template: String) {
        var text = ""
        var hasText = false
        var rest = Substring(template)
        var stripsNext = false
        var trimsNext = false
        while !rest.isEmpty {
            let tag = Self.nextTag(rest)
            var plain = tag.map { rest[..<$0.range.lowerBound] } ?? rest
            // Jinja itself drops one line feed at the very end.
            if tag == nil, plain.unicodeScalars.last == "\n" { plain.unicodeScalars.removeLast() }
            if stripsNext {
                plain = plain.drop(while: \.isWhitespace)
            } else if trimsNext, plain.unicodeScalars.first == "\n" {
                plain.unicodeScalars.removeFirst()
            }
            guard let tag else {
                text += plain
                if !plain.isEmpty { hasText = true }
                break
            }
            if tag.stripsBefore {
                while plain.last?.isWhitespace == true { plain.removeLast() }
            } else if tag.kind != "{" {
                let line = plain.lastIndex(of: "\n").map { plain[plain.index(after: $0)...] } ?? plain
                let isLineStart = line.startIndex > plain.startIndex || text.isEmpty || trimsNext
                if isLineStart, line.allSatisfy({ $0 == " " || $0 == "\t" }) { plain = plain[..<line.startIndex] }
            }
            text += plain
            if !plain.isEmpty { hasText = true }
            if tag.kind != "#" {
                text += tag.kind == "{" ? "{{" : "{%"
                text += Self.compact(tag.body)
                text += tag.kind == "{" ? "}}" : "%}"
            }
            stripsNext = tag.stripsAfter
            trimsNext = tag.kind != "{"
            rest = rest[tag.range.upperBound...]
        }
        self.text = text.replacingOccurrences(of: "message.content", with: "message[\"content\"]")
        self.hasText = hasText
    }

    /// Whether all parts occur.
    func has(_ parts: String...) -> Bool { parts.allSatisfy { text.contains($0) } }

    /// The only one of `candidates` that occurs as a tag of its own, by what `spelling` makes of it.
    func only<Candidate>(_ candidates: [Candidate], _ spelling: (Candidate) -> String) -> Candidate? {
        let found = candidates.filter { text.contains("{{\(spelling($0))}}") }
        return found.count == 1 ? found[0] : nil
    }

    private struct Tag {
        let range: Range<Substring.Index>
        /// `{`, `%` or `#`.
        let kind: Character
        let body: Substring
        let stripsBefore: Bool
        let stripsAfter: Bool
    }

    private static func nextTag(_ text: Substring) -> Tag? {
        var start = text.startIndex
        while let open = text[start...].firstIndex(of: "{") {
            let second = text.index(after: open)
            guard second < text.endIndex else { return nil }
            let kind = text[second]
            guard let close: Character = ["{": "}", "%": "%", "#": "#"][kind] else {
                start = second
                continue
            }
            var position = text.index(after: second)
            let bodyStart = position
            var quote: Character?
            while position < text.endIndex {
                let character = text[position]
                let next = text.index(after: position)
                if let mark = quote {
                    if character == "\\", next < text.endIndex {
                        position = text.index(after: next)
                        continue
                    }
                    if character == mark { quote = nil }
                } else if kind != "#", character == "'" || character == "\"" {
                    quote = character
                } else if character == close, next < text.endIndex, text[next] == "}" {
                    var body = text[bodyStart..<position]
                    let stripsBefore = body.first == "-"
                    if stripsBefore { body.removeFirst() }
                    let stripsAfter = body.last == "-"
                    if stripsAfter { body.removeLast() }
                    return Tag(
                        range: open..<text.index(after: next),
                        kind: kind,
                        body: body,
                        stripsBefore: stripsBefore,
                        stripsAfter: stripsAfter
                    )
                }
                position = next
            }
            return nil
        }
        return nil
    }

    /// A tag's inside without spaces outside quotes, all quotes double and line feeds in them as such.
    private static func compact(_ body: Substring) -> String {
        var result = ""
        var quote: Character?
        var isEscaped = false
        for character in body {
            if let mark = quote {
                if isEscaped {
                    result.append(character == "n" ? "\n" : character)
                    isEscaped = false
                } else if character == "\\" {
                    isEscaped = true
                } else if character == mark {
                    quote = nil
                    result.append("\"")
                } else {
                    result.append(character)
                }
            } else if character == "'" || character == "\"" {
                quote = character
                result.append("\"")
            } else if !character.isWhitespace {
                result.append(character)
            }
        }
        return result
    }
}
