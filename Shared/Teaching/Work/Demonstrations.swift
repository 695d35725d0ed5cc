public import Reasoning
public import Schemas

/// Where the right and wrong chains come from that CCP shows as examples.
public protocol DemonstrationSource: Sendable {
    /// The examples for a problem: the same each time that it is asked about.
    func corruption(for problem: ProblemEvent) async throws -> [CorruptionDemonstration]
}

/// The examples of a prompt library, shipped or a user's.
public struct LibraryDemonstrations: DemonstrationSource {
    private let prompts: PromptLibrary

    /// Creates the source.
    public init(_ prompts: PromptLibrary = .shipped) { self.prompts = prompts }

    /// The library's first three that have a wrong chain, the same for every problem.
    public func corruption(for problem: ProblemEvent) throws -> [CorruptionDemonstration] {
        Array(try prompts.demonstrations().compactMap(\.corruption).prefix(CorruptionDemonstration.shown))
    }
}

/// Examples drawn from rectified pairs, as EDIT's step 2b has it: three of (D-+, D-) for each problem.
public struct RectifiedDemonstrations: DemonstrationSource {
    private let pairs: [CorruptionDemonstration]
    private let seed: UInt64
    private let fill: LibraryDemonstrations

    /// Creates the source.
    ///
    /// - Parameters:
    ///   - pairs: the verified rectified pairs to draw from, in an order that does not change.
    ///   - seed: of the draws.
    ///   - prompts: whose examples fill up where there are fewer than three pairs.
    public init(pairs: [CorruptionDemonstration], seed: UInt64, prompts: PromptLibrary = .shipped) {
        self.pairs = pairs
        self.seed = seed
        fill = LibraryDemonstrations(prompts)
    }

    /// Three pairs of other questions, drawn by the problem's id.
    public func corruption(for problem: ProblemEvent) throws -> [CorruptionDemonstration] {
        var random = ReasoningRandom(seed: seed ^ StableHash.value(of: problem.id))
        var left = pairs.indices.filter { pairs[$0].question != problem.question }
        var drawn: [CorruptionDemonstration] = []
        while drawn.count < CorruptionDemonstration.shown, !left.isEmpty {
            drawn.append(pairs[left.remove(at: random.integer(0...(left.count - 1)))])
        }
        return Self.filled(drawn, with: try fill.corruption(for: problem))
    }

    /// The drawn examples, filled up to three.
    package static func filled(
        _ drawn: [CorruptionDemonstration],
        with others: [CorruptionDemonstration]
    ) -> [CorruptionDemonstration] {
        Array((drawn + others).prefix(CorruptionDemonstration.shown))
    }
}
