/// A complex number of two ``BigFloat``; functions give principal values.
struct ComplexFloat: Sendable {
    let real: BigFloat
    let imaginary: BigFloat

    static let zero = ComplexFloat(.zero)
    static let one = ComplexFloat(.one)
    static let i = ComplexFloat(.zero, .one)

    init(_ real: BigFloat, _ imaginary: BigFloat = .zero) {
        self.real = real
        self.imaginary = imaginary
    }

    /// Exactly so: a real operation on real numbers leaves no imaginary part.
    var isReal: Bool { imaginary.isZero }
    var isZero: Bool { real.isZero && imaginary.isZero }

    static prefix func - (value: ComplexFloat) -> ComplexFloat { ComplexFloat(-value.real, -value.imaginary) }

    static func + (left: ComplexFloat, right: ComplexFloat) -> ComplexFloat {
        ComplexFloat(left.real + right.real, left.imaginary + right.imaginary)
    }

    static func - (left: ComplexFloat, right: ComplexFloat) -> ComplexFloat { left + -right }

    static func * (left: ComplexFloat, right: ComplexFloat) -> ComplexFloat {
        if left.isReal, right.isReal { return ComplexFloat(left.real * right.real) }
        return ComplexFloat(
            left.real * right.real - left.imaginary * right.imaginary,
            left.real * right.imaginary + left.imaginary * right.real
        )
    }

    /// Nil for a zero divisor.
    static func / (left: ComplexFloat, right: ComplexFloat) -> ComplexFloat? {
        if left.isReal, right.isReal { return (left.real / right.real).map { ComplexFloat($0) } }
        let norm = right.real * right.real + right.imaginary * right.imaginary
        let product = left * ComplexFloat(right.real, -right.imaginary)
        guard let real = product.real / norm, let imaginary = product.imaginary / norm else { return nil }
        return ComplexFloat(real, imaginary)
    }

    var magnitude: BigFloat? {
        isReal ? real.magnitude : (real * real + imaginary * imaginary).squareRoot
    }

    var squareRoot: ComplexFloat? {
        if isReal {
            return real.magnitude.squareRoot.map { real.isNegative ? ComplexFloat(.zero, $0) : ComplexFloat($0) }
        }
        guard let length = magnitude, let a = (length + real).scaled(by: -1).squareRoot,
            let b = (length - real).scaled(by: -1).squareRoot
        else { return nil }
        return ComplexFloat(a, imaginary.isNegative ? -b : b)
    }

    var exponential: ComplexFloat? {
        guard let scale = real.exponential else { return nil }
        if isReal { return ComplexFloat(scale) }
        return imaginary.sineAndCosine.map { ComplexFloat(scale * $0.cosine, scale * $0.sine) }
    }

    /// The angle from the positive real axis, above −π up to π.
    var argument: BigFloat? {
        if isReal { return real.isNegative ? .pi : .zero }
        guard !real.isZero else {
            return imaginary.isNegative ? -BigFloat.pi.scaled(by: -1) : BigFloat.pi.scaled(by: -1)
        }
        guard let slope = imaginary / real else { return nil }
        let angle = slope.inverseTangent
        guard real.isNegative else { return angle }
        return imaginary.isNegative ? angle - .pi : angle + .pi
    }

    /// Nil for zero.
    var logarithm: ComplexFloat? {
        guard let length = magnitude?.logarithm, let argument else { return nil }
        return ComplexFloat(length, argument)
    }

    /// Nil beyond the powers that stay within reach.
    func raised(to exponent: Int) -> ComplexFloat? {
        guard abs(exponent) <= 1 << 20 else { return nil }
        var result = ComplexFloat.one
        var square = self
        var rest = abs(exponent)
        while rest > 0 {
            if rest & 1 == 1 { result = result * square }
            rest >>= 1
            if rest > 0 { square = square * square }
            guard abs(square.real.order) < 1 << 40 || square.real.isZero else { return nil }
        }
        return exponent < 0 ? .one / result : result
    }

    func raised(to exponent: ComplexFloat) -> ComplexFloat? {
        if isZero { return exponent.isReal && !exponent.real.isNegative && !exponent.isZero ? .zero : nil }
        return logarithm.flatMap { (exponent * $0).exponential }
    }

    /// Whether both parts are the same, as far as their digits can tell.
    static func agree(_ left: ComplexFloat, _ right: ComplexFloat) -> Bool {
        if left.isReal, right.isReal { return BigFloat.agree(left.real, right.real) }
        guard let distance = (left - right).magnitude, let a = left.magnitude, let b = right.magnitude else {
            return false
        }
        return BigFloat.agree(a, b) && distance.order < max(a.order, b.order, 0) - BigFloat.agreement
    }
}
