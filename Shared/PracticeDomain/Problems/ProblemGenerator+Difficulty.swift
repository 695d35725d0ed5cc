import Reasoning

extension ProblemGenerator {
    /// How hard generated problems are to read and to compute.
    ///
    /// The knobs only narrow what stories are told; every story stays within the wordings that the standard domain has,
    /// so that whoever reads that domain reads them all.
    public struct Difficulty: Sendable, Hashable {
        /// The families that are drawn from unless a generator names its own.
        public var families: [ProblemFamily]
        /// The numbers of dependent calculations unless a generator names its own.
        public var stepRange: ClosedRange<Int>
        /// The largest number in a question.
        public var largestNumber: Int
        /// The largest result of a calculation.
        public var largestResult: Int
        /// The largest quantity that is simply given; the usual ranges of a family are scaled down to it.
        public var largestGiven: Int
        /// The largest difference in "12 more than".
        public var largestDifference: Int
        /// The largest difference in "12 fewer than".
        public var largestDecrease: Int
        /// The largest factor in "3 times as many as".
        public var largestFactor: Int
        /// The probability that a question's sentences are shuffled; else they stand in the order of the solution.
        public var shuffled: Double
        /// The probability of each of two kinds of sentences that do not matter.
        public var distractors: Double
        /// How many wordings a meaning may take.
        public var wordings: Int
        /// Whether relations may be told the other way round, with what is sought as the one compared with, as a sum of
        /// both, or as a product of which a factor is missing.
        public var inversions: Bool
        /// How many of ten questions ask for a sum or difference of two people.
        public var pairQuestions: Int
        /// How many names there are.
        public var names: Int
        /// How many things a family counts.
        public var objects: Int

        /// A difficulty; the defaults are those of ``standard``.
        public init(
            families: [ProblemFamily] = ProblemFamily.standard,
            stepRange: ClosedRange<Int> = 2...4,
            largestNumber: Int = 999,
            largestResult: Int = 9_999,
            largestGiven: Int = 999,
            largestDifference: Int = 200,
            largestDecrease: Int = .max,
            largestFactor: Int = 6,
            shuffled: Double = 0.7,
            distractors: Double = 0.35,
            wordings: Int = .max,
            inversions: Bool = true,
            pairQuestions: Int = 5,
            names: Int = .max,
            objects: Int = .max
        ) {
            self.families = families
            self.stepRange = stepRange
            self.largestNumber = largestNumber
            self.largestResult = largestResult
            self.largestGiven = largestGiven
            self.largestDifference = largestDifference
            self.largestDecrease = largestDecrease
            self.largestFactor = largestFactor
            self.shuffled = shuffled
            self.distractors = distractors
            self.wordings = wordings
            self.inversions = inversions
            self.pairQuestions = pairQuestions
            self.names = names
            self.objects = objects
        }

        /// The whole domain: shuffled facts, inversions, distractors, numbers of up to three digits.
        public static let standard = Difficulty()

        /// For students of a million parameters that are trained in minutes: a few families, facts in order, numbers
        /// up to 20, one wording a meaning.
        public static let gentle = Difficulty(
            families: ProblemFamily.gentle,
            stepRange: 2...3,
            largestNumber: 20,
            largestResult: 20,
            largestGiven: 9,
            largestDifference: 9,
            largestDecrease: 9,
            largestFactor: 3,
            shuffled: 0,
            distractors: 0,
            wordings: 1,
            inversions: false,
            pairQuestions: 2,
            names: 8,
            objects: 1
        )

        /// A kind's usual range, scaled down to ``largestGiven``.
        func range(of kind: QuantityKind) -> ClosedRange<Int> {
            let top = kind.range.upperBound
            guard top > largestGiven else { return kind.range }
            let upper = max(3, largestGiven)
            return max(2, min(upper - 1, kind.range.lowerBound * upper / top))...upper
        }
    }
}
