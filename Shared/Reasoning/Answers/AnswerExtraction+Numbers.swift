extension AnswerExtraction {
    /// The numbers of a text as written, with thousands separators removed; a minus, also the typographic one and the dash
    /// that stands for it, counts where no digit, letter or closing bracket stands before it.
    ///
    /// Linear.
    package static func numbers(in text: String) -> [String] {
        var result: [String] = []
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            guard isDigit(bytes[index]) else {
                index += 1
                continue
            }
            var start = index
            if start > 0, bytes[start - 1] == UInt8(ascii: "."), start < 2 || !isDigit(bytes[start - 2]) { start -= 1 }
            var digits = [UInt8]()
            if start < index { digits += Array("0.".utf8) }
            var point = start < index
            var end = index
            while end < bytes.count {
                let byte = bytes[end]
                if isDigit(byte) {
                    digits.append(byte)
                    end += 1
                } else if byte == UInt8(ascii: "."), !point, end + 1 < bytes.count, isDigit(bytes[end + 1]) {
                    point = true
                    digits.append(byte)
                    end += 1
                } else if byte == UInt8(ascii: ","), !point, groupOfThree(bytes, end + 1) {
                    end += 1
                } else {
                    break
                }
            }
            result.append((hasMinus(bytes, before: start) ? "-" : "") + String(decoding: digits, as: UTF8.self))
            index = end
        }
        return result
    }

    private static let signs =
        ["-"].map { Array($0.utf8) } + Arithmetic.minuses.map { Array(String(Character($0)).utf8) }

    /// Whether a minus that is a sign stands before a number.
    private static func hasMinus(_ bytes: [UInt8], before start: Int) -> Bool {
        guard
            let sign = signs.first(where: { start >= $0.count && bytes[(start - $0.count)..<start].elementsEqual($0) })
        else { return false }
        guard start > sign.count else { return true }
        let before = bytes[start - sign.count - 1]
        let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(before | 0x20) && before & 0x40 != 0
        return !isDigit(before) && !isLetter && before < 0x80 && !")]}%-.".utf8.contains(before)
    }

    private static func groupOfThree(_ bytes: [UInt8], _ start: Int) -> Bool {
        guard start + 3 <= bytes.count, bytes[start..<(start + 3)].allSatisfy(isDigit) else { return false }
        return start + 3 == bytes.count || !isDigit(bytes[start + 3])
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
