/// An exact fraction of whole numbers of bounded size, in lowest terms.
struct ExactNumber: Sendable, Hashable {
    /// Numerators and denominators stay below two to this power: 1,233 decimal digits.
    ///
    /// What is larger has no exact value here, and is compared by its residues.
    static let maximumBits = 4_096

    let numerator: BigInteger
    /// Positive.
    let denominator: BigInteger

    static let zero = ExactNumber(0)
    static let one = ExactNumber(1)

    init(_ value: Int) {
        numerator = BigInteger(value)
        denominator = .one
    }

    /// Nil for a zero denominator, and beyond ``maximumBits``.
    init?(_ numerator: BigInteger, over denominator: BigInteger = .one) {
        guard !denominator.isZero else { return nil }
        var top = denominator.isNegative ? -numerator : numerator
        var bottom = denominator.magnitude
        if !bottom.isOne {
            let divisor = top.greatestCommonDivisor(bottom)
            if !divisor.isOne, let a = top.quotientAndRemainder(dividingBy: divisor),
                let b = bottom.quotientAndRemainder(dividingBy: divisor)
            {
                top = a.quotient
                bottom = b.quotient
            }
        }
        guard top.bitWidth <= Self.maximumBits, bottom.bitWidth <= Self.maximumBits else { return nil }
        self.numerator = top
        self.denominator = bottom
    }

    var isWhole: Bool { denominator.isOne }
    var isZero: Bool { numerator.isZero }
    var isNegative: Bool { numerator.isNegative }

    /// The value where it is whole and fits.
    var int: Int? { isWhole ? numerator.int : nil }

    /// Nil beyond the bound, like all of these.
    func adding(_ other: ExactNumber) -> ExactNumber? {
        ExactNumber(
            numerator * other.denominator + other.numerator * denominator,
            over: denominator * other.denominator
        )
    }

    func subtracting(_ other: ExactNumber) -> ExactNumber? { adding(other.negated) }

    func multiplied(by other: ExactNumber) -> ExactNumber? {
        ExactNumber(numerator * other.numerator, over: denominator * other.denominator)
    }

    /// Nil for a zero divisor, too.
    func divided(by other: ExactNumber) -> ExactNumber? {
        ExactNumber(numerator * other.denominator, over: denominator * other.numerator)
    }

    /// Nil for zero to a negative power, too; zero to the power of zero is 1.
    func raised(to exponent: Int) -> ExactNumber? {
        guard exponent != .min else { return nil }
        guard let top = numerator.raised(to: abs(exponent), maximumBits: Self.maximumBits),
            let bottom = denominator.raised(to: abs(exponent), maximumBits: Self.maximumBits)
        else { return nil }
        return exponent < 0 ? ExactNumber(bottom, over: top) : ExactNumber(top, over: bottom)
    }

    var negated: ExactNumber { ExactNumber(reduced: -numerator, denominator) }
    var magnitude: ExactNumber { isNegative ? negated : self }

    /// The root where it is a fraction.
    func root(_ degree: Int) -> ExactNumber? {
        guard degree >= 2, degree <= 64 else { return nil }
        if isNegative { return degree % 2 == 1 ? negated.root(degree)?.negated : nil }
        guard let top = Self.root(of: numerator, degree), let bottom = Self.root(of: denominator, degree) else {
            return nil
        }
        return ExactNumber(reduced: top, bottom)
    }

    private static func root(of value: BigInteger, _ degree: Int) -> BigInteger? {
        if value.isZero || value.isOne { return value }
        // Bisection: the root has at most this many bits.
        var low = BigInteger.one
        var high = BigInteger.one << (value.bitWidth / degree + 1)
        while low < high {
            let middle = (low + high) >> 1
            guard let power = middle.raised(to: degree, maximumBits: 2 * maximumBits) else { return nil }
            if power == value { return middle }
            if power < value { low = middle + .one } else { high = middle }
        }
        return nil
    }

    private init(reduced numerator: BigInteger, _ denominator: BigInteger) {
        self.numerator = numerator
        self.denominator = denominator
    }
}

extension ExactNumber: Comparable {
    static func < (left: ExactNumber, right: ExactNumber) -> Bool {
        left.numerator * right.denominator < right.numerator * left.denominator
    }
}
