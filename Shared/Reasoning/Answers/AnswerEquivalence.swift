import Foundation

/// Whether two answers are the same: numbers by exact value, everything else by normalised text.
public enum AnswerEquivalence {
    /// Longer answers are compared as plain text only.
    public static let maximumLength = 2_000

    /// Compares a gold and a predicted answer.
    ///
    /// Currency signs, units, percent signs, thousands separators and
    /// common LaTeX do not count; fractions and decimals are compared exactly, and a prediction that is rounded
    /// to at least two places counts as its fraction. Always ends, in time linear in both lengths but for lists.
    public static func equivalent(gold: String, predicted: String) -> Bool {
        guard !gold.trimmed.isEmpty, !predicted.trimmed.isEmpty else { return false }
        if gold == predicted { return true }
        guard gold.utf8.count <= maximumLength, predicted.utf8.count <= maximumLength else {
            return gold.trimmed == predicted.trimmed
        }
        let left = normalised(gold)
        let right = normalised(predicted)
        if left == right { return !left.isEmpty }
        if let a = number(left), let b = number(right) { return same(a, left, b, right) }
        let a = sides(left)
        let b = sides(right)
        if a != left || b != right, !a.isEmpty, !b.isEmpty {
            if a == b { return true }
            if let first = number(a), let second = number(b) { return same(first, a, second, b) }
        }
        return lists(left, right)
    }

    private static func same(_ a: Rational, _ left: String, _ b: Rational, _ right: String) -> Bool {
        if a == b { return true }
        guard !a.isWhole || !b.isWhole else { return false }
        return isRounding(of: a, by: b, right) || isRounding(of: b, by: a, left)
    }

    /// A decimal of at least two places that is the other number rounded to them.
    private static func isRounding(of exact: Rational, by claimed: Rational, _ text: String) -> Bool {
        guard let point = text.lastIndex(of: "."), !exact.isWhole else { return false }
        let places = text[text.index(after: point)...].prefix { $0.isNumber }.count
        let scale = Rational(decimal: "0." + String(repeating: "0", count: min(places, 15)) + "5")
        guard places >= 2, let scale, let difference = exact.subtracting(claimed) else { return false }
        return (difference < Rational(0) ? Rational(0).subtracting(difference) ?? difference : difference) <= scale
    }

    /// `x = 5` and `5`: the right-hand side.
    private static func sides(_ text: String) -> String {
        guard let sign = text.lastIndex(of: "="), text.firstIndex(of: "=") == sign else { return text }
        let name = text[..<sign]
        guard name.count <= 12, name.allSatisfy({ $0.isLetter || $0 == "(" || $0 == ")" || $0 == "_" || $0 == "," })
        else { return text }
        return String(text[text.index(after: sign)...])
    }

    private static func lists(_ left: String, _ right: String) -> Bool {
        let a = left.split(separator: ",")
        let b = right.split(separator: ",")
        guard a.count == b.count, a.count > 1, a.count <= 64 else { return false }
        return zip(a, b).allSatisfy { one, other in
            if one == other { return true }
            let first = String(one).trimmingCharacters(in: CharacterSet(charactersIn: "()[]{}"))
            let second = String(other).trimmingCharacters(in: CharacterSet(charactersIn: "()[]{}"))
            guard let a = number(first), let b = number(second) else { return false }
            return same(a, first, b, second)
        }
    }

    /// The value of a normalised answer.
    static func number(_ text: String) -> Rational? {
        guard text.utf8.count <= 120, text.contains(where: \.isNumber) else { return nil }
        if let value = Rational(decimal: text) { return value }
        // A mixed number: 918 1/2.
        let parts = text.split(separator: "&")
        if parts.count == 2, let whole = Rational(decimal: parts[0]), let part = Arithmetic.evaluate(String(parts[1])) {
            return whole < Rational(0) ? whole.subtracting(part) : whole.adding(part)
        }
        guard !text.contains(where: { $0.isLetter }) else { return nil }
        return Arithmetic.evaluate(text)
    }

    private static let removed = [
        "\\left", "\\right", "\\!", "\\,", "\\;", "\\:", "\\ ", "\\quad", "\\displaystyle", "\\(", "\\)", "\\[", "\\]",
        "\\$", "$", "\u{20AC}", "\u{A3}", "\\%", "%", "\\circ", "^{}", "\\mathrm", "\\textbf", "\\mbox",
    ]

    private static let units: Set<String> = [
        "dollars", "dollar", "cents", "cent", "percent", "pct", "units", "unit", "miles", "mile", "hours", "hour",
        "minutes", "minute", "days", "day", "weeks", "week", "months", "month", "years", "year", "pounds", "feet",
        "inches", "meters", "metres", "cm", "km", "kg", "mph", "people", "students", "pages", "points", "usd", "yuan",
        "old", "per", "a", "an", "the", "is", "total",
    ]

    static func normalised(_ answer: String) -> String {
        var text = answer.trimmed
        if let boxed = text.range(of: "\\boxed{"), text.hasSuffix("}"), boxed.lowerBound == text.startIndex {
            text = String(text[boxed.upperBound...].dropLast())
        }
        if let approximate = text.range(of: "\\approx") { text = String(text[..<approximate.lowerBound]) }
        text = unfractioned(text)
        text = removingText(text)
        for piece in removed where text.contains(piece) { text = text.replacingOccurrences(of: piece, with: "") }
        for (piece, plain) in [
            ("\\cdot", "*"), ("\\times", "*"), ("\\div", "/"), ("\u{2212}", "-"), ("\\\\", ""), ("\\pi", "pi"),
        ]
        where text.contains(piece) {
            text = text.replacingOccurrences(of: piece, with: plain)
        }
        text = text.lowercased()
        text = dropUnits(text)
        text = joined(text)
        while let last = text.last, ".!\\".contains(last) { text.removeLast() }
        if text.hasPrefix("+") { text.removeFirst() }
        return text
    }

    /// Words after a number are units; of known ones only, unless the number stands first.
    private static func dropUnits(_ text: String) -> String {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count > 1 else { return unitless(text) }
        let startsWithNumber = words.first.map { Arithmetic.evaluate(String($0)) != nil } ?? false
        let kept = words.enumerated().filter { index, word in
            if startsWithNumber, index > 0, word.allSatisfy({ $0.isLetter || ".-/".contains($0) }),
                word.contains(where: \.isLetter), word.count > 1
            {
                return false
            }
            return !units.contains(String(word).trimmingCharacters(in: .punctuationCharacters))
        }.map { String($0.element) }
        return kept.isEmpty ? text : kept.joined(separator: " ")
    }

    /// `125miles` and `5cm`.
    private static func unitless(_ text: String) -> String {
        let digits = text.prefix { $0.isNumber || $0 == "." || $0 == "," }
        let rest = text[digits.endIndex...].drop { $0 == "-" }
        guard !digits.isEmpty, units.contains(String(rest)) else { return text }
        return String(digits)
    }

    /// Without blanks and thousands separators.
    private static func joined(_ text: String) -> String {
        var result = ""
        let characters = Array(text)
        for (index, character) in characters.enumerated() {
            if character.isWhitespace { continue }
            if character == ",", index > 0, characters[index - 1].isNumber, isGroup(characters, index + 1) { continue }
            result.append(character)
        }
        return result
    }

    private static func isGroup(_ characters: [Character], _ start: Int) -> Bool {
        guard start + 3 <= characters.count, characters[start..<(start + 3)].allSatisfy({ $0.isNumber }) else {
            return false
        }
        return start + 3 == characters.count || !characters[start + 3].isNumber
    }

    /// `\frac{a}{b}`, `\frac12` and their kin become `(a)/(b)`; a number before one makes a mixed number.
    private static func unfractioned(_ text: String) -> String {
        guard text.contains("frac") else { return text }
        var result = ""
        var rest = text[...]
        var rounds = 0
        while let range = rest.range(of: "frac"), rounds < 64 {
            rounds += 1
            guard let slash = rest[..<range.lowerBound].lastIndex(of: "\\"),
                rest.distance(from: slash, to: range.lowerBound) <= 2
            else {
                result += rest[..<range.upperBound]
                rest = rest[range.upperBound...]
                continue
            }
            result += rest[..<slash]
            rest = rest[range.upperBound...].drop { $0 == " " }
            let top = takeArgument(&rest)
            let bottom = takeArgument(&rest)
            if result.trimmed.last?.isNumber == true { result += "&" }
            result += isPlain(top) && isPlain(bottom) ? "\(top)/\(bottom)" : "(\(top))/(\(bottom))"
        }
        return result + rest
    }

    private static func isPlain(_ text: String) -> Bool { text.allSatisfy { $0.isNumber || $0 == "-" } }

    private static func takeArgument(_ rest: inout Substring) -> String {
        rest = rest.drop { $0 == " " }
        guard rest.first == "{" else {
            let one = rest.prefix(1)
            rest = rest.dropFirst()
            return String(one)
        }
        var depth = 0
        for index in rest.indices {
            if rest[index] == "{" { depth += 1 }
            if rest[index] == "}" { depth -= 1 }
            if depth == 0 {
                let content = rest[rest.index(after: rest.startIndex)..<index]
                rest = rest[rest.index(after: index)...]
                return String(content)
            }
        }
        let content = rest.dropFirst()
        rest = rest[rest.endIndex...]
        return String(content)
    }

    /// `\text{ units}` after a number goes; before or alone its content stays.
    private static func removingText(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        for _ in 0..<64 {
            guard let range = rest.range(of: "\\text") else { break }
            result += rest[..<range.lowerBound]
            rest = rest[range.upperBound...].drop { $0.isLetter }
            guard rest.first == "{" else { continue }
            let content = takeArgument(&rest)
            if number(result.trimmed.replacingOccurrences(of: "$", with: "")) == nil { result += content }
        }
        return result + rest
    }
}
