/// How Python writes a `float`.
enum FloatText {
    /// `repr(value)`: the shortest decimal that reads back as `value`, with an exponent below -4 and from 16 on.
    static func representation(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        let (digits, exponent) = shortest(value.magnitude)
        let sign = value.sign == .minus ? "-" : ""
        guard (-4..<16).contains(exponent) else {
            let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
            let power = String(exponent.magnitude)
            return sign + digits.prefix(1) + fraction + "e" + (exponent < 0 ? "-" : "+")
                + (power.utf8.count < 2 ? "0" : "") + power
        }
        if exponent < 0 {
            return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits
        }
        let whole = digits.prefix(exponent + 1)
        let fraction = digits.dropFirst(exponent + 1)
        return sign + whole + String(repeating: "0", count: exponent + 1 - whole.count) + "."
            + (fraction.isEmpty ? "0" : fraction)
    }

    /// The shortest significant digits of a finite value, without zeros at the end, and the power of ten of the first.
    private static func shortest(_ value: Double) -> (digits: String, exponent: Int) {
        var mantissa = Substring(value.description)
        var exponent = 0
        if let mark = mantissa.firstIndex(of: "e") {
            exponent = Int(mantissa[mantissa.index(after: mark)...]) ?? 0
            mantissa = mantissa[..<mark]
        }
        let parts = mantissa.split(separator: ".", omittingEmptySubsequences: false)
        let whole = parts[0]
        let fraction = parts.count > 1 ? parts[1] : ""
        let all = whole + fraction
        let significant = all.drop { $0 == "0" }
        guard !significant.isEmpty else { return ("0", 0) }
        let leadingZeros = all.count - significant.count
        var digits = significant
        while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        return (String(digits), exponent + whole.count - 1 - leadingZeros)
    }
}
