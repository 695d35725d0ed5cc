/// A whole number of any size, as sign and magnitude.
///
/// Only what grading needs. Whoever computes with it bounds the sizes: see ``ExactNumber/maximumBits``.
struct BigInteger: Sendable, Hashable {
    /// The magnitude, least significant first, without zeros at the end; empty for zero.
    private(set) var limbs: [UInt64]
    /// False for zero.
    private(set) var isNegative: Bool

    static let zero = BigInteger(limbs: [], isNegative: false)
    static let one = BigInteger(1)

    init(limbs: [UInt64], isNegative: Bool) {
        var limbs = limbs
        while limbs.last == 0 { limbs.removeLast() }
        self.limbs = limbs
        self.isNegative = isNegative && !limbs.isEmpty
    }

    init(_ value: Int) {
        limbs = value == 0 ? [] : [UInt64(value.magnitude)]
        isNegative = value < 0
    }

    /// Reads ASCII digits; the caller has looked that there is nothing else.
    init(digits: some Sequence<UInt8>) {
        var limbs: [UInt64] = []
        var chunk: UInt64 = 0
        var scale: UInt64 = 1
        func push() {
            var carry = chunk
            for index in limbs.indices {
                let (high, low) = limbs[index].multipliedFullWidth(by: scale)
                let (sum, overflow) = low.addingReportingOverflow(carry)
                limbs[index] = sum
                carry = high + (overflow ? 1 : 0)
            }
            if carry > 0 { limbs.append(carry) }
            chunk = 0
            scale = 1
        }
        for digit in digits {
            chunk = chunk * 10 + UInt64(digit - UInt8(ascii: "0"))
            scale *= 10
            if scale == 1_000_000_000_000_000_000 { push() }
        }
        if scale > 1 { push() }
        self.init(limbs: limbs, isNegative: false)
    }

    var isZero: Bool { limbs.isEmpty }
    var isOne: Bool { !isNegative && limbs == [1] }
    var magnitude: BigInteger { BigInteger(limbs: limbs, isNegative: false) }

    /// The bits of the magnitude; 0 for zero.
    var bitWidth: Int { limbs.last.map { limbs.count * 64 - $0.leadingZeroBitCount } ?? 0 }

    /// The value where it fits.
    var int: Int? {
        guard limbs.count <= 1 else { return nil }
        let magnitude = limbs.first ?? 0
        guard magnitude <= UInt64(Int.max) else { return nil }
        return isNegative ? -Int(magnitude) : Int(magnitude)
    }

    static prefix func - (value: BigInteger) -> BigInteger {
        BigInteger(limbs: value.limbs, isNegative: !value.isNegative)
    }

    static func + (left: BigInteger, right: BigInteger) -> BigInteger {
        if left.isNegative == right.isNegative {
            return BigInteger(limbs: sum(left.limbs, right.limbs), isNegative: left.isNegative)
        }
        return isLess(left.limbs, right.limbs)
            ? BigInteger(limbs: difference(right.limbs, left.limbs), isNegative: right.isNegative)
            : BigInteger(limbs: difference(left.limbs, right.limbs), isNegative: left.isNegative)
    }

    static func - (left: BigInteger, right: BigInteger) -> BigInteger { left + -right }

    static func * (left: BigInteger, right: BigInteger) -> BigInteger {
        guard !left.isZero, !right.isZero else { return zero }
        var result = [UInt64](repeating: 0, count: left.limbs.count + right.limbs.count)
        for (i, a) in left.limbs.enumerated() {
            var carry: UInt64 = 0
            for (j, b) in right.limbs.enumerated() {
                let (high, low) = a.multipliedFullWidth(by: b)
                let (first, overflow) = low.addingReportingOverflow(result[i + j])
                let (second, again) = first.addingReportingOverflow(carry)
                result[i + j] = second
                carry = high + (overflow ? 1 : 0) + (again ? 1 : 0)
            }
            result[i + right.limbs.count] = carry
        }
        return BigInteger(limbs: result, isNegative: left.isNegative != right.isNegative)
    }

    static func << (value: BigInteger, count: Int) -> BigInteger {
        guard count > 0, !value.isZero else { return count < 0 ? value >> -count : value }
        let (whole, part) = count.quotientAndRemainder(dividingBy: 64)
        var result = [UInt64](repeating: 0, count: whole)
        var carry: UInt64 = 0
        for limb in value.limbs {
            result.append(part == 0 ? limb : limb << UInt64(part) | carry)
            carry = part == 0 ? 0 : limb >> UInt64(64 - part)
        }
        result.append(carry)
        return BigInteger(limbs: result, isNegative: value.isNegative)
    }

    /// Shifts the magnitude: rounds towards zero.
    static func >> (value: BigInteger, count: Int) -> BigInteger {
        guard count > 0 else { return count < 0 ? value << -count : value }
        let (whole, part) = count.quotientAndRemainder(dividingBy: 64)
        guard whole < value.limbs.count else { return zero }
        var result = Array(value.limbs[whole...])
        if part > 0 {
            for index in result.indices {
                let above = index + 1 < result.count ? result[index + 1] << UInt64(64 - part) : 0
                result[index] = result[index] >> UInt64(part) | above
            }
        }
        return BigInteger(limbs: result, isNegative: value.isNegative)
    }

    // MARK: Magnitudes

    static func isLess(_ left: [UInt64], _ right: [UInt64]) -> Bool {
        if left.count != right.count { return left.count < right.count }
        for index in left.indices.reversed() where left[index] != right[index] { return left[index] < right[index] }
        return false
    }

    private static func sum(_ left: [UInt64], _ right: [UInt64]) -> [UInt64] {
        var result = left.count >= right.count ? left : right
        let other = left.count >= right.count ? right : left
        var carry = false
        for index in result.indices {
            if index >= other.count, !carry { break }
            let (first, overflow) = result[index].addingReportingOverflow(index < other.count ? other[index] : 0)
            let (second, again) = first.addingReportingOverflow(carry ? 1 : 0)
            result[index] = second
            carry = overflow || again
        }
        if carry { result.append(1) }
        return result
    }

    /// Of a larger and a smaller magnitude.
    private static func difference(_ left: [UInt64], _ right: [UInt64]) -> [UInt64] {
        var result = left
        var borrow = false
        for index in result.indices {
            if index >= right.count, !borrow { break }
            let (first, overflow) = result[index].subtractingReportingOverflow(index < right.count ? right[index] : 0)
            let (second, again) = first.subtractingReportingOverflow(borrow ? 1 : 0)
            result[index] = second
            borrow = overflow || again
        }
        return result
    }
}

extension BigInteger: Comparable {
    static func < (left: BigInteger, right: BigInteger) -> Bool {
        if left.isNegative != right.isNegative { return left.isNegative }
        return left.isNegative ? isLess(right.limbs, left.limbs) : isLess(left.limbs, right.limbs)
    }
}
