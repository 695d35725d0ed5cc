/// Finds mathematics between the delimiters of LaTeX.
enum MathSegment {
    private static let delimiters: [(open: [UInt8], close: [UInt8])] = [
        ("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$"),
    ]
    .map { (Array($0.utf8), Array($1.utf8)) }

    /// What the last segment of a line holds, where it has a command of LaTeX: `\frac{3}{4}` of "which is $\frac{3}{4}$.".
    ///
    /// Without a command it may be what stands between two prices. Nil where words follow it: of "multiplying by $\pi$ gives 6"
    /// it is not what the line ends with. Linear.
    static func closing(_ line: String) -> String? {
        guard line.hasByte(UInt8(ascii: "\\")) else { return nil }
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
}
