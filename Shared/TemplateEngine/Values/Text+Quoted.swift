extension Text {
    /// Python's `repr`: in single quotes, unless only those stand in the text.
    var quoted: Text {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + 2)
        let quote: Unicode.Scalar =
            bytes.contains(UInt8(ascii: "'")) && !bytes.contains(UInt8(ascii: "\"")) ? "\"" : "'"
        output.append(quote)
        for scalar in scalars {
            switch scalar {
            case quote, "\\":
                output.append(UInt8(ascii: "\\"))
                output.append(scalar)
            case "\n": output.append(contentsOf: #"\n"#.utf8)
            case "\r": output.append(contentsOf: #"\r"#.utf8)
            case "\t": output.append(contentsOf: #"\t"#.utf8)
            case _ where scalar.isPythonPrintable: output.append(scalar)
            default: output.append(contentsOf: Self.escape(scalar, shortest: true).utf8)
            }
        }
        output.append(quote)
        return isMarkup ? Text(Array("Markup(".utf8) + output + Array(")".utf8)) : Text(output)
    }

    /// `\xNN`, `\uNNNN` or `\UNNNNNNNN`; without `shortest`, `\x` is left out.
    static func escape(_ scalar: Unicode.Scalar, shortest: Bool) -> String {
        let digits = String(scalar.value, radix: 16)
        let (mark, width) =
            scalar.value < 0x100 && shortest ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
        return "\\\(mark)" + String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
