/// A number as it is written: thousands separators, a decimal point or comma, an exponent.
struct NumberText {
    /// Nil where the figures can be no plain number, such as a clock's `0900`, a version's `1.2.3` or `13,2000`.
    let value: Rational?
    /// Where it ends.
    let end: Int

    /// Reads the number that begins at a figure, or at a point before one.
    init(_ scalars: ArraySlice<Unicode.Scalar>, at start: Int) {
        var reader = Reader(scalars: scalars, position: start)
        var figures = reader.whole()
        let isNought = figures.count == 1 && figures.startsWithNought
        var isSound = figures.count < 2 || !figures.startsWithNought
        if reader.scalar() == ".", reader.isDigit(1) {
            reader.position += 1
            reader.digits(&figures, areDecimals: true)
        } else if reader.scalar() == ",", reader.isDigit(1), !reader.hasSeparator {
            // A decimal comma for sure only behind a nought: `5,10` may be a list, `13,2000` is a slip of the pen.
            reader.position += 1
            isSound = isSound && isNought
            reader.digits(&figures, areDecimals: true)
        }
        // `1.2.3`, `1,2,3` and `1.000,50` are no numbers that can be read for sure.
        while reader.scalar() == "." || reader.scalar() == ",", reader.isDigit(1) {
            isSound = false
            reader.position += 1
            reader.skipDigits()
        }
        var value = isSound ? figures.value : nil
        if let exponent = reader.exponent() {
            value = value.flatMap { number in Rational(10).power(exponent).flatMap(number.multiplied) }
        }
        self.value = value
        end = reader.position
    }

    /// Figures as they are read, those behind the point too.
    private struct Figures {
        private(set) var count = 0
        private(set) var startsWithNought = false
        private var digits = 0
        private var scale = 1
        private var isTooLong = false

        /// Nil for more figures than fit 64 bits.
        var value: Rational? { isTooLong ? nil : Rational(digits, over: scale) }

        mutating func append(_ scalar: Unicode.Scalar, isDecimal: Bool) {
            let digit = Int(scalar.value) - 0x30
            if count == 0 { startsWithNought = digit == 0 }
            count += 1
            let (product, overflow) = digits.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(digit)
            isTooLong = isTooLong || overflow || carried || isDecimal && scale > Int.max / 10
            guard !isTooLong else { return }
            digits = sum
            if isDecimal { scale *= 10 }
        }
    }

    private struct Reader {
        let scalars: ArraySlice<Unicode.Scalar>
        var position: Int
        var hasSeparator = false

        init(scalars: ArraySlice<Unicode.Scalar>, position: Int) {
            self.scalars = scalars
            self.position = position
        }

        func scalar(_ offset: Int = 0) -> Unicode.Scalar? {
            position + offset < scalars.endIndex ? scalars[position + offset] : nil
        }

        func isDigit(_ offset: Int) -> Bool { scalar(offset).map(ArithmeticTokenizer.isDigit) ?? false }

        mutating func digits(_ figures: inout Figures, areDecimals: Bool = false) {
            while let scalar = scalar(), ArithmeticTokenizer.isDigit(scalar) {
                figures.append(scalar, isDecimal: areDecimals)
                position += 1
            }
        }

        mutating func skipDigits() { while isDigit(0) { position += 1 } }

        /// The figures before the decimal point, over thousands separators: `1,000`, `1{,}000`, `1\,000`.
        mutating func whole() -> Figures {
            var figures = Figures()
            digits(&figures)
            guard (1...3).contains(figures.count) else { return figures }
            while let length = separatorLength(), isGroup(length) {
                hasSeparator = true
                position += length
                digits(&figures)
            }
            return figures
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
            let start = position
            skipDigits()
            // More than 18 decimal places fit no 64-bit fraction.
            let value =
                position - start > 2 ? 99 : scalars[start..<position].reduce(0) { $0 * 10 + Int($1.value) - 0x30 }
            return isNegative ? -value : value
        }
    }
}
