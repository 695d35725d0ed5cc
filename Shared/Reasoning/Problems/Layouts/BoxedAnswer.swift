/// The answer that a solution in LaTeX ends in.
enum BoxedAnswer {
    /// The content of the last `\boxed{…}` or `\fbox{…}`, with its braces balanced, or the character behind `\boxed `.
    ///
    /// Nil where there is none, or where its brace is never closed; linear in the text's length.
    static func last(in text: String) -> String? {
        let bytes = Array(text.utf8)
        guard let start = [#"\boxed"#, #"\fbox"#].compactMap({ end(of: Array($0.utf8), in: bytes) }).max() else {
            return nil
        }
        var place = start
        while place < bytes.count, bytes[place] == UInt8(ascii: " ") { place += 1 }
        guard place < bytes.count else { return nil }
        guard bytes[place] == UInt8(ascii: "{") else { return bare(bytes[place...]) }
        var depth = 0
        var inner = place
        while inner < bytes.count {
            switch bytes[inner] {
            case UInt8(ascii: "\\"): inner += 1
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "}"):
                depth -= 1
                if depth == 0 {
                    let content = String(decoding: bytes[(place + 1)..<inner], as: UTF8.self).trimmed
                    return content.isEmpty ? nil : content
                }
            default: break
            }
            inner += 1
        }
        return nil
    }

    /// What TeX takes without braces: one character; of a number people mean all of it.
    private static func bare(_ bytes: ArraySlice<UInt8>) -> String? {
        let rest = Substring(decoding: bytes, as: UTF8.self)
        let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "," || $0 == "-") }
        var text = String(number.isEmpty ? rest.prefix { $0.isLetter }.prefix(1) : number)
        while let last = text.last, ".,".contains(last) { text.removeLast() }
        return text.isEmpty ? nil : text
    }

    /// Where the last command of a name ends.
    private static func end(of command: [UInt8], in bytes: [UInt8]) -> Int? {
        guard bytes.count >= command.count else { return nil }
        for start in stride(from: bytes.count - command.count, through: 0, by: -1)
        where bytes[start] == command[0] && bytes[start..<start + command.count].elementsEqual(command) {
            return start + command.count
        }
        return nil
    }
}
