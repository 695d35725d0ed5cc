/// A number as it is written: thousands separators, a decimal point or comma, an exponent.
struct NumberText {
    /// Nil where the figures can be no plain number, such as a clock's `0900`, a version's `1.2.3` or `13,2000`.
    let value: Rational?
    /// Where it ends.
    let end: Int
    /// Reads the number that begins at a figure, or at a point before one.
    init(_ scalars: ArraySlice<Unicode.Scalar>, at start: Int) {
        var reader = Reader(scalars: scalars, position: start)
        let whole = reader.whole()
        var digits = whole
        var isSound = reader.isSound
        if reader.scalar() == ".", reader.isDigit(1) {
            reader.position += 1
            digits += "." + reader.digits()
        } else if reader.scalar() == ",", reader.isDigit(1), !reader.hasSeparator {
            // A decimal comma for sure only behind a nought: `5,10` may be a list, `13,2000` is a slip of the pen.
            reader.position += 1
            let places = reader.digits()
            isSound = isSound && whole == "0"
            digits += "." + places
        }
        // `1.2.3`, `1,2,3` and `1.000,50` are no numbers that can be read for sure.
        while reader.scalar() == "." || reader.scalar() == ",", reader.isDigit(1) {
            isSound = false
            reader.position += 1
            _ = reader.digits()
        }
        if whole.count > 1, whole.hasPrefix("0") { isSound = false }
        var value = isSound ? Rational(decimal: digits) : nil
        if let exponent = reader.exponent() {
            value = value.flatMap { number in Rational(10).power(exponent).flatMap(number.multiplied) }
        }
        self.value = value
        end = reader.position
    }

    private struct Reader {
        let scalars: ArraySlice<Unicode.Scalar>
        var position: Int
        var isSound = true
        var hasSeparator = false

        init(scalars: ArraySlice<Unicode.Scalar>, position: Int) {
            self.scalars = scalars
            self.position = position
        }

        func scalar(_ offset: Int = 0) -> Unicode.Scalar? {
            position + offset < scalars.endIndex ? scalars[position + offset] : nil
        }

        func isDigit(_ offset: Int) -> Bool { scalar(offset).map(ArithmeticTokenizer.isDigit) ?? false }

        mutating func digits() -> String {
            var text = String.UnicodeScalarView()
            while let scalar = scalar(), ArithmeticTokenizer.isDigit(scalar) {
                text.append(scalar)
                position += 1
            }
            return String(text)
        }

        /// The figures before the decimal point, over thousands separators: `1,000`, `1{,}000`, `1\,000`.
        mutating func whole() -> String {
            var text = digits()
            guard (1...3).contains(text.count) else { return text }
            while let length = separatorLength(), isGroup(length) {
                hasSeparator = true
                position += length
                text += digits()
            }
            return text
        }

        private func separatorLength() -> Int? {
            if scalar() == "," { return 1 }
            if scalar() == "{", scalar(1) == ",", scalar(2) == "}" { return 3 }
            return scalar() == "\\" && scalar(1) == "," ? 2 : nil
        }

        private func isGroup(_ offset: Int) -> Bool {
            isDigit(offset) && isDigit(offset + 1) && isDigit(offset + 2) && !isDigit(offset + 3)
        }

        /// The power of ten behind an `e`.
        mutating func exponent() -> Int? {
            guard scalar() == "e" || scalar() == "E" else { return nil }
            let sign = scalar(1) == "-" || scalar(1) == "+" ? 1 : 0
            guard isDigit(1 + sign) else { return nil }
            let isNegative = scalar(1) == "-"
            position += 1 + sign
            let text = digits()
            // More than 18 decimal places fit no 64-bit fraction.
            let value = text.count > 2 ? 99 : Int(text) ?? 99
            return isNegative ? -value : value
        }
    }
}
