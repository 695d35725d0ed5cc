/// The published pre-tokenizer patterns, each as a hand-written scanner instead of a regular expression.
///
/// A scanner looks at each character a bounded number of times except for runs of white space, which it passes twice.
public enum PreTokenizerPattern: String, Sendable, CaseIterable {
    /// Qwen2: as Llama 3, but each digit stands alone.
    case qwen2
    /// Llama 3: contractions in any case, a word with one leading mark, digits in groups of up to three.
    case llama3
    /// GPT-2: contractions in lower case, words, numbers and marks with one leading space.
    case gpt2

    /// The regular expression, as `tokenizer.json` spells it.
    public var regularExpression: String {
        switch self {
        case .qwen2: Self.modern(digits: "\\p{N}")
        case .llama3: Self.modern(digits: "\\p{N}{1,3}")
        case .gpt2: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
        }
    }

    private static func modern(digits: String) -> String {
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\(digits)| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
            + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    }

    /// Appends the end of every word in `bytes[range]` to `ends`.
    func split(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, into ends: inout [Int]) {
        let scanner = PatternScanner(
            cursor: ScalarCursor(bytes: UnsafeBufferPointer(rebasing: bytes[range])),
            pattern: self
        )
        var position = 0
        while position < range.count {
            position = max(scanner.wordEnd(from: position), position + 1)
            ends.append(range.lowerBound + position)
        }
    }
}

/// Finds where the word that starts at a position ends.
private struct PatternScanner {
    let cursor: ScalarCursor
    let pattern: PreTokenizerPattern

    func wordEnd(from start: Int) -> Int {
        let first = cursor.scalar(at: start)
        if first.code == 0x27, let end = contractionEnd(from: start + 1) { return end }
        let firstClass = CharacterClass.of(first.code)
        let afterFirst = start + first.length
        switch firstClass {
        case .letter: return runEnd(of: .letter, from: afterFirst)
        case .number: return numberEnd(after: afterFirst)
        case .other, .space: break
        }
        let second = cursor.scalar(at: afterFirst)
        let secondClass: CharacterClass? = second.length == 0 ? nil : CharacterClass.of(second.code)
        let isSpace = first.code == 0x20
        if secondClass == .letter, pattern == .gpt2 ? isSpace : first.code != 0x0A && first.code != 0x0D {
            return runEnd(of: .letter, from: afterFirst + second.length)
        }
        if pattern == .gpt2, isSpace, secondClass == .number {
            return runEnd(of: .number, from: afterFirst + second.length)
        }
        if firstClass == .other || isSpace && secondClass == .other {
            let end = runEnd(of: .other, from: afterFirst)
            return pattern == .gpt2 ? end : newlinesEnd(from: end)
        }
        return spaceEnd(from: start)
    }

    /// The end of one of 's 't 're 've 'm 'll 'd whose apostrophe was just passed.
    private func contractionEnd(from start: Int) -> Int? {
        let first = cursor.scalar(at: start)
        let anyCase = pattern != .gpt2
        switch folded(first.code, anyCase) {
        case UInt32(UInt8(ascii: "s")), UInt32(UInt8(ascii: "t")), UInt32(UInt8(ascii: "m")),
            UInt32(UInt8(ascii: "d")):
            return start + first.length
        case UInt32(UInt8(ascii: "r")), UInt32(UInt8(ascii: "v")):
            return follows(UInt8(ascii: "e"), at: start + 1, anyCase) ? start + 2 : nil
        case UInt32(UInt8(ascii: "l")):
            return follows(UInt8(ascii: "l"), at: start + 1, anyCase) ? start + 2 : nil
        default: return nil
        }
    }

    private func folded(_ code: UInt32, _ anyCase: Bool) -> UInt32 {
        guard anyCase else { return code }
        if code == 0x17F { return UInt32(UInt8(ascii: "s")) }  // the long s folds to s
        return code >= 0x41 && code <= 0x5A ? code | 0x20 : code
    }

    private func follows(_ letter: UInt8, at position: Int, _ anyCase: Bool) -> Bool {
        folded(cursor.scalar(at: position).code, anyCase) == UInt32(letter)
    }

    private func runEnd(of wanted: CharacterClass, from start: Int) -> Int {
        var position = start
        while true {
            let scalar = cursor.scalar(at: position)
            guard scalar.length > 0, CharacterClass.of(scalar.code) == wanted else { return position }
            position += scalar.length
        }
    }

    private func numberEnd(after start: Int) -> Int {
        switch pattern {
        case .qwen2: return start
        case .gpt2: return runEnd(of: .number, from: start)
        case .llama3:
            var position = start
            for _ in 0..<2 {
                let scalar = cursor.scalar(at: position)
                guard scalar.length > 0, CharacterClass.of(scalar.code) == .number else { break }
                position += scalar.length
            }
            return position
        }
    }

    private func newlinesEnd(from start: Int) -> Int {
        var position = start
        while position < cursor.bytes.count, cursor.bytes[position] == 0x0A || cursor.bytes[position] == 0x0D {
            position += 1
        }
        return position
    }

    /// White space up to its last newline; else all of it but the last character, which belongs to the next word.
    private func spaceEnd(from start: Int) -> Int {
        var position = start
        var last = start
        var afterNewline: Int?
        while true {
            let scalar = cursor.scalar(at: position)
            guard scalar.length > 0, CharacterClass.of(scalar.code) == .space else { break }
            last = position
            position += scalar.length
            if scalar.code == 0x0A || scalar.code == 0x0D { afterNewline = position }
        }
        if pattern != .gpt2, let afterNewline { return afterNewline }
        if position == cursor.bytes.count || last == start { return position }
        return last
    }
}
