/// Normal forms of answers that are words.
enum AnswerWords {
    /// The words in lower case, without articles, punctuation and markup; numbers and other signs stay.
    ///
    /// `folded` false keeps case, articles and inner punctuation.
    static func normalised(_ text: String, folded: Bool) -> String {
        let scalars = withoutCommands(MathNormalisation.scalars(of: text))
        var words: [String] = []
        var word: [Unicode.Scalar] = []
        func flush() {
            if !word.isEmpty { words.append(String(scalars: word[...])) }
            word.removeAll(keepingCapacity: true)
        }
        for (index, scalar) in scalars.enumerated() {
            let before = index > 0 ? scalars[index - 1] : " "
            let after = index + 1 < scalars.count ? scalars[index + 1] : " "
            if scalar.isAlphabetic || isDigit(scalar)
                || !scalar.isASCII && scalar.properties.canonicalCombiningClass != .notReordered
            {
                word.append(scalar)
            } else if isPartOfNumber(scalar, before: before, after: after) {
                word.append(scalar)
            } else if scalar == "'" {
                continue
            } else {
                flush()
                if !isPunctuation(scalar) || !folded && !scalar.isWhitespace {
                    words.append(String(Character(scalar)))
                }
            }
        }
        flush()
        guard folded else {
            if words.last == "." { words.removeLast() }
            return words.joined(separator: " ")
        }
        words = words.map { $0.lowercased() }
        // An article stands before a word; `A, D` are two options.
        let content = words.enumerated().filter { index, word in
            !["a", "an", "the"].contains(word) || index + 1 == words.count || words[index + 1].unicodeScalars.count == 1
        }
        return content.map(\.element).joined(separator: " ")
    }

    /// Whether two answers have the same words.
    ///
    /// `exactly` keeps punctuation: beside mathematics `-[0,1)` is not `[0,1)`, and `5!` not `5`.
    static func areSame(_ a: String, _ b: String, folded: Bool, exactly: Bool) -> Bool {
        guard folded, exactly else { return normalised(a, folded: folded) == normalised(b, folded: folded) }
        return normalised(a, folded: false).lowercased() == normalised(b, folded: false).lowercased()
    }

    /// Whether a figure stands in a text that is there in ``normalised(_:folded:)``, too: all are but one behind a backslash.
    static func keepsDigit(_ text: String) -> Bool {
        var before: UInt8 = 0
        for byte in text.utf8 {
            if (0x30...0x39).contains(byte), before != UInt8(ascii: "\\") { return true }
            before = byte
        }
        return false
    }

    static func hasDigit(_ text: String) -> Bool { text.utf8.contains { (0x30...0x39).contains($0) } }

    private static func isPartOfNumber(_ scalar: Unicode.Scalar, before: Unicode.Scalar, after: Unicode.Scalar) -> Bool
    {
        switch scalar {
        case ".": isDigit(after) && !before.isAlphabetic
        case ",": isDigit(before) && isDigit(after)
        case "-": !isWordPart(before) && (isDigit(after) || after == ".")
        default: false
        }
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { MathScanner.isDigit(scalar) }
    private static func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
        isDigit(scalar) || scalar.isAlphabetic
    }

    private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isWhitespace || ".,;:!?\"()[]*#`_-".unicodeScalars.contains(scalar)
    }

    /// Without dollar signs, braces, and the names of commands that only set their text; other commands leave theirs.
    private static func withoutCommands(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            index += 1
            if scalar == "$" { continue }
            if scalar == "{" || scalar == "}" {
                // `\sqrt{2}3` is not `\sqrt{23}`.
                result.append(" ")
                continue
            }
            guard scalar == "\\" else {
                result.append(scalar)
                continue
            }
            let start = index
            while index < scalars.count, scalars[index].isASCII, MathScanner.isLetter(scalars[index]) { index += 1 }
            guard index > start else {
                // `\,` and `\ ` are blanks.
                if index < scalars.count, "%&#".unicodeScalars.contains(scalars[index]) { continue }
                index = min(index + 1, scalars.count)
                result.append(" ")
                continue
            }
            let name = MathScanner.string(scalars[start..<index])
            if MathCommands.texts.contains(name) || MathCommands.ignored.contains(name) { continue }
            if MathCommands.spaces.contains(name) {
                result.append(" ")
            } else if name == "pmod" || name == "bmod" || name == "equiv" {
                result.append(contentsOf: name == "equiv" ? " equiv ".unicodeScalars : " mod ".unicodeScalars)
            } else {
                result.append(contentsOf: name.unicodeScalars)
            }
        }
        return result
    }

    /// What is left when blanks go, for answers without letters and digits.
    static func signs(_ text: String) -> [UInt8] { text.utf8.filter { $0 > 0x20 } }

    /// `yes`, `no`, `true` and `false`, also by their first letter.
    static func truth(_ text: String, acceptsLetter: Bool) -> String? {
        switch text.lowercased() {
        case "yes": "yes"
        case "no": "no"
        case "true": "true"
        case "false": "false"
        case "t" where acceptsLetter: "true"
        case "f" where acceptsLetter: "false"
        case "y" where acceptsLetter: "yes"
        case "n" where acceptsLetter: "no"
        default: nil
        }
    }
}
