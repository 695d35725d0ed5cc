import Reasoning

/// The fingerprints of the numbers that question, reference and attempt share.
struct QuestionNumbers {
    /// What of the question's numbers may vary.
    enum Reading: CaseIterable {
        /// All of them.
        case allVary
        /// Those above five: a two may be the number of times that something is written out.
        case smallAreConstant
    }

    private var fingerprints: [Rational: QuantityFingerprint] = [:]

    /// Gives each number of the question, one and zero excepted, a random element; percentages, what they leave or
    /// add, and reciprocals are tied to the number that they come from.
    init(_ question: StepText, _ reading: Reading) {
        var own: [Rational] = []
        for token in question.tokens {
            guard let value = token.value, value != Rational(0), value != Rational(1), fingerprints[value] == nil else {
                continue
            }
            if reading == .smallAreConstant, !(Rational(5) < value) { continue }
            fingerprints[value] = QuantityFingerprint(random: value, seed: reading == .allVary ? 1 : 2)
            own.append(value)
        }
        let hundred = Rational(100)
        let hundredth = QuantityFingerprint(constant: hundred).inverse
        for value in own {
            value.divided(by: hundred).map { tie($0, self[value] * hundredth) }
        }
        for (token, next) in zip(question.tokens, question.tokens.dropFirst()) {
            guard case .number(let value) = token, next == .percent || next == .word("percent"),
                own.contains(value), let part = value.divided(by: hundred)
            else { continue }
            let whole = self[value]
            let share = whole * hundredth
            Rational(1).subtracting(part).map { tie($0, .one - share) }
            Rational(1).adding(part).map { tie($0, .one + share) }
            hundred.subtracting(value).map { tie($0, QuantityFingerprint(constant: hundred) - whole) }
        }
        for value in own {
            Rational(1).divided(by: value).map { tie($0, self[value].inverse) }
        }
    }

    private mutating func tie(_ value: Rational, _ fingerprint: QuantityFingerprint) {
        if fingerprints[value] == nil { fingerprints[value] = fingerprint }
    }

    /// The fingerprint of a number; a number that the question does not have stands for itself.
    subscript(value: Rational) -> QuantityFingerprint {
        fingerprints[value] ?? QuantityFingerprint(constant: value)
    }
}
