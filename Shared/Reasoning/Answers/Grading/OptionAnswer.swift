/// The answer to a question with options: a letter, and what stands beside it.
struct OptionAnswer {
    let letter: Character
    /// Whether brackets or a stop set the letter apart.
    let isMarked: Bool
    /// The option's own text; empty where only the letter is given.
    let text: String

    /// `B`, `(B)`, `B.`, `B) Paris`, `\textbf{(B)}\ 12`, `Option B`; nil for anything else.
    static func read(_ answer: String) -> OptionAnswer? {
        let scalars = answer.scalarArray
        var index = 0
        var opened = 0
        // A prime behind a letter makes another name of it: `f'`.
        var isQuoted = false
        func isMarkup(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar {
            case " ", "\t", "\n", "{", "}", "$", "*", "\"", "`", "_": true
            default: false
            }
        }
        func skipMarkup() {
            while index < scalars.count {
                let scalar = scalars[index]
                if scalar == "\\" {
                    var end = index + 1
                    while end < scalars.count, MathScanner.isLetter(scalars[end]) { end += 1 }
                    let name = MathScanner.string(scalars[index + 1..<end])
                    if end == index + 1 {
                        end = min(end + 1, scalars.count)
                    } else if !MathCommands.texts.contains(name), !MathCommands.ignored.contains(name) {
                        return
                    }
                    index = end
                } else if scalar == "'" {
                    guard index == 0 || isQuoted else { return }
                    isQuoted = true
                    index += 1
                } else if isMarkup(scalar) {
                    index += 1
                } else {
                    return
                }
            }
        }
        skipMarkup()
        while index < scalars.count, scalars[index] == "(" || scalars[index] == "[" {
            opened += 1
            index += 1
            skipMarkup()
        }
        guard opened <= 1, index < scalars.count, scalars[index].isASCII, MathScanner.isLetter(scalars[index]) else {
            return nil
        }
        let letter = Character(scalars[index])
        index += 1
        let afterLetter = index
        skipMarkup()
        guard index < scalars.count else {
            return opened == 0 ? OptionAnswer(letter: letter, isMarked: false, text: "") : nil
        }
        let mark = scalars[index]
        var hadBlank = scalars[afterLetter..<index].contains { $0 == " " }
        switch mark {
        case ")", "]":
            index += 1
        case ".", ":":
            guard opened == 0 else { return nil }
            index += 1
            if index < scalars.count, !" }*$\n\\".unicodeScalars.contains(scalars[index]) { return nil }
        case "-", "\u{2013}", "\u{2014}":
            guard opened == 0, hadBlank, index + 1 < scalars.count, scalars[index + 1] == " ", letter.isUppercase else {
                return nil
            }
            index += 1
        default: return nil
        }
        let afterMark = index
        skipMarkup()
        if mark == ")" || mark == "]", index < scalars.count, scalars[index] == "." || scalars[index] == ":" {
            index += 1
            skipMarkup()
        }
        hadBlank = scalars[afterMark..<index].contains { " \\}".unicodeScalars.contains($0) }
        let text = MathScanner.string(scalars[index...]).trimmed
        guard text.isEmpty || hadBlank else { return nil }
        // `(x) + 1` is mathematics.
        if let first = text.unicodeScalars.first, "+-*/^=<>_!&|,;".unicodeScalars.contains(first) { return nil }
        return OptionAnswer(letter: letter, isMarked: true, text: text)
    }

    /// Whether its text names another option with it, or says that it is wrong: `(A) and (C)` are two, and `(B) is wrong` is
    /// none.
    var isJoinedOrRejected: Bool { isMarked && OptionLetter.isJoinedOrRejected(text, letter) }
}

/// The answer to a question of which several options are right.
enum LetterSet {
    /// The letters of `A, C`, `A and C`, `(A), (C)` and `AC`, in alphabetical order; nil for anything else.
    static func read(_ answer: String) -> (letters: [UInt8], isRun: Bool)? {
        var letters: [UInt8] = []
        var hasSeparator = false
        var bytes = Array(answer.utf8)[...]
        guard bytes.count <= 80 else { return nil }
        while let byte = bytes.first {
            if byte == UInt8(ascii: "a"), bytes.starts(with: "and".utf8) {
                bytes = bytes.dropFirst(3)
                hasSeparator = true
                continue
            }
            bytes = bytes.dropFirst()
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "J"): letters.append(byte)
            case UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: " "): hasSeparator = true
            case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "."), UInt8(ascii: "$"): break
            default: return nil
            }
        }
        let sorted = letters.sorted()
        guard letters.count > 1, Set(letters).count == letters.count, hasSeparator || sorted == letters else {
            return nil
        }
        return (sorted, !hasSeparator)
    }
}
