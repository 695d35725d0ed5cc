/// Finds an answer behind the words that announce it: "the answer is", "Final answer:", "A:", "the correct option is".
enum Announcement {
    /// The most places that are tried, from the end.
    private static let maximumPlaces = 60
    /// How far behind "answer" its verb may stand, in bytes: "the answer to the second question is".
    private static let reach = 80

    private static let verbs: Set<String> = ["is", "are", "was", "equals"]
    private static let auxiliaries: Set<String> = ["would", "should", "will", "must", "could", "can", "may", "might"]
    /// Nouns with which "answer" makes something else.
    private static let compounds: Set<String> = ["key", "keys", "choices", "options", "format", "sheet", "box", "type"]
    /// Behind these "answer" is a verb.
    private static let objects: Set<String> = [
        "the", "this", "that", "these", "your", "my", "it", "all", "each", "any",
    ]

    /// Words that may stand before "answer" in a label.
    private static let labels: Set<String> = ["the", "final", "correct", "my", "so", "short"]

    /// What the last "final answer" behind a place names; nil without a place.
    ///
    /// A model that boxes what it finds on its way says at the end which of it is the answer.
    static func final(in bytes: [UInt8], behind place: Int?) -> String? {
        guard let place, place < bytes.count else { return nil }
        let rest = Array(bytes[place...])
        let text = Text(rest)
        let isFinal = rest.indices.contains { index in
            text.isWordStart(index) && text.matches("final answer", at: index)
        }
        return isFinal ? last(in: rest) : nil
    }

    /// What the last announcement names.
    static func last(in bytes: [UInt8]) -> String? {
        let text = Text(bytes)
        var tried = 0
        for place in bytes.indices.reversed() where isPlace(text, place) {
            if let start = content(text, at: place), let answer = answer(text, from: start) { return answer }
            tried += 1
            if tried == maximumPlaces { return nil }
        }
        return nil
    }

    /// Whether a word begins here that may announce an answer.
    private static func isPlace(_ text: Text, _ index: Int) -> Bool {
        // Most bytes are told by themselves alone.
        switch text.bytes[index] {
        case UInt8(ascii: "a"), UInt8(ascii: "A"):
            text.isWordStart(index) && (text.matches("answer", at: index) || text.isLabelStart(index))
        case UInt8(ascii: "o"), UInt8(ascii: "O"): text.isWordStart(index) && text.matches("option", at: index)
        case UInt8(ascii: "c"), UInt8(ascii: "C"): text.isWordStart(index) && text.matches("choice", at: index)
        default: false
        }
    }

    /// Where what is announced begins; nil where nothing is announced.
    private static func content(_ text: Text, at place: Int) -> Int? {
        if text.matches("answer", at: place) { return behindAnswer(text, place) }
        if text.matches("option", at: place) || text.matches("choice", at: place) { return behindOption(text, place) }
        // "A:" that no "B:" follows, which would make a list of options.
        let colon = text.skip("*_ ", from: place + 1)
        guard text.byte(colon) == UInt8(ascii: ":"), !text.isOptionList(from: colon) else { return nil }
        return colon + 1
    }

    private static func behindAnswer(_ text: Text, _ place: Int) -> Int? {
        var index = place + 6
        if text.lower(index) == UInt8(ascii: "s") { index += 1 }
        guard !text.isLetter(index) else { return nil }
        index = text.skip("*_\"` ", from: index)
        if text.isLineEnd(index) { return text.isLabelLine(until: place) ? index : nil }
        if let behind = text.separator(index) { return behind }
        // "Answer - 18"
        if text.isLabelLine(until: place), text.isDash(index) {
            return text.skip(" ", from: index + text.dashLength(index))
        }
        return behindVerb(text, index)
    }

    /// Behind the verb of a sentence about the answer.
    private static func behindVerb(_ text: Text, _ start: Int) -> Int? {
        var index = start
        var isFirst = true
        var isAuxiliary = false
        while index - start < reach, index < text.bytes.count, !text.isLineEnd(index) {
            guard text.isLetter(index) else {
                if !isFirst, let behind = text.separator(index) { return behind }
                if ".?!;".utf8.contains(text.bytes[index]) { return nil }
                index += 1
                continue
            }
            let (word, end) = text.word(index)
            if isFirst, compounds.contains(word) || objects.contains(word) { return nil }
            if verbs.contains(word) || isAuxiliary && word == "be" || word == "be" { return end }
            if word == "comes" || word == "works" || word == "turns" { return behindTo(text, end) }
            isAuxiliary = auxiliaries.contains(word)
            isFirst = false
            index = end
        }
        return nil
    }

    /// Behind "to" or "to be": "the answer comes to".
    private static func behindTo(_ text: Text, _ start: Int) -> Int? {
        var index = start
        for _ in 0..<3 {
            index = text.skip(" ", from: index)
            guard text.isLetter(index) else { return nil }
            let (word, end) = text.word(index)
            if word == "to" {
                let next = text.skip(" ", from: end)
                return text.isLetter(next) && text.word(next).text == "be" ? text.word(next).end : end
            }
            index = end
        }
        return nil
    }

    /// "The correct option is (B)", "The correct options are A and C", "Option B is correct".
    private static func behindOption(_ text: Text, _ place: Int) -> Int? {
        let isPlural = text.lower(place + 6) == UInt8(ascii: "s")
        let end = place + (isPlural ? 7 : 6)
        guard !text.isLetter(end) else { return nil }
        let before = text.wordBefore(place)
        if ["correct", "right", "best", "answer"].contains(before) {
            let index = text.skip("*_ ", from: end)
            if let behind = text.separator(index) { return behind }
            guard text.isLetter(index) else { return nil }
            let (word, behind) = text.word(index)
            return word == "is" || isPlural && word == "are" ? behind : nil
        }
        guard !isPlural else { return nil }
        // The letter, and behind it that it is right.
        var index = text.skip("*_( ", from: end)
        guard text.isLetter(index), !text.isLetter(index + 1) else { return nil }
        index = text.skip("*_) ", from: index + 1)
        guard text.isLetter(index), text.word(index).text == "is" else { return nil }
        index = text.skip(" ", from: text.word(index).end)
        guard text.isLetter(index) else { return nil }
        let word = text.word(index).text
        let next = text.skip(" ", from: text.word(index).end)
        let isRight = ["correct", "right"].contains(word)
        let isTheRight =
            word == "the" && text.isLetter(next) && ["correct", "right", "answer"].contains(text.word(next).text)
        return isRight || isTheRight ? end : nil
    }

    // MARK: What is announced

    /// What stands from a place on, to the end of its sentence, line or block; nil where that says nothing.
    private static func answer(_ text: Text, from start: Int) -> String? {
        var index = start
        while index < text.bytes.count, text.isLineEnd(index) || " \t:*_>#`=".utf8.contains(text.bytes[index]) {
            index += 1
        }
        guard index < text.bytes.count else { return nil }
        if let figures = AnswerText.figures(text.lineBytes(from: index)) { return figures }
        if let block = text.block(from: index) { return nonempty(AnswerText.bare(block)) }
        if let value = text.jsonValue(from: index) { return nonempty(AnswerText.bare(value)) }
        let line = AnswerText.withoutCalculations(text.line(from: index))
        if let option = OptionLetter.leading(line) { return option }
        let sentence = AnswerText.sentence(line)
        guard !AnswerText.isComment(sentence) else { return nil }
        return nonempty(AnswerText.bare(withoutExclamation(sentence)))
    }

    /// A sentence without the mark at its end: "The answer is 42!" says 42, while "5!" and `$12!$` are factorials.
    private static func withoutExclamation(_ sentence: String) -> String {
        let text = sentence.trimmed
        guard text.hasSuffix("!"), text.utf8.dropLast().suffix(2).allSatisfy({ (0x30...0x39).contains($0) }),
            text.utf8.count > 2
        else { return sentence }
        return String(text.dropLast())
    }

    private static func nonempty(_ text: String) -> String? { text.isEmpty ? nil : text }

    /// Bytes with what is asked of them.
    struct Text {
        let bytes: [UInt8]

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        func byte(_ index: Int) -> UInt8? { bytes.indices.contains(index) ? bytes[index] : nil }

        func lower(_ index: Int) -> UInt8? { byte(index).map { isLetter(index) ? $0 | 0x20 : $0 } }

        func isLetter(_ index: Int) -> Bool {
            guard let byte = byte(index) else { return false }
            return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) && byte & 0x40 != 0
        }

        func isWordStart(_ index: Int) -> Bool { isLetter(index) && !isLetter(index - 1) }

        func isLineEnd(_ index: Int) -> Bool {
            guard let byte = byte(index) else { return true }
            return byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
        }

        func matches(_ word: String, at index: Int) -> Bool {
            zip(word.utf8, index...).allSatisfy { $0 == lower($1) }
        }

        func skip(_ characters: String, from start: Int) -> Int {
            var index = start
            while let byte = byte(index), characters.utf8.contains(byte) { index += 1 }
            return index
        }

        /// The word that begins here in lower case, and where it ends.
        func word(_ start: Int) -> (text: String, end: Int) {
            var end = start
            while isLetter(end), end - start < 20 { end += 1 }
            let word = String(unsafeUninitializedCapacity: end - start) { letters in
                for (place, byte) in bytes[start..<end].enumerated() { letters[place] = byte | 0x20 }
                return end - start
            }
            return (word, end)
        }

        func wordBefore(_ place: Int) -> String {
            var index = place - 1
            while index >= 0, bytes[index] == UInt8(ascii: " ") { index -= 1 }
            let end = index
            while isLetter(index), end - index < 20 { index -= 1 }
            return index == end ? "" : word(index + 1).text
        }

        /// Behind a colon or an equals sign.
        func separator(_ index: Int) -> Int? {
            if byte(index) == UInt8(ascii: ":") || byte(index) == UInt8(ascii: "=") { return index + 1 }
            return bytes[min(index, bytes.count)...].starts(with: [0xEF, 0xBC, 0x9A]) ? index + 3 : nil
        }

        func isDash(_ index: Int) -> Bool { dashLength(index) > 0 }

        /// How long a dash with blanks around it is.
        func dashLength(_ index: Int) -> Int {
            guard byte(index - 1) == UInt8(ascii: " ") else { return 0 }
            if byte(index) == UInt8(ascii: "-"), byte(index + 1) == UInt8(ascii: " ") { return 1 }
            let rest = bytes[min(index, bytes.count)...]
            return rest.starts(with: [0xE2, 0x80, 0x93]) || rest.starts(with: [0xE2, 0x80, 0x94]) ? 3 : 0
        }

        /// Whether nothing but marks stands between a line's start and a place.
        func isLabelStart(_ place: Int) -> Bool {
            var index = place - 1
            while let byte = byte(index), "#*_> ".utf8.contains(byte) { index -= 1 }
            return index < 0 || isLineEnd(index)
        }

        /// Whether a line has nothing before a place but marks and "the", "final", "correct", "my".
        func isLabelLine(until place: Int) -> Bool {
            var index = place
            for _ in 0..<4 {
                if isLabelStart(index) { return true }
                let word = wordBefore(index)
                guard Announcement.labels.contains(word) else { return false }
                index -= 1
                while byte(index) == UInt8(ascii: " ") { index -= 1 }
                index -= word.utf8.count - 1
            }
            return false
        }

        /// Whether the next line begins with "B:".
        func isOptionList(from start: Int) -> Bool {
            var index = start
            while !isLineEnd(index), index - start < 400 { index += 1 }
            index = skip("\r\n*_ ", from: index)
            guard lower(index) == UInt8(ascii: "b") else { return false }
            return byte(skip("*_ ", from: index + 1)) == UInt8(ascii: ":")
        }

        func line(from start: Int) -> String { String(decoding: lineBytes(from: start), as: UTF8.self) }

        func lineBytes(from start: Int) -> ArraySlice<UInt8> {
            var end = start
            while !isLineEnd(end) { end += 1 }
            return bytes[start..<end]
        }

        /// The text in quotation marks that begins here, where a brace or a comma of JSON follows it: of `"42"}` it is 42.
        func jsonValue(from start: Int) -> String? {
            guard byte(start) == UInt8(ascii: "\"") else { return nil }
            var end = start + 1
            while !isLineEnd(end), byte(end) != UInt8(ascii: "\"") { end += 1 }
            let behind = skip(" ", from: end + 1)
            guard byte(end) == UInt8(ascii: "\""),
                byte(behind) == UInt8(ascii: "}") || byte(behind) == UInt8(ascii: ",")
            else { return nil }
            return String(decoding: bytes[(start + 1)..<end], as: UTF8.self)
        }

        /// A display of LaTeX that begins here, whose answer may have several lines.
        func block(from start: Int) -> String? {
            guard bytes[start] == UInt8(ascii: "\\") || bytes[start] == UInt8(ascii: "$") else { return nil }
            for (open, close) in [("\\[", "\\]"), ("$$", "$$"), ("\\begin{", "\\end{")] {
                let opening = Array(open.utf8)
                let closing = Array(close.utf8)
                guard bytes[start...].starts(with: opening) else { continue }
                var index = start + opening.count
                while index < bytes.count, !bytes[index...].starts(with: closing) { index += 1 }
                guard index < bytes.count else { return nil }
                let isEnvironment = open == "\\begin{"
                if isEnvironment { while index < bytes.count, bytes[index] != UInt8(ascii: "}") { index += 1 } }
                let content = isEnvironment ? bytes[start..<min(index + 1, bytes.count)] : bytes[(start + 2)..<index]
                return String(decoding: content, as: UTF8.self).trimmed
            }
            return nil
        }
    }
}
