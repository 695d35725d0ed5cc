import Reasoning

/// How often the simulated teacher's slips are of which kind.
///
/// A kind that a chain has no place for gives way to the others: only steps that use a law of the story's world can
/// show a slip of knowledge. Where no kind with a weight has a place, the final result alone is misstated.
public struct SlipMix: Sendable, Hashable {
    /// The weight of a misread quantity, and of a wrong operation in a step that the problem spells out.
    public var logical: Double
    /// The weight of a wrong operation in a step by a law of the story's world.
    public var knowledge: Double
    /// The weight of a stated result that is off by 1 or 10.
    public var calculation: Double
    /// The probability of a second slip, of another kind, in a later step.
    public var second: Double

    /// Makes a mix; the weights need not add up to 1.
    public init(logical: Double = 0.35, knowledge: Double = 0.4, calculation: Double = 0.25, second: Double = 0.15) {
        self.logical = logical
        self.knowledge = knowledge
        self.calculation = calculation
        self.second = second
    }

    /// The kinds in the order in which they are tried: drawn by weight, without those of weight 0.
    func order(_ random: inout ReasoningRandom) -> [MistakePattern.Kind] {
        var left = MistakePattern.Kind.allCases.filter { weight($0) > 0 }
        var order: [MistakePattern.Kind] = []
        while !left.isEmpty {
            var rest = Double(random.next() >> 11) * 0x1p-53 * left.reduce(0) { $0 + weight($1) }
            let index = left.firstIndex { kind in
                rest -= weight(kind)
                return rest < 0
            }
            order.append(left.remove(at: index ?? left.count - 1))
        }
        return order
    }

    private func weight(_ kind: MistakePattern.Kind) -> Double {
        switch kind {
        case .logical: logical
        case .knowledge: knowledge
        case .calculation: calculation
        }
    }
}
