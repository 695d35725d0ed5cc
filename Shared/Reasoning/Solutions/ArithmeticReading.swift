/// One of the ways in which an expression may be meant.
///
/// People write `100% - 40% = 60%`, `60 / 3/4 = 80` and `200 + 10% = 220`, which plain rules of precedence call wrong.
struct ArithmeticReading: Hashable, Sendable {
    enum Percent: Hashable, Sendable {
        /// A hundredth.
        case part
        /// The sign is a unit, as in `75% / 5 = 15`.
        case unit
        /// Added or taken away, a percentage is one of what stands before it.
        case change
    }

    var percent = Percent.part
    /// Whether a fraction written without blanks is worked out before the division that it stands behind.
    var joinsFractions = false
    /// Whether `6/2(1+2)` divides by all of what stands behind the slash.
    var joinsProducts = false
    /// Whether `-2^2` is the square of -2.
    var joinsSigns = false
    /// Whether all numbers are percentages that are multiplied, so that the result may be stated without its sign.
    var isProductOfPercentages = false

    /// The readings that an expression has, the plain one first.
    static func all(of tokens: ArraySlice<ArithmeticToken>) -> [ArithmeticReading] {
        let signs = Signs(tokens)
        var readings = [ArithmeticReading(isProductOfPercentages: signs.isProductOfPercentages)]
        if signs.mayDropPercent { readings.append(ArithmeticReading(percent: .unit)) }
        if signs.changesByPercent { readings.append(ArithmeticReading(percent: .change)) }
        if signs.divisions > 1 { readings.append(ArithmeticReading(joinsFractions: true)) }
        if signs.divisions > 0, signs.brackets > 0 { readings.append(ArithmeticReading(joinsProducts: true)) }
        if signs.hasPower { readings.append(ArithmeticReading(joinsSigns: true)) }
        return readings
    }

    /// What of an expression's signs leaves room for readings.
    private struct Signs {
        var divisions = 0
        var brackets = 0
        var hasPower = false
        private var percentages = 0
        private var hasHundredPercent = false
        private var hasPercentDivisor = false
        private(set) var changesByPercent = false
        /// Numbers without a percent sign that nothing is divided by.
        private var plainTerms = 0
        private var isSum = true
        private var isProduct = true

        init(_ tokens: ArraySlice<ArithmeticToken>) {
            let tokens = tokens.filter { $0.kind != .sign }
            for (index, token) in tokens.enumerated() {
                let before = index > 0 ? tokens[index - 1].kind : .equals
                switch token.kind {
                case .operation(let sign):
                    if sign == "/" { divisions += 1 }
                    if sign == "/" || sign == "*" { isSum = false }
                    if sign != "*" { isProduct = false }
                case .fraction: divisions += 1
                case .open: brackets += 1
                case .power, .raised: hasPower = true
                case .number(let value):
                    let isPercentage = index + 1 < tokens.count && tokens[index + 1].kind == .percent
                    guard isPercentage else {
                        if before != .operation("/") { plainTerms += 1 }
                        continue
                    }
                    percentages += 1
                    if value == Rational(100) { hasHundredPercent = true }
                    if before == .operation("/") { hasPercentDivisor = true }
                    if before == .operation("+") || before == .operation("-") { changesByPercent = true }
                default: break
                }
            }
        }

        var isProductOfPercentages: Bool { percentages > 1 && plainTerms == 0 && isProduct }

        /// Whether the sign may be a mere unit: percentages among themselves or divided, `… * 100%`, `7500 / 75%`.
        var mayDropPercent: Bool {
            guard percentages > 0 else { return false }
            return plainTerms == 0 && (isSum || divisions > 0) || hasPercentDivisor || hasHundredPercent && !isSum
        }
    }
}
