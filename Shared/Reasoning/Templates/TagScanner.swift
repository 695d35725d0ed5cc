/// Reads tags as models write them: any case, `<Step 1:>`, `</Answer:>`, `<Step number="2">`, `<Step 1: Find the cost>`,
/// `<\/Key>`, a closing tag without its bracket, emphasis or a second pair of brackets around a tag; unknown tags,
/// comments and GSM8K's calculator marks are dropped.
///
/// A `<` that starts no tag is text, and so is what has blanks between words (`a <b and c> d`) unless it is a known
/// tag. One pass over the UTF-8 bytes; no tag reaches over the next `<` or the end of its line, so that each byte is
/// looked at three times at most.
enum TagScanner {
    /// Longer texts are cut before they are read, in bytes.
    static let maximumLength = 1 << 17
    private static let longestTag = 240
    private static let longestName = 40

    /// The brackets around tags: angle brackets, or square ones for texts that have no tag in angle brackets.
    enum Brackets: Sendable {
        case angle
        case square

        var open: UInt8 { self == .angle ? UInt8(ascii: "<") : UInt8(ascii: "[") }
        var close: UInt8 { self == .angle ? UInt8(ascii: ">") : UInt8(ascii: "]") }
    }

    static func scan(
        _ text: String,
        vocabulary: TagVocabulary = .steps,
        brackets: Brackets = .angle
    ) -> [TagEvent] {
        var examined = 0
        return scan(text, vocabulary: vocabulary, brackets: brackets, examined: &examined)
    }

    /// Scans and adds the number of bytes that were looked at, for tests of linearity.
    static func scan(
        _ text: String,
        vocabulary: TagVocabulary,
        brackets: Brackets = .angle,
        examined: inout Int
    ) -> [TagEvent] {
        let bytes = Array(text.utf8.prefix(maximumLength))
        var reader = TagReader(bytes: bytes, vocabulary: vocabulary, brackets: brackets)
        var events: [TagEvent] = []
        var text: [UInt8] = []
        var start = 0
        var index = 0
        func endText() {
            if !text.isEmpty { events.append(.text(TagEntities.unescape(text[...]))) }
            text = []
        }
        while index < bytes.count {
            reader.examined += 1
            if let end = reader.frame(at: index) {
                // What is cut out of a line leaves no gap.
                text += bytes[start..<index]
                (index, start) = (end, end)
            } else if bytes[index] == brackets.open, let tag = reader.tag(at: index, after: start) {
                text += bytes[start..<tag.range.lowerBound]
                endText()
                events += tag.events
                (index, start) = (tag.range.upperBound, tag.range.upperBound)
            } else {
                index += 1
            }
        }
        text += bytes[start...]
        endText()
        examined += reader.examined
        return events
    }

    /// Reads the tag at one place of a text.
    private struct TagReader {
        let bytes: [UInt8]
        let vocabulary: TagVocabulary
        let brackets: Brackets
        var examined = 0
        private var isInCDATA = false
        /// The one-letter names that are closed somewhere; found at the first need.
        private var closedLetters: Set<UInt8>?

        init(bytes: [UInt8], vocabulary: TagVocabulary, brackets: Brackets) {
            self.bytes = bytes
            self.vocabulary = vocabulary
            self.brackets = brackets
        }

        /// The events of a tag and the bytes that it takes up; `after` is where the text before it begins.
        mutating func tag(at start: Int, after: Int) -> (events: [TagEvent], range: Range<Int>)? {
            var head = Head(start: start)
            readName(&head)
            guard !head.name.isEmpty else { return nil }
            var known = TagName(head.name, in: vocabulary)
            if known == .other, head.number == nil, head.name.lowercased().hasPrefix("step"),
                let number = TagName.numbers[String(head.name.dropFirst(4)).lowercased()]
            {
                known = TagName("step", in: vocabulary)
                head.number = number
            }
            guard known != .other else { return unknown(head) }
            guard let end = end(of: &head, isStep: known == .step) else { return nil }
            let range = hugged(start..<end, after: after, head, in: known)
            if head.closes { return ([.close(known, head.number)], range) }
            // An empty element says nothing, but for a step's, which stands before its text.
            if head.closesItself, known != .step { return ([], range) }
            return ([.open(known, head.number)] + (head.title.isEmpty ? [] : [.title(head.title)]), range)
        }

        private struct Head {
            let start: Int
            var index: Int
            var closes = false
            var closesItself = false
            var hasBackslash = false
            /// Whether the closing bracket is escaped, as in `\<Step1\>`.
            var isEscaped = false
            /// Whether a colon, a stop or a dash stands behind the number.
            var hasSeparator = false
            var name = ""
            var number: Int?
            var isOneWord = true
            var title = ""

            init(start: Int) {
                self.start = start
                index = start + 1
            }
        }

        private mutating func readName(_ head: inout Head) {
            while head.index < bytes.count, head.index - head.start <= longestName {
                let byte = bytes[head.index]
                examined += 1
                switch byte {
                case UInt8(ascii: "/") where head.name.isEmpty: head.closes = true
                // `<\/Key>` is how JSON writes it, `<\Key>` a slip.
                case UInt8(ascii: "\\") where head.name.isEmpty: (head.closes, head.hasBackslash) = (true, true)
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
                    guard head.number == nil, !startsAttribute(head) else { return }
                    if isBlank(bytes[head.index - 1]) { head.isOneWord = false }
                    head.name.unicodeScalars.append(Unicode.Scalar(byte))
                case UInt8(ascii: "0")...UInt8(ascii: "9"):
                    guard !head.name.isEmpty else { return }
                    head.number = min((head.number ?? 0) * 10 + Int(byte - UInt8(ascii: "0")), 1_000_000)
                case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "_"): break
                case UInt8(ascii: "-"): if head.number != nil { head.hasSeparator = true }
                case UInt8(ascii: "#") where !head.name.isEmpty && head.number == nil: break
                case UInt8(ascii: ":"), UInt8(ascii: "."):
                    // What follows a number is a step's title.
                    if head.name.isEmpty { return }
                    if head.number != nil {
                        head.hasSeparator = true
                        head.index += 1
                        return
                    }
                    if byte == UInt8(ascii: ".") { return }
                default: return
                }
                head.index += 1
            }
        }

        /// Whether an attribute's name begins here: a word behind a blank that an equals sign follows.
        private mutating func startsAttribute(_ head: Head) -> Bool {
            guard !head.name.isEmpty, isBlank(bytes[head.index - 1]) else { return false }
            var index = head.index
            while index < bytes.count, index - head.index < 24, isWord(bytes[index]) {
                examined += 1
                index += 1
            }
            while index < bytes.count, index - head.index < 26, bytes[index] == UInt8(ascii: " ") { index += 1 }
            return index < bytes.count && bytes[index] == UInt8(ascii: "=")
        }

        /// Where a known tag ends, after attributes or a title; nil where it does not.
        private mutating func end(of head: inout Head, isStep: Bool) -> Int? {
            var rest: [UInt8] = []
            while true {
                guard head.index < bytes.count, head.index - head.start <= longestTag else {
                    // The text ends in a closing tag.
                    return head.closes && head.index >= bytes.count && rest.isEmpty ? bytes.count : nil
                }
                let byte = bytes[head.index]
                examined += 1
                if byte == brackets.close {
                    guard read(rest, into: &head, isStep: isStep) else { return nil }
                    return head.index + 1
                }
                if byte == brackets.open || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                    return head.closes && rest.isEmpty ? head.index : nil
                }
                rest.append(byte)
                head.index += 1
            }
        }

        /// Reads what stands between a known tag's name and its bracket; false where that makes it no tag.
        private func read(_ rest: [UInt8], into head: inout Head, isStep: Bool) -> Bool {
            var text = String(decoding: rest, as: UTF8.self).trimmed
            if text.hasSuffix("\\") {
                head.isEscaped = true
                text = String(text.dropLast()).trimmed
            }
            if text.hasSuffix("/") {
                head.closesItself = true
                text = String(text.dropLast()).trimmed
            }
            if text.isEmpty { return true }
            if let attributes = TagAttributes(text) {
                if head.number == nil { head.number = attributes.number }
                return true
            }
            // `<Step 1: Find the cost>`, but not `<Step 1 done>`.
            guard isStep, head.number != nil, !head.closes else { return false }
            if let dash = text.unicodeScalars.first, dash == "\u{2013}" || dash == "\u{2014}" {
                head.hasSeparator = true
                text = String(text.dropFirst()).trimmed
            }
            guard head.hasSeparator else { return false }
            head.title = TagEntities.unescape(Array(text.utf8)[...])
            return true
        }

        /// A tag of another name, which is dropped, or text.
        private mutating func unknown(_ head: Head) -> (events: [TagEvent], range: Range<Int>)? {
            guard brackets == .angle, !head.hasBackslash, head.index < bytes.count,
                head.index - head.start <= longestName
            else { return nil }
            if bytes[head.index] == brackets.close, head.isOneWord {
                if isInequality(head) { return nil }
                return ([], head.start..<(head.index + 1))
            }
            var index = head.index
            var rest: [UInt8] = []
            while index < bytes.count, index - head.start <= longestTag, bytes[index] != brackets.close {
                examined += 1
                if bytes[index] == brackets.open || bytes[index] == UInt8(ascii: "\n") { return nil }
                rest.append(bytes[index])
                index += 1
            }
            guard index < bytes.count, bytes[index] == brackets.close else { return nil }
            var text = String(decoding: rest, as: UTF8.self).trimmed
            if text == "/" { return head.isOneWord ? ([], head.start..<(index + 1)) : nil }
            if text.hasSuffix("/") { text.removeLast() }
            guard TagAttributes(text)?.isQuoted == true else { return nil }
            return ([], head.start..<(index + 1))
        }

        /// Whether `x<y>z` compares: a letter between signs, directly behind something to compare it with, and never
        /// closed.
        private mutating func isInequality(_ head: Head) -> Bool {
            guard head.name.utf8.count == 1, !head.closes, head.start > 0, isWord(bytes[head.start - 1]),
                let letter = head.name.utf8.first
            else { return false }
            if closedLetters == nil {
                var found: Set<UInt8> = []
                for index in bytes.indices.dropLast(3)
                where bytes[index] == UInt8(ascii: "<") && bytes[index + 1] == UInt8(ascii: "/")
                    && bytes[index + 3] == UInt8(ascii: ">")
                {
                    found.insert(bytes[index + 2])
                }
                closedLetters = found
            }
            return closedLetters?.contains(letter) == false
        }

        /// Where a comment, an instruction, the frame of CDATA or a calculator mark ends; nil where none starts.
        mutating func frame(at start: Int) -> Int? {
            if isInCDATA, bytes[start] == UInt8(ascii: "]"), bytes[start...].starts(with: "]]>".utf8) {
                isInCDATA = false
                return start + 3
            }
            guard brackets == .angle, bytes[start] == brackets.open, start + 1 < bytes.count else { return nil }
            switch bytes[start + 1] {
            case UInt8(ascii: "<"):
                guard start + 2 < bytes.count, isSum(bytes[start + 2]) else { return nil }
                return mark(at: start)
            case UInt8(ascii: "!"), UInt8(ascii: "?"):
                if bytes[start...].starts(with: "<![CDATA[".utf8) {
                    isInCDATA = true
                    return start + 9
                }
                guard start + 2 < bytes.count, isWord(bytes[start + 2]) || bytes[start + 2] == UInt8(ascii: "-") else {
                    return nil
                }
                var index = start + 2
                while index < bytes.count, index - start <= longestTag {
                    examined += 1
                    if bytes[index] == UInt8(ascii: "<") { return nil }
                    if bytes[index] == UInt8(ascii: ">") { return index + 1 }
                    index += 1
                }
                return nil
            default: return nil
            }
        }

        /// The end of `<<48/2=24>>`.
        private mutating func mark(at start: Int) -> Int? {
            var index = start + 2
            var hasSign = false
            while index < bytes.count, index - start <= 120 {
                examined += 1
                let byte = bytes[index]
                if byte == UInt8(ascii: ">") {
                    guard hasSign, index + 1 < bytes.count, bytes[index + 1] == byte else { return nil }
                    return index + 2
                }
                guard isSum(byte) || byte == UInt8(ascii: " ") else { return nil }
                if byte == UInt8(ascii: "=") { hasSign = true }
                index += 1
            }
            return nil
        }

        /// A tag with the second brackets, the emphasis or the code marks around it.
        ///
        /// In a text of our own making no bare bracket stands there, and nothing else around the outer elements.
        private func hugged(_ range: Range<Int>, after: Int, _ head: Head, in name: TagName) -> Range<Int> {
            func stands(_ before: String, _ behind: String) -> Range<Int>? {
                let lower = range.lowerBound - before.utf8.count
                let upper = range.upperBound + behind.utf8.count
                guard lower >= after, upper <= bytes.count,
                    bytes[lower..<range.lowerBound].elementsEqual(before.utf8),
                    bytes[range.upperBound..<upper].elementsEqual(behind.utf8)
                else { return nil }
                return lower..<upper
            }
            if let wider = stands("<", ">") { return wider }
            if head.isEscaped, let wider = stands("\\", "") { return wider }
            guard name != .key, name != .cause, name != .correction, name != .remark else { return range }
            return stands("**", "**") ?? stands("`", "`") ?? stands("__", "__") ?? range
        }

        private func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

        private func isWord(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || (0x30...0x39).contains(byte)
        }

        /// Whether a byte may stand in a calculator mark.
        private func isSum(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || "+-*/=().,$%xX".utf8.contains(byte)
        }
    }
}

/// The attributes of a tag: `number="2" type='hint'`.
struct TagAttributes {
    /// The number of a step.
    private(set) var number: Int?
    /// Whether every value stands between quotes.
    private(set) var isQuoted = true

    private static let numberNames: Set<String> = ["number", "num", "n", "no", "nr", "id", "index", "step", "value"]

    /// Reads attributes; nil where the text is something else.
    init?(_ text: String) {
        var rest = text[...]
        repeat {
            let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" || $0 == ":" }
            guard !name.isEmpty else { return nil }
            rest = rest.dropFirst(name.count).drop { $0 == " " }
            guard rest.first == "=" else { return nil }
            rest = rest.dropFirst().drop { $0 == " " }
            let value: Substring
            if let quote = rest.first, quote == "\"" || quote == "'" {
                value = rest.dropFirst().prefix { $0 != quote }
                guard rest.dropFirst(value.count + 1).first == quote else { return nil }
                rest = rest.dropFirst(value.count + 2)
            } else {
                value = rest.prefix { $0 != " " }
                guard !value.isEmpty else { return nil }
                rest = rest.dropFirst(value.count)
                isQuoted = false
            }
            if Self.numberNames.contains(name.lowercased()) {
                let digits = value.drop { !$0.isNumber }.prefix { $0.isASCII && $0.isNumber }
                if let found = Int(digits.prefix(7)) { number = number ?? min(found, 1_000_000) }
            }
            rest = rest.drop { $0 == " " }
        } while !rest.isEmpty
    }
}
