import Foundation

/// An answer made ready for comparison: read, and both ways where commas are ambiguous.
struct AnswerReading {
    let text: String
    /// As mathematics; nil for words.
    let form: AnswerForm?
    /// With every comma a separator; nil where that makes no difference.
    let alternative: AnswerForm?

    /// Reads an answer without boxes and phrases around it; see ``unwrapped(_:)``.
    init(_ text: String) {
        self.text = text
        guard let scan = MathScanner.scan(text, joinsThousands: true) else {
            form = nil
            alternative = nil
            return
        }
        // Between dollar signs `{1,3}` is what `1,3` is.
        let isPlain = !text.hasByte(UInt8(ascii: "\\")) && !text.hasByte(UInt8(ascii: "$"))
        let parsed = Self.date(scan.tokens) ?? AnswerParser.parse(scan.tokens, bracesAreSets: isPlain)
        let measured = AnswerParser.measured(scan.tokens)
        form = measured ?? parsed ?? Self.set(inWords: text) ?? Self.set(ofWords: text) ?? Self.stated(in: text)
        if measured != nil {
            alternative = parsed
            return
        }
        if scan.hasAmbiguousComma, Thousands.mayBeList(text), let other = MathScanner.scan(text, joinsThousands: false)
        {
            alternative = AnswerParser.parse(other.tokens)
        } else {
            alternative = Self.joined(text).flatMap { MathScanner.scan($0, joinsThousands: true) }.flatMap {
                AnswerParser.parse($0.tokens)
            }
        }
    }

    /// `3 and 1/2` as the mixed number that it may be, and `3 to 4` as a ratio; nil for anything else.
    private static func joined(_ text: String) -> String? {
        guard text.utf8.count <= 60, text.hasByte(UInt8(ascii: " ")) else { return nil }
        let words = text.split(separator: " ")
        guard words.count >= 3 else { return nil }
        func isWhole(_ word: Substring) -> Bool { !word.isEmpty && word.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        func isFraction(_ word: Substring) -> Bool {
            let parts = word.split(separator: "/", omittingEmptySubsequences: false)
            return parts.count == 2 && parts.allSatisfy(isWhole) || word.hasPrefix("\\frac{") && word.hasSuffix("}")
        }
        let whole = words[0].hasPrefix("-") ? words[0].dropFirst() : words[0]
        guard isWhole(whole) else { return nil }
        if words[1] == "and", isFraction(words[2]) {
            return ([words[0]] + words[2...]).joined(separator: " ")
        }
        return words.count == 3 && words[1] == "to" && isWhole(words[2]) ? "\(words[0]):\(words[2])" : nil
    }

    /// `1/2/2000` is a date, not a quotient, and the same as `01/02/2000`; nil for anything else.
    private static func date(_ tokens: [MathToken]) -> AnswerForm? {
        guard tokens.count == 5, tokens[1].kind == tokens[3].kind, tokens[1].kind == .slash || tokens[1].kind == .minus
        else {
            return nil
        }
        var parts: [String] = []
        for index in [0, 2, 4] {
            guard case .number(let text) = tokens[index].kind, text.places == nil, !tokens[index].hasSpace || index == 0
            else { return nil }
            parts.append(text.digits)
        }
        let digits = parts.map(\.utf8.count)
        guard digits == [4, 2, 2] || digits[0] <= 2 && digits[1] <= 2 && digits[2] == 4 else { return nil }
        let values = parts.compactMap { Int($0).map(String.init) }
        return .time(values.joined(separator: tokens[1].kind == .slash ? "/" : "-"))
    }

    /// What a sentence states: 34 of "The largest n is 34".
    private static func stated(in text: String) -> AnswerForm? {
        guard let statement = AnswerPhrases.statement(in: text),
            let scan = MathScanner.scan(statement, joinsThousands: true)
        else { return nil }
        return AnswerParser.parse(scan.tokens)
    }

    /// `\\{red, blue\\}`: words between the braces of a set; nil for anything else.
    private static func set(ofWords text: String) -> AnswerForm? {
        let marks = "$ ".unicodeScalars
        let scalars = text.unicodeScalars.drop { marks.contains($0) }
        var inner = String(scalars).trimmed
        while inner.hasSuffix("$") { inner = String(inner.dropLast()).trimmed }
        inner = inner.replacingOccurrences(of: "\\left", with: "").replacingOccurrences(of: "\\right", with: "")
        for (open, close) in [("\\{", "\\}"), ("{", "}")]
        where inner.hasPrefix(open) && inner.hasSuffix(close) && inner.utf8.count > open.utf8.count + close.utf8.count {
            let words = inner.dropFirst(open.count).dropLast(close.count)
            let members = words.split(separator: ",", omittingEmptySubsequences: false).map {
                AnswerWords.normalised(String($0), folded: true)
            }
            let bare = words.replacing("\\text{", with: "").replacing("\\mathrm{", with: "")
            guard members.count <= AnswerParser.maximumMembers, !members.contains(where: \.isEmpty),
                bare.allSatisfy({ $0.isLetter || " ,'}".contains($0) })
            else { return nil }
            return .sequence(SequenceAnswer(open: .brace, close: .brace, members: members.map { .text($0) }))
        }
        return nil
    }

    /// All numbers, or none, said in words.
    private static func set(inWords text: String) -> AnswerForm? {
        guard text.utf8.count <= 60 else { return nil }
        switch AnswerWords.normalised(text, folded: true) {
        case "all real numbers", "all reals", "all real values", "set of all real numbers": return .realSet(.all)
        case "no solution", "no solutions", "no real solution", "no real solutions", "empty set":
            return .realSet(.empty)
        default: return nil
        }
    }

    // MARK: Wrappings

    /// Without blanks, emphasis, the box and "the answer is" around the answer.
    static func unwrapped(_ answer: String) -> String {
        var text = withoutTags(answer).trimmed
        for _ in 0..<4 {
            let before = text.utf8.count
            text = withoutEmphasis(text)
            if let phrase = AnswerPhrases.remainder(of: text) { text = phrase }
            if let boxed = Boxes.contents(of: text) { text = boxed }
            if text.utf8.count == before { break }
        }
        return text
    }

    /// What stands behind a thought, and between the tags of an answer.
    private static func withoutTags(_ answer: String) -> String {
        guard answer.hasByte(UInt8(ascii: "<")), answer.contains("</") else { return answer }
        var text = answer[...]
        if let end = text.range(of: "</think>", options: .backwards) { text = text[end.upperBound...] }
        for tag in ["answer", "Answer"] {
            guard let open = text.range(of: "<\(tag)>"), let close = text.range(of: "</\(tag)>", options: .backwards),
                open.upperBound <= close.lowerBound
            else { continue }
            text = text[open.upperBound..<close.lowerBound]
        }
        return String(text)
    }

    private static func withoutEmphasis(_ text: String) -> String {
        switch text.utf8.first ?? 0 {
        case UInt8(ascii: "*"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "\""), 0x80...: break
        default: return text
        }
        for mark in ["**", "__", "`", "\"", "\u{201C}"] where text.hasPrefix(mark) {
            let close = mark == "\u{201C}" ? "\u{201D}" : mark
            guard text.hasSuffix(close), text.count >= mark.count + close.count else { continue }
            return String(text.dropFirst(mark.count).dropLast(close.count)).trimmed
        }
        return text
    }
}

/// `\boxed{…}` in an answer.
enum Boxes {
    /// What the boxes hold, by commas where there are several; nil where there is none, or where they stand in the midst of
    /// mathematics.
    static func contents(of text: String) -> String? {
        guard text.hasByte(UInt8(ascii: "\\")), BoxedAnswer.names.contains(where: { text.hasBytes($0) }) else {
            return nil
        }
        let scalars = text.scalarArray
        let names = ["\\boxed{", "\\fbox{", "\\boxed {"].map { Array($0.unicodeScalars) }
        var contents: [String] = []
        var outside = ""
        var index = 0
        while index < scalars.count {
            guard scalars[index] == "\\", let name = names.first(where: { scalars[index...].starts(with: $0) }) else {
                outside.unicodeScalars.append(scalars[index])
                index += 1
                continue
            }
            let start = index + name.count
            var level = 1
            var end = start
            while end < scalars.count {
                if scalars[end] == "{" { level += 1 }
                if scalars[end] == "}" { level -= 1 }
                if level == 0 { break }
                end += 1
            }
            let content = MathScanner.string(scalars[start..<end]).trimmed
            if !contents.contains(content), contents.count < AnswerParser.maximumMembers { contents.append(content) }
            index = min(end + 1, scalars.count)
        }
        guard !contents.isEmpty else { return nil }
        if contents.count == 1, isUnit(outside) { return contents[0] + " " + outside.trimmed }
        // `\boxed{1} papers and \boxed{2} bins`: only the boxes count.
        return contents.joined(separator: ", ")
    }

    /// `\boxed{28} percent`.
    private static func isUnit(_ outside: String) -> Bool {
        let words = outside.split { !$0.isLetter && $0 != "%" }
        return words.count == 1 && outside.utf8.count <= 24 && !outside.contains("=")
            && (words.first.map {
                $0 == "%" || $0.lowercased().hasPrefix("p") && ["percent", "pct"].contains($0.lowercased())
            } ?? false)
    }
}

/// Phrases that announce an answer.
enum AnswerPhrases {
    private static let words: Set<Substring> = [
        "so", "therefore", "thus", "hence", "the", "my", "final", "correct", "right", "best", "answer", "option",
        "choice",
        "solution", "solutions", "result", "is", "are", "would", "be", "to", "this", "problem", "question", "value",
        "we", "get",
        "have", "that",
    ]
    private static let nouns: Set<Substring> = ["answer", "option", "choice", "solution", "solutions", "result"]
    private static let conclusions: Set<Substring> = ["therefore", "thus", "hence"]

    /// What follows the only "is" of a sentence of words; nil for anything else.
    static func statement(in text: String) -> String? {
        guard text.utf8.first.map({ $0 >= 0x41 }) ?? false else { return nil }
        let parts = text.split(separator: " ")
        let verbs = parts.indices.filter { parts[$0] == "is" || parts[$0] == "are" }
        guard verbs.count == 1, let verb = verbs.first, verb >= 2, verb + 1 < parts.count,
            !parts[..<verb].contains(where: { $0.contains { $0.isNumber || ",.;:=<>".contains($0) } })
        else { return nil }
        return parts[(verb + 1)...].joined(separator: " ")
    }

    /// Whether a phrase stands before an answer.
    static func announces(_ answer: String) -> Bool {
        answer.hasByte(UInt8(ascii: " ")) && remainder(of: answer.trimmed) != nil
    }

    /// What follows "the answer is" and its like at an answer's start; nil where there is no such phrase.
    static func remainder(of text: String) -> String? { mayStart(text) ? remainderOfAny(text) : nil }

    /// Whether one of ``words`` may stand at a text's start, told by its bytes: letters, no more than nine of them, and one of
    /// the signs that may stand behind.
    private static func mayStart(_ text: String) -> Bool {
        var length = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
                length += 1
                guard length <= 9 else { return false }
            case 0x80...: return true
            case UInt8(ascii: " "), UInt8(ascii: ":"), UInt8(ascii: ","), UInt8(ascii: "*"), UInt8(ascii: "\n"):
                return length > 0
            default: return false
            }
        }
        return false
    }

    /// The general path of ``remainder(of:)``.
    static func remainderOfAny(_ text: String) -> String? {
        guard text.utf8.first.map({ $0 >= 0x41 }) ?? false else { return nil }
        var rest = text[...]
        var hasNoun = false
        var hasConclusion = false
        var count = 0
        var last: Substring = ""
        while count < 12 {
            let word = rest.prefix { $0.isLetter }
            let lower = Substring(word.lowercased())
            guard !word.isEmpty, words.contains(lower) else { break }
            let after = rest[word.endIndex...]
            guard let next = after.first, " :,*\n".contains(next) else { break }
            hasNoun = hasNoun || nouns.contains(lower)
            hasConclusion = hasConclusion || conclusions.contains(lower)
            last = lower
            rest = after.drop { " :,*\n".contains($0) }
            count += 1
        }
        guard count > 0, !rest.isEmpty, hasNoun || hasConclusion else { return nil }
        // "the result of it" and "right angle" announce nothing.
        let announces =
            ["is", "are", "be", "get", "have", "that"].contains(last) || nouns.contains(last)
            || hasConclusion && count == 1
        return announces ? String(rest).trimmed : nil
    }
}

/// Commas between groups of three digits.
enum Thousands {
    /// Whether figures with such commas may be a list of numbers, too.
    ///
    /// `1,234` is a number: of a list, whose members are blanks apart, nobody leaves out just the blanks that make thousands
    /// of it. `100,200` has members of one length, and `1,2,345` is no number as a whole.
    static func mayBeList(_ text: String) -> Bool {
        let runs = text.utf8.split { !(0x30...0x39).contains($0) && $0 != UInt8(ascii: ",") }
        return !runs.contains { run in
            let groups = run.split(separator: UInt8(ascii: ","))
            guard groups.count > 1, let first = groups.first, first.count <= 3 else { return false }
            let rest = groups.dropFirst()
            return rest.allSatisfy { $0.count == 3 }
                && (first.count < 3 || rest.contains { $0.first == UInt8(ascii: "0") })
        }
    }
}

/// The European decimal comma.
enum DecimalComma {
    /// `2,74` and `2,74 €` with a point; nil for anything else.
    ///
    /// Only of two places, which neither thousands nor lists have as a rule: `1,2` is a list. Behind a lone 0, where no group
    /// of thousands can stand, also of three: `0,125`.
    static func withPoint(_ text: String) -> String? {
        // `€ 5,00`
        let money = text.prefix { !$0.isNumber && $0 != "-" }
        if !money.isEmpty {
            guard money.utf8.count <= 8,
                money.contains(where: { $0.isCurrencySymbol })
                    || MathCommands.currencyCodes.union(["EUR"]).contains(String(money).trimmed)
            else { return nil }
            return withPoint(String(text[money.endIndex...])).map { money + $0 }
        }
        let bytes = Array(text.utf8)
        guard bytes.count <= 40, let comma = bytes.firstIndex(of: UInt8(ascii: ",")), comma > 0 else { return nil }
        func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        var start = 0
        if bytes[0] == UInt8(ascii: "-") { start = 1 }
        guard start < comma, bytes[start..<comma].allSatisfy(isDigit) else { return nil }
        let end = bytes[(comma + 1)...].firstIndex { !isDigit($0) } ?? bytes.count
        let isBelowOne = comma - start == 1 && bytes[start] == UInt8(ascii: "0")
        guard end - comma == 3 || isBelowOne && end - comma == 4,
            end == bytes.count || bytes[end] == 0x20 || bytes[end] >= 0x80 || bytes[end] == UInt8(ascii: "$")
        else { return nil }
        guard !bytes[end...].contains(where: { isDigit($0) || $0 == UInt8(ascii: ",") }) else { return nil }
        return String(decoding: bytes[..<comma] + [UInt8(ascii: ".")] + bytes[(comma + 1)...], as: UTF8.self)
    }
}
