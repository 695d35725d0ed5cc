/// What happens to a token on the way from the wrong chain to the right one.
public enum EditKind: String, Sendable, Hashable, Codable {
    /// The token stays.
    case match
    /// A wrong token becomes a right one.
    case replace
    /// Only the right chain has the token.
    case insert
    /// Only the wrong chain has the token.
    case delete
}

/// One operation of an edit script from the wrong chain to the right one.
public struct EditOperation: Sendable, Hashable, Codable {
    /// What is done.
    public var kind: EditKind
    /// The index of the token in the right chain, or of the token before which one is deleted.
    public var right: Int
    /// The index of the token in the wrong chain, or of the token before which one is inserted.
    public var wrong: Int

    /// Makes an operation.
    public init(kind: EditKind, right: Int, wrong: Int) {
        self.kind = kind
        self.right = right
        self.wrong = wrong
    }
}

/// A run of adjacent key tokens of one kind.
public struct KeySpan: Sendable, Hashable, Codable {
    /// The tokens, as indices into their own chain.
    public var tokens: Range<Int>
    /// What happens to them.
    public var kind: EditKind
    /// The step that the run starts in, from 0, where steps were given.
    public var step: Int?

    /// Makes a span.
    public init(tokens: Range<Int>, kind: EditKind, step: Int? = nil) {
        self.tokens = tokens
        self.kind = kind
        self.step = step
    }
}

/// Which tokens of a right and a wrong chain are key: those that a minimum edit script does not match.
///
/// The rule is EDIT's (equation 5) with the tie rule of the authors' code: strip the common prefix, fill the
/// unit-cost table, walk back from the end and at ties delete before insert before diagonal; once for each chain,
/// so that the two runs may choose different alignments of the same distance. The result is that of the plain
/// table, which is filled once for both runs, 64 cells at a time and in a band as wide as the distance needs.
public struct KeyStepAlignment: Sendable, Hashable {
    /// How equally short scripts are told apart.
    public enum TieRule: String, Sendable, Hashable, Codable, CaseIterable {
        /// The authors' rule: two runs, each with delete before insert before diagonal from the end.
        case edit
        /// One alignment for both chains, which swapping them does not change: common prefix and suffix are
        /// matched, and from the end diagonal goes before delete before insert.
        case canonical
    }

    /// The script from the wrong chain to the right one, in order; with ``TieRule/edit`` as the right chain's run
    /// chose it.
    public let operations: [EditOperation]
    /// The number of operations that are no match.
    public let distance: Int
    /// For each token of the right chain: match, replace or insert.
    public let rightKinds: [EditKind]
    /// For each token of the wrong chain: match, replace or delete.
    public let wrongKinds: [EditKind]

    /// The tokens of the right chain that are key.
    public var rightKeys: [Bool] { rightKinds.map { $0 != .match } }
    /// The tokens of the wrong chain that are key.
    public var wrongKeys: [Bool] { wrongKinds.map { $0 != .match } }

    /// Aligns two token sequences.
    public static func align(right: [Int32], wrong: [Int32], tieRule: TieRule = .edit) -> KeyStepAlignment {
        switch tieRule {
        case .edit:
            let script = EditScript.BothWays(right, wrong)
            var rightKinds = [EditKind](repeating: .match, count: right.count)
            var distance = 0
            let count = script.prefix + script.backwards.count
            let operations = [EditOperation](unsafeUninitializedCapacity: count) { buffer, initialized in
                for index in 0..<script.prefix {
                    buffer.initializeElement(at: index, to: EditOperation(kind: .match, right: index, wrong: index))
                }
                var index = count
                for operation in script.backwards {
                    index -= 1
                    buffer.initializeElement(at: index, to: inverted(operation))
                    switch operation.kind {
                    case .match: continue
                    case .insert: break
                    case .replace: rightKinds[operation.first] = .replace
                    case .delete: rightKinds[operation.first] = .insert
                    }
                    distance += 1
                }
                initialized = count
            }
            return KeyStepAlignment(
                operations: operations,
                distance: distance,
                rightKinds: rightKinds,
                wrongKinds: script.secondKinds
            )
        case .canonical:
            let swapped = wrong.lexicographicallyPrecedes(right)
            let script =
                swapped
                ? EditScript.diagonalFirst(wrong, right)
                : EditScript.diagonalFirst(right, wrong)
            let operations =
                swapped
                ? script.map { EditOperation(kind: $0.kind, right: $0.second, wrong: $0.first) }
                : script.map(inverted)
            var rightKinds = [EditKind](repeating: .match, count: right.count)
            var wrongKinds = [EditKind](repeating: .match, count: wrong.count)
            for operation in operations {
                if operation.kind != .delete { rightKinds[operation.right] = operation.kind }
                if operation.kind != .insert { wrongKinds[operation.wrong] = operation.kind }
            }
            return KeyStepAlignment(
                operations: operations,
                distance: script.count { $0.kind != .match },
                rightKinds: rightKinds,
                wrongKinds: wrongKinds
            )
        }
    }

    /// A script from the right chain read as one from the wrong chain.
    private static func inverted(_ operation: EditScript.Operation) -> EditOperation {
        let kind: EditKind =
            switch operation.kind {
            case .insert: .delete
            case .delete: .insert
            default: operation.kind
            }
        return EditOperation(kind: kind, right: operation.first, wrong: operation.second)
    }

    /// Signed token weights of the KRSL loss (weights times −log p): `alpha` on key tokens of the right chain and
    /// `gamma` on its others, `beta` on key tokens of the wrong chain.
    ///
    /// `beta` is negative: those are pushed down.
    public func keyTokenWeights(
        alpha: Float = 1,
        beta: Float = -0.025,
        gamma: Float = 0
    ) -> (right: [Float], wrong: [Float]) {
        (rightKinds.map { $0 == .match ? gamma : alpha }, wrongKinds.map { $0 == .match ? 0 : beta })
    }

    /// Runs of adjacent key tokens of one kind in the right chain; `steps` gives each token's step.
    public func rightSpans(steps: [Int?] = []) -> [KeySpan] { KeyStepAlignment.spans(rightKinds, steps) }

    /// Runs of adjacent key tokens of one kind in the wrong chain; `steps` gives each token's step.
    public func wrongSpans(steps: [Int?] = []) -> [KeySpan] { KeyStepAlignment.spans(wrongKinds, steps) }

    private static func spans(_ kinds: [EditKind], _ steps: [Int?]) -> [KeySpan] {
        var spans: [KeySpan] = []
        var start = 0
        for index in kinds.indices {
            let next = index + 1
            let sameStep = next >= steps.count || steps[next] == steps[index]
            if next < kinds.count, kinds[next] == kinds[index], sameStep { continue }
            if kinds[index] != .match {
                let step = start < steps.count ? steps[start] : nil
                spans.append(KeySpan(tokens: start..<next, kind: kinds[index], step: step))
            }
            start = next
        }
        return spans
    }
}
