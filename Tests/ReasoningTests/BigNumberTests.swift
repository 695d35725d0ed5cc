import Testing

@testable import Reasoning

@Suite("Numbers of any size")
struct BigNumberTests {
    private static func number(_ random: inout ReasoningRandom, limbs: Int) -> BigInteger {
        let limbs = (0..<limbs).map { _ -> UInt64 in
            switch random.integer(0...5) {
            case 0: 0
            case 1: .max
            default: UInt64(random.integer(0...Int.max - 1)) << 1
            }
        }
        return BigInteger(limbs: limbs, isNegative: random.chance(0.5))
    }

    @Test("quotient and remainder make the dividend again")
    func division() throws {
        var random = ReasoningRandom(seed: 1)
        for _ in 0..<3_000 {
            let a = Self.number(&random, limbs: random.integer(0...9))
            let b = Self.number(&random, limbs: random.integer(1...5))
            guard let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b) else {
                #expect(b.isZero)
                continue
            }
            #expect(quotient * b + remainder == a)
            #expect(remainder.magnitude < b.magnitude)
        }
    }

    @Test("sums, products, shifts and residues agree with those of machine words")
    func words() {
        var random = ReasoningRandom(seed: 2)
        for _ in 0..<2_000 {
            let a = random.integer(-2_000_000_000...2_000_000_000)
            let b = random.integer(-2_000_000_000...2_000_000_000)
            #expect((BigInteger(a) + BigInteger(b)).int == a + b)
            #expect((BigInteger(a) - BigInteger(b)).int == a - b)
            #expect((BigInteger(a) * BigInteger(b)).int == a * b)
            #expect((BigInteger(a) < BigInteger(b)) == (a < b))
            let shift = random.integer(0...200)
            #expect((BigInteger(a) << shift) >> shift == BigInteger(a))
            let modulus = 1_000_003
            #expect(BigInteger(a).residue(modulo: UInt64(modulus)) == UInt64((a % modulus + modulus) % modulus))
        }
        #expect(
            BigInteger(digits: "123456789012345678901234567890".utf8) == BigInteger(12_345_678_901_234_567)
                * BigInteger(10_000_000_000_000) + BigInteger(8_901_234_567_890)
        )
    }

    @Test("the square root of a square, and of one less")
    func roots() {
        var random = ReasoningRandom(seed: 3)
        for _ in 0..<300 {
            let a = Self.number(&random, limbs: random.integer(1...6)).magnitude
            guard !a.isZero else { continue }
            #expect((a * a).squareRoot == a)
            #expect((a * a - .one).squareRoot == a - .one)
        }
    }

    @Test("functions to 512 bits keep their identities")
    func functions() throws {
        var random = ReasoningRandom(seed: 4)
        for _ in 0..<40 {
            let x = try #require(BigFloat(Double(random.integer(1...4_000)) / 1_000))
            #expect(BigFloat.agree(try #require(x.exponential?.logarithm), x))
            #expect(BigFloat.agree(try #require(x.logarithm?.exponential), x))
            let (sine, cosine) = try #require(x.sineAndCosine)
            #expect(BigFloat.agree(sine * sine + cosine * cosine, .one))
            #expect(
                BigFloat.agree(
                    try #require((sine / cosine)?.inverseTangent.sineAndCosine).sine.magnitude,
                    sine.magnitude
                )
            )
            let root = try #require(x.squareRoot)
            #expect(BigFloat.agree(root * root, x))
        }
        let (sine, cosine) = try #require(BigFloat.pi.sineAndCosine)
        #expect(BigFloat.agree(sine, .zero) && BigFloat.agree(cosine, BigFloat(-1)))
        #expect(abs(BigFloat.pi.doubleValue - Double.pi) < 1e-15)
        #expect(!BigFloat.agree(BigFloat.pi, BigFloat.pi + BigFloat.one.scaled(by: -300)))
    }

    @Test("fractions stay in lowest terms and within their bound")
    func fractions() throws {
        let half = try #require(ExactNumber(BigInteger(-3), over: BigInteger(-6)))
        #expect(half.numerator == .one && half.denominator == BigInteger(2))
        #expect(ExactNumber(2).raised(to: 4_000) != nil && ExactNumber(2).raised(to: 5_000) == nil)
        #expect(ExactNumber(27).root(3) == ExactNumber(3) && ExactNumber(28).root(3) == nil)
        #expect(ExactNumber.one.divided(by: .zero) == nil)
    }
}
