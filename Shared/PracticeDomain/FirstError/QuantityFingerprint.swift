import Reasoning

/// What an expression makes of a problem's numbers, whatever these are: its value when each number of the question is
/// a random element of the field of integers modulo 2⁶¹ − 1.
///
/// Two expressions that are equal as functions of the question's numbers have one fingerprint in whatever order and
/// form they are written; two that only happen to have one value have different ones, but for a chance of about the
/// expression's degree in 2⁶¹ (the lemma of Schwartz and Zippel, 1979).
struct QuantityFingerprint: Hashable {
    private static let modulus: UInt64 = (1 << 61) - 1

    private let element: UInt64

    private init(element: UInt64) { self.element = element }

    static let zero = QuantityFingerprint(element: 0)
    static let one = QuantityFingerprint(element: 1)

    /// The fraction itself, as a constant.
    init(constant value: Rational) {
        let above = QuantityFingerprint(element: UInt64(value.numerator.magnitude) % QuantityFingerprint.modulus)
        let below = QuantityFingerprint(element: UInt64(value.denominator) % QuantityFingerprint.modulus)
        self = (value < Rational(0) ? above.negated : above) * below.inverse
    }

    /// A random element for a number: always the same one for a number and seed.
    ///
    /// The mixing is SplitMix64's (Steele, Lea and Flood, 2014).
    init(random value: Rational, seed: UInt64) {
        var state = seed
        for part in [UInt64(bitPattern: Int64(value.numerator)), UInt64(value.denominator)] {
            state = (state ^ part) &+ 0x9E37_79B9_7F4A_7C15
            state = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            state = (state ^ (state >> 27)) &* 0x94D0_49BB_1331_11EB
            state ^= state >> 31
        }
        element = state % QuantityFingerprint.modulus
    }

    /// The same for a quantity and its negative.
    var magnitude: QuantityFingerprint {
        let other = negated
        return element < other.element ? self : other
    }

    var negated: QuantityFingerprint {
        QuantityFingerprint(element: element == 0 ? 0 : QuantityFingerprint.modulus - element)
    }

    /// Zero for zero; otherwise by Fermat's little theorem.
    var inverse: QuantityFingerprint { raised(to: QuantityFingerprint.modulus - 2) }

    func raised(to exponent: UInt64) -> QuantityFingerprint {
        var result = QuantityFingerprint.one
        var base = self
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 { result = result * base }
            base = base * base
            rest >>= 1
        }
        return result
    }

    static func + (left: QuantityFingerprint, right: QuantityFingerprint) -> QuantityFingerprint {
        let sum = left.element + right.element
        return QuantityFingerprint(element: sum >= modulus ? sum - modulus : sum)
    }

    static func - (left: QuantityFingerprint, right: QuantityFingerprint) -> QuantityFingerprint {
        left + right.negated
    }

    static func * (left: QuantityFingerprint, right: QuantityFingerprint) -> QuantityFingerprint {
        let product = left.element.multipliedFullWidth(by: right.element)
        // 2⁶¹ is 1 in this field: the parts above and below it are added.
        let sum = (product.low & modulus) + ((product.high << 3) | (product.low >> 61))
        return QuantityFingerprint(element: sum >= modulus ? sum - modulus : sum)
    }
}

extension ExpressionTree {
    /// The most fingerprints that are kept where a number may stand for several quantities.
    private static let maximumReadings = 8

    /// The expression's fingerprints where each number may stand for one of several quantities; at most eight.
    func fingerprints(_ readings: (Rational) -> [QuantityFingerprint]) -> [QuantityFingerprint] {
        switch self {
        case .number(let value): return readings(value)
        case .unknown: return []
        case .negated(let inner): return inner.fingerprints(readings).map(\.negated)
        case .power(let inner, let exponent):
            return inner.fingerprints(readings).map { $0.raised(to: UInt64(max(0, exponent))) }
        case .operation(let sign, let leftTree, let rightTree):
            let left = leftTree.fingerprints(readings)
            var right = rightTree.fingerprints(readings)
            if sign == "/" { right = right.filter { $0 != .zero }.map(\.inverse) }
            var found: [QuantityFingerprint] = []
            for first in left {
                for second in right {
                    let next: QuantityFingerprint =
                        switch sign {
                        case "+": first + second
                        case "-": first - second
                        default: first * second
                        }
                    if !found.contains(next) { found.append(next) }
                    if found.count == ExpressionTree.maximumReadings { return found }
                }
            }
            return found
        }
    }
}
