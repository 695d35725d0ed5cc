extension Expression {
    /// The expression's image in a field, the variables being chosen by the point's number; nil where a denominator vanishes.
    ///
    /// Functions other than the four operations and whole powers get an image that only their name and arguments decide:
    /// equal images say that expressions are equal, and different ones say nothing of them.
    func residue(_ field: ResidueField, point: UInt64) -> UInt64? {
        switch self {
        case .number(let value), .decimal(let value, _): return field.residue(value)
        case .symbol(let name): return field.image([point, field.image(name)])
        case .constant(.imaginaryUnit): return field.imaginaryUnit
        case .constant(let constant): return field.image([1, field.image(constant.rawValue)])
        case .negative(let inner): return inner.residue(field, point: point).map(field.negate)
        case .sum(let parts):
            var total: UInt64 = 0
            for part in parts {
                guard let value = part.residue(field, point: point) else { return nil }
                total = field.add(total, value)
            }
            return total
        case .product(let parts):
            var total: UInt64 = 1
            for part in parts {
                guard let value = part.residue(field, point: point) else { return nil }
                total = field.multiply(total, value)
            }
            return total
        case .quotient(let top, let bottom):
            guard let top = top.residue(field, point: point), let bottom = bottom.residue(field, point: point),
                let inverse = field.inverse(bottom)
            else { return nil }
            return field.multiply(top, inverse)
        case .power(let base, let exponent): return Self.power(base, exponent, field, point: point)
        case .function(.root, let arguments):
            guard arguments.count == 2, let degree = arguments[0].residue(field, point: point),
                let radicand = arguments[1].residue(field, point: point)
            else { return nil }
            return Self.root(degree, radicand, field)
        case .function(let function, let arguments):
            return Self.image(field.image(function.rawValue), arguments, field, point: point)
        case .application(let name, let arguments):
            return Self.image(field.image([3, field.image(name)]), arguments, field, point: point)
        }
    }

    private static func power(
        _ base: Expression,
        _ exponent: Expression,
        _ field: ResidueField,
        point: UInt64
    ) -> UInt64? {
        guard let value = base.residue(field, point: point) else { return nil }
        let exact = exponent.exact
        if let whole = exact?.int {
            if whole < 0, value == 0 { return nil }
            let power = field.power(value, UInt64(whole.magnitude))
            return whole < 0 ? field.inverse(power) : power
        }
        if let exact, let degree = exact.denominator.int, let power = exact.numerator.int {
            let root = root(field.residue(ExactNumber(degree)) ?? 0, value, field)
            return power < 0
                ? field.inverse(field.power(root, UInt64(power.magnitude))) : field.power(root, UInt64(power))
        }
        guard let exponent = exponent.residue(field, point: point) else { return nil }
        return field.image([5, value, exponent])
    }

    /// `\sqrt{x}` and `x^{1/2}` are the same.
    private static func root(_ degree: UInt64, _ radicand: UInt64, _ field: ResidueField) -> UInt64 {
        field.image([7, degree, radicand])
    }

    private static func image(
        _ name: UInt64,
        _ arguments: [Expression],
        _ field: ResidueField,
        point: UInt64
    ) -> UInt64? {
        var words: [UInt64] = [9, name]
        for argument in arguments {
            guard let value = argument.residue(field, point: point) else { return nil }
            words.append(value)
        }
        return field.image(words)
    }
}
