extension BigInteger {
    /// Quotient towards zero and remainder with the dividend's sign; nil for a zero divisor.
    func quotientAndRemainder(dividingBy divisor: BigInteger) -> (quotient: BigInteger, remainder: BigInteger)? {
        guard !divisor.isZero else { return nil }
        guard !Self.isLess(limbs, divisor.limbs) else { return (.zero, self) }
        let sign = isNegative != divisor.isNegative
        if divisor.limbs.count == 1 {
            let (quotient, remainder) = Self.divide(limbs, by: divisor.limbs[0])
            return (
                BigInteger(limbs: quotient, isNegative: sign), BigInteger(limbs: [remainder], isNegative: isNegative)
            )
        }
        let (quotient, remainder) = Self.divideLong(limbs, by: divisor.limbs)
        return (BigInteger(limbs: quotient, isNegative: sign), BigInteger(limbs: remainder, isNegative: isNegative))
    }

    private static func divide(_ limbs: [UInt64], by divisor: UInt64) -> (quotient: [UInt64], remainder: UInt64) {
        var quotient = limbs
        var remainder: UInt64 = 0
        for index in limbs.indices.reversed() {
            (quotient[index], remainder) = divisor.dividingFullWidth((remainder, limbs[index]))
        }
        return (quotient, remainder)
    }

    /// Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D; the divisor has two limbs or more and is not the
    /// larger.
    private static func divideLong(
        _ dividend: [UInt64],
        by divisor: [UInt64]
    ) -> (quotient: [UInt64], remainder: [UInt64]) {
        let shift = divisor[divisor.count - 1].leadingZeroBitCount
        let v = (BigInteger(limbs: divisor, isNegative: false) << shift).limbs
        var u = (BigInteger(limbs: dividend, isNegative: false) << shift).limbs
        while u.count <= dividend.count { u.append(0) }
        let n = v.count
        var quotient = [UInt64](repeating: 0, count: u.count - n)
        for j in quotient.indices.reversed() {
            var estimate: UInt64
            var rest: UInt64
            var restOverflows = false
            if u[j + n] >= v[n - 1] {
                estimate = .max
                (rest, restOverflows) = u[j + n - 1].addingReportingOverflow(v[n - 1])
            } else {
                (estimate, rest) = v[n - 1].dividingFullWidth((u[j + n], u[j + n - 1]))
            }
            while !restOverflows {
                let (high, low) = estimate.multipliedFullWidth(by: v[n - 2])
                guard high > rest || (high == rest && low > u[j + n - 2]) else { break }
                estimate -= 1
                (rest, restOverflows) = rest.addingReportingOverflow(v[n - 1])
            }
            if subtract(v, times: estimate, from: &u, at: j) {
                estimate -= 1
                add(v, to: &u, at: j)
            }
            quotient[j] = estimate
        }
        let remainder = BigInteger(limbs: Array(u[..<n]), isNegative: false) >> shift
        return (quotient, remainder.limbs)
    }

    /// Whether it went below zero.
    private static func subtract(
        _ v: [UInt64],
        times factor: UInt64,
        from u: inout [UInt64],
        at offset: Int
    ) -> Bool {
        var carry: UInt64 = 0
        for (index, limb) in v.enumerated() {
            let (high, low) = limb.multipliedFullWidth(by: factor)
            let (product, overflow) = low.addingReportingOverflow(carry)
            let (rest, borrow) = u[offset + index].subtractingReportingOverflow(product)
            u[offset + index] = rest
            carry = high + (overflow ? 1 : 0) + (borrow ? 1 : 0)
        }
        let (rest, borrow) = u[offset + v.count].subtractingReportingOverflow(carry)
        u[offset + v.count] = rest
        return borrow
    }

    private static func add(_ v: [UInt64], to u: inout [UInt64], at offset: Int) {
        var carry = false
        for (index, limb) in v.enumerated() {
            let (first, overflow) = u[offset + index].addingReportingOverflow(limb)
            let (second, again) = first.addingReportingOverflow(carry ? 1 : 0)
            u[offset + index] = second
            carry = overflow || again
        }
        u[offset + v.count] &+= carry ? 1 : 0
    }

    /// The remainder, from 0 to the modulus.
    func residue(modulo modulus: UInt64) -> UInt64 {
        var remainder: UInt64 = 0
        for limb in limbs.reversed() { (_, remainder) = modulus.dividingFullWidth((remainder % modulus, limb)) }
        return isNegative && remainder > 0 ? modulus - remainder : remainder
    }

    func greatestCommonDivisor(_ other: BigInteger) -> BigInteger {
        var a = magnitude
        var b = other.magnitude
        while let step = a.quotientAndRemainder(dividingBy: b) { (a, b) = (b, step.remainder) }
        return a
    }

    /// Nil where the result has more bits than `maximumBits`.
    func raised(to exponent: Int, maximumBits: Int) -> BigInteger? {
        guard exponent > 0 else { return exponent == 0 ? .one : nil }
        if magnitude.isOne || isZero { return isNegative && exponent % 2 == 0 ? -self : self }
        guard exponent <= maximumBits, (bitWidth - 1) * exponent <= maximumBits else { return nil }
        var result = BigInteger.one
        var square = self
        var rest = exponent
        while true {
            if rest & 1 == 1 { result = result * square }
            rest >>= 1
            guard rest > 0 else { return result.bitWidth <= maximumBits ? result : nil }
            square = square * square
        }
    }

    /// The whole part of the square root of a magnitude, by Newton's method.
    var squareRoot: BigInteger {
        guard !isZero else { return .zero }
        var root = BigInteger.one << ((bitWidth + 1) / 2)
        while let step = magnitude.quotientAndRemainder(dividingBy: root) {
            let next = (root + step.quotient) >> 1
            guard next < root else { break }
            root = next
        }
        return root
    }
}
