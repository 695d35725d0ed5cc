/// Arithmetic modulo primes of 61 and 62 bits, in which fractions, polynomials and the imaginary unit have exact images.
///
/// Two different whole numbers of n bits have the same residues modulo all three primes for at most n/61 of the primes of
/// this size. Two different polynomials of degree d agree at a random point modulo one of them with probability d/2^61 or
/// less (Schwartz and Zippel), so at a point modulo all three with (d/2^61)^3.
struct ResidueField: Sendable {
    let prime: UInt64
    /// A square root of −1: the primes leave 1 when divided by 4.
    let imaginaryUnit: UInt64

    static let all = [
        ResidueField(prime: 4_611_686_018_427_387_817, imaginaryUnit: 4_490_822_397_581_186_023),
        ResidueField(prime: 2_305_843_009_213_692_937, imaginaryUnit: 1_910_651_667_703_358_360),
        ResidueField(prime: 3_458_764_513_820_553_253, imaginaryUnit: 1_496_653_934_715_790_659),
    ]

    func add(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let sum = a &+ b
        return sum >= prime ? sum - prime : sum
    }

    func negate(_ a: UInt64) -> UInt64 { a == 0 ? 0 : prime - a }

    func multiply(_ a: UInt64, _ b: UInt64) -> UInt64 {
        prime.dividingFullWidth(a.multipliedFullWidth(by: b)).remainder
    }

    func power(_ base: UInt64, _ exponent: UInt64) -> UInt64 {
        var result: UInt64 = 1
        var square = base
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 { result = multiply(result, square) }
            square = multiply(square, square)
            rest >>= 1
        }
        return result
    }

    /// Nil for zero.
    func inverse(_ a: UInt64) -> UInt64? { a == 0 ? nil : power(a, prime - 2) }

    /// Nil where the denominator vanishes.
    func residue(_ value: ExactNumber) -> UInt64? {
        let top = value.numerator.residue(modulo: prime)
        if value.isWhole { return top }
        return inverse(value.denominator.residue(modulo: prime)).map { multiply(top, $0) }
    }

    /// A number that stands for a name or a function's value: the same for the same words, and otherwise as good as random.
    func image(_ words: some Sequence<UInt64>) -> UInt64 {
        var state: UInt64 = prime ^ 0x9E37_79B9_7F4A_7C15
        for word in words {
            state = (state ^ word) &* 0xBF58_476D_1CE4_E5B9
            state ^= state >> 29
            state = state &* 0x94D0_49BB_1331_11EB
            state ^= state >> 32
        }
        state ^= state >> 31
        return 2 + state % (prime - 2)
    }

    func image(_ name: String) -> UInt64 { image(name.utf8.lazy.map { UInt64($0) + 1 }) }
}
