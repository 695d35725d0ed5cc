/// The letter of a multiple-choice answer, in the spellings of models: `(B)`, `B.`, `B) Paris`, `**B**`, `Option (B)`.
enum OptionLetter {
    /// Words that may follow a letter without a mark.
    private static let verbs: Set<String> = ["is", "because", "since", "as"]

    /// The option that a text begins with, in the brackets that it has; nil where it begins with anything else.
    ///
    /// A text that names several options, such as `(A) and (C)`, names none.
    static func leading(_ text: String) -> String? {
        mayLead(text) ? leadingOfAny(text) : nil
    }

    /// The general path of ``leading(_:)``.
    static func leadingOfAny(_ text: String) -> String? {
        var scalars = Array(AnswerText.withoutMarkup(text).unicodeScalars)[...]
        scalars = scalars.drop { " \"'$\u{201C}".unicodeScalars.contains($0) }
        for word in ["option ", "choice ", "letter "] {
            let start = String(scalars: scalars.prefix(word.utf8.count))
            if start.lowercased() == word { scalars = scalars.dropFirst(word.utf8.count) }
        }
        let isBracketed = scalars.first == "("
        if isBracketed { scalars.removeFirst() }
        guard let letter = scalars.first, ("A"..."Z").contains(letter) else { return nil }
        var rest = scalars.dropFirst()
        if isBracketed {
            guard rest.first == ")" else { return nil }
            rest.removeFirst()
        }
        guard isOption(rest, isBracketed: isBracketed), !namesAnother(rest, than: letter), !isRejected(rest) else {
            return nil
        }
        return isBracketed ? "(\(letter))" : String(letter)
    }

    /// Whether an option may follow the marks with which a text begins, told by its first word; most answers begin with a
    /// figure, or with a longer word than a letter, and need not be read.
    private static func mayLead(_ text: String) -> Bool {
        for (place, byte) in text.utf8.enumerated() {
            switch byte {
            case 0x20, 0x09...0x0D, UInt8(ascii: "*"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "\""),
                UInt8(ascii: "'"), UInt8(ascii: "$"):
                continue
            case UInt8(ascii: "("), 0x80...: return true
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): return mayName(text.utf8.dropFirst(place), isCapital: true)
            case UInt8(ascii: "o"), UInt8(ascii: "c"), UInt8(ascii: "l"):
                return mayName(text.utf8.dropFirst(place), isCapital: false)
            default: return false
            }
        }
        return false
    }

    /// Whether a word of ASCII is a capital letter alone or one of six letters, as "option", "choice" and "letter"; emphasis
    /// inside it, or another letter behind it, leaves that open.
    private static func mayName(_ text: Substring.UTF8View, isCapital: Bool) -> Bool {
        var length = 0
        for byte in text {
            switch byte {
            case UInt8(ascii: "*"), UInt8(ascii: "_"), UInt8(ascii: "`"), 0x80...: return true
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): length += 1
            default: return length == 6 || length == 1 && isCapital
            }
            if length > 6 { return false }
        }
        return length == 6 || length == 1 && isCapital
    }

    /// Whether what follows a letter leaves it one.
    private static func isOption(_ rest: ArraySlice<Unicode.Scalar>, isBracketed: Bool) -> Bool {
        guard let next = rest.first else { return true }
        if isBracketed { return !next.isAlphabetic && !"^_=(+".unicodeScalars.contains(next) }
        let behind = rest.dropFirst()
        switch next {
        case ")", ".", ":": return behind.first.map { $0 == " " || $0 == "\"" || $0 == "$" || $0 == "." } ?? true
        case "\"", "'", "$", "!", "\u{201D}": return behind.allSatisfy { !$0.isAlphabetic && $0 != "=" }
        case ",", ";": return true
        case " ":
            let word = behind.drop { $0 == " " }.prefix { $0.isAlphabetic }
            let text = String(scalars: word)
            if text.isEmpty {
                return behind.allSatisfy { " .!\"'$".unicodeScalars.contains($0) } || behind.first == "("
            }
            return verbs.contains(text)
        default: return false
        }
    }

    /// Whether another letter in brackets, or one behind "and" or a comma, is named with it.
    private static func namesAnother(_ rest: ArraySlice<Unicode.Scalar>, than letter: Unicode.Scalar) -> Bool {
        let joined = rest.drop { " ,;".unicodeScalars.contains($0) }
        let words = String(scalars: joined.prefix(12)).split(separator: " ")
        guard let first = words.first else { return false }
        func isLetter(_ word: Substring) -> Bool {
            let bare = word.unicodeScalars.filter { !"().,{}$".unicodeScalars.contains($0) }
            return bare.count == 1 && bare.first.map { ("A"..."Z").contains($0) && $0 != letter } == true
        }
        if first == "and" || first == "or" || first == "&" { return words.dropFirst().first.map(isLetter) == true }
        return isLetter(first)
    }

    /// Whether what stands behind an option says that it is wrong: `is incorrect`, `is not right`, `cannot be`.
    private static func isRejected(_ rest: ArraySlice<Unicode.Scalar>) -> Bool {
        let words = String(scalars: rest.prefix(40)).lowercased().split { !$0.isLetter && $0 != "'" }
        guard let verb = words.first else { return false }
        if ["isn't", "cannot", "can't"].contains(verb) { return true }
        guard verb == "is", let word = words.dropFirst().first else { return false }
        return ["not", "wrong", "incorrect", "false", "impossible", "invalid"].contains(word)
    }

    /// Whether what stands behind a letter and its mark names another option with it, or says that it is wrong.
    static func isJoinedOrRejected(_ text: String, _ letter: Character) -> Bool {
        guard let scalar = letter.unicodeScalars.first else { return false }
        if namesMarked(text, than: letter) { return true }
        guard let first = text.unicodeScalars.first, "aoic".unicodeScalars.contains(first) else { return false }
        let rest = text.scalarArray[...]
        return isRejected(rest) || namesAnother(rest, than: scalar)
    }

    private static let joiners: Set<Substring> = [
        "and", "or", "not", "no", "nor", "but", "also", "both", "than", "rather", "maybe", "perhaps", "then", "plus",
        "&",
    ]

    /// Whether another letter in brackets follows, with nothing before it or only words that join or choose: `(C)`, `and b)`,
    /// `no, (C)`; behind such a word the letter need not have brackets.
    private static func namesMarked(_ text: String, than letter: Character) -> Bool {
        var isJoined = false
        for word in text.split(separator: " ", maxSplits: 6) {
            let bare = word.filter { !",.;:*$".contains($0) }
            if joiners.contains(Substring(bare.lowercased())) || bare.isEmpty {
                isJoined = isJoined || !bare.isEmpty
                continue
            }
            let inside = bare.filter { !"()[]{}".contains($0) }
            guard inside.count == 1, let other = inside.first, ("A"..."J").contains(Character(other.uppercased())),
                other.lowercased() != letter.lowercased()
            else { return false }
            return bare.hasSuffix(")") || bare.hasSuffix("]") || isJoined && other.isUppercase
        }
        return false
    }

    private static let choosing: Set<Substring> = [
        "choose", "pick", "select", "is", "it's", "it\u{2019}s", "be", "answer",
    ]

    /// `C` of "I choose C." and "So it's **C**": the capital that ends a line behind such a word.
    private static func chosen(_ line: String) -> String? {
        let words = AnswerText.withoutMarkup(line).split(separator: " ")
        guard words.count > 1, let last = words.last, choosing.contains(Substring(words[words.count - 2].lowercased()))
        else { return nil }
        let letter = last.filter { !".!*".contains($0) }
        guard letter.count == 1, let only = letter.first, ("A"..."J").contains(only) else { return nil }
        return String(only)
    }

    private static let judgements: Set<String> = [
        "correct", "right", "the answer", "the correct answer", "the right answer", "my answer", "the best answer",
        "the correct option", "the correct choice", "the right option", "the right choice", "the best choice",
    ]
    /// Words with which a line does not say which option is right.
    private static let doubts: Set<String> = ["if", "whether", "unless", "neither", "nor", "not", "or"]

    /// `B` of "I think B is correct.", and `A, C` of "Both A and C are correct.": what the line ends with says that they are
    /// right.
    private static func judged(_ line: String) -> String? {
        let ending = line.utf8.reversed().drop { !isLetter($0) }.prefix { isLetter($0) }
        // "correct", "right", "answer", "option", "choice"
        guard (5...7).contains(ending.count), let last = ending.first, "tren".utf8.contains(last | 0x20) else {
            return nil
        }
        let words = AnswerText.withoutMarkup(line).split(separator: " ")
        guard words.count <= 40, let verb = words.lastIndex(where: { $0 == "is" || $0 == "are" }), verb > 0 else {
            return nil
        }
        let rest = words[(verb + 1)...].joined(separator: " ").lowercased().filter { !".!".contains($0) }
        guard judgements.contains(rest), !words[..<verb].contains(where: { doubts.contains($0.lowercased()) }) else {
            return nil
        }
        var letters: [String] = []
        for word in words[..<verb].reversed() {
            if word == "and" || word == "&" { continue }
            let bare = word.filter { !"(),".contains($0) }
            guard bare.count == 1, let letter = bare.first, ("A"..."J").contains(letter) else { break }
            letters.insert(String(letter), at: 0)
        }
        guard words[verb] == "is" ? letters.count == 1 : letters.count > 1 else { return nil }
        return letters.joined(separator: ", ")
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }

    /// The option that a last line names without announcing it: the line is one, has one bracketed letter in it that is not
    /// said to be wrong, or ends with one that is chosen.
    static func closing(_ line: String) -> String? {
        if let whole = leading(line), !AnswerText.isSentence(line) || whole.hasPrefix("(") { return whole }
        if let letter = chosen(line) ?? judged(line) { return letter }
        guard line.hasByte(UInt8(ascii: "(")) else { return nil }
        let scalars = line.scalarArray
        var found: Set<Unicode.Scalar> = []
        for index in scalars.indices.dropLast(2) where scalars[index] == "(" && scalars[index + 2] == ")" {
            let isApart = index == 0 || !scalars[index - 1].isAlphabetic
            guard isApart, ("A"..."J").contains(scalars[index + 1]) else { continue }
            if isRejected(scalars[(index + 3)...]) { return nil }
            found.insert(scalars[index + 1])
        }
        guard found.count == 1, let letter = found.first, !scalars.contains("=") else { return nil }
        return "(\(letter))"
    }
}
