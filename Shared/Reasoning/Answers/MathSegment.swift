/// Finds mathematics between the delimiters of LaTeX.
enum MathSegment {
    private static let delimiters: [(open: [UInt8], close: [UInt8])] = [
        ("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$"),
    ]
    .map { (Array($0.utf8), Array($1.utf8)) }

    /// What the last segment of a line holds, where it has a command of LaTeX: `\frac{3}{4}` of "which is $\frac{3}{4}$.".
    ///
    /// Without a command it may be what stands between two prices, so that only a formula is taken; see ``formula(_:)``. Nil
    /// where words follow it: of "multiplying by $\pi$ gives 6" it is not what the line ends with. Linear.
    static func closing(_ line: String) -> String? {
        guard line.hasByte(UInt8(ascii: "\\")) else {
            return line.hasByte(UInt8(ascii: "$")) ? formula(Array(line.utf8)) : nil
        }
        let bytes = Array(line.utf8)
        var last: Range<Int>?
        var index = 0
        while index < bytes.count {
            guard let (open, close) = delimiters.first(where: { bytes[index...].starts(with: $0.open) }) else {
                index += 1
                continue
            }
            let start = index + open.count
            var end = start
            while end < bytes.count, !bytes[end...].starts(with: close) { end += 1 }
            // An opening that nothing closes is a price, or cut.
            guard end < bytes.count else { break }
            last = start..<end
            index = end + close.count
        }
        guard let last, bytes[last].contains(UInt8(ascii: "\\")) else { return nil }
        let behind = String(decoding: bytes[last.upperBound...], as: UTF8.self).drop { "$)]\\".contains($0) }
        guard behind.allSatisfy({ !$0.isLetter && !$0.isNumber }) else { return nil }
        let text = String(decoding: bytes[last], as: UTF8.self).trimmed
        return text.isEmpty ? nil : text
    }

    /// The formula between dollar signs with which a line ends: `[0,1)`, `0,1`, `x^2+1`; nil for a number alone, and for an
    /// equation that ends with one, which are read as numbers.
    ///
    /// The signs of mathematics have no blank inside of them, and no figure stands behind the second one.
    private static func formula(_ bytes: [UInt8]) -> String? {
        let dollar = UInt8(ascii: "$")
        var last: Range<Int>?
        var index = 0
        while index < bytes.count {
            guard bytes[index] == dollar, let end = bytes.place(of: dollar, from: index + 1) else {
                index += 1
                continue
            }
            let isPair =
                end > index + 1 && bytes[index + 1] != 0x20 && bytes[end - 1] != 0x20
                && (end + 1 == bytes.count || !isDigit(bytes[end + 1])) && isFormula(bytes[(index + 1)..<end])
            if isPair { last = (index + 1)..<end }
            index = isPair ? end + 1 : index + 1
        }
        guard let last, bytes[(last.upperBound + 1)...].allSatisfy({ !isDigit($0) && !isLetter($0) && $0 < 0x80 })
        else {
            return nil
        }
        let text = String(decoding: bytes[last], as: UTF8.self)
        if let sign = text.lastIndex(of: "="), PlainNumber(String(text[text.index(after: sign)...])) != nil {
            return nil
        }
        return text
    }

    /// Whether bytes are more than a number or a name, and have no word in them.
    private static func isFormula(_ bytes: ArraySlice<UInt8>) -> Bool {
        var letters = 0
        var hasLetter = false
        var hasOther = false
        for byte in bytes {
            letters = isLetter(byte) ? letters + 1 : 0
            hasLetter = hasLetter || letters > 0
            hasOther = hasOther || !isLetter(byte)
            if letters > 2 || byte >= 0x80 { return false }
        }
        guard PlainNumber(String(decoding: bytes, as: UTF8.self)) == nil else { return false }
        return hasLetter && hasOther || bytes.contains(UInt8(ascii: ","))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
}
