/// A minimum edit script of two sequences, with its tie rule.
package enum EditScript {
    /// One operation that turns the first sequence into the second.
    package struct Operation: Hashable {
        package var kind: EditKind
        package var first: Int
        package var second: Int
    }

    /// What both runs of the authors' rule choose: strip the common prefix, walk back from the end of the table, and
    /// at ties delete before insert before diagonal; once for each sequence as the first.
    ///
    /// The two tables are each other's transpose, so that one is filled and walked twice. A common suffix cannot be
    /// stripped beforehand: a delete may be chosen in it.
    struct BothWays {
        /// The first run's script, from the last operation to the first, without the common prefix.
        var backwards: [Operation] = []
        /// For each token of the second sequence what the second run does: match, replace or delete.
        var secondKinds: [EditKind]
        /// The number of tokens that the two begin with.
        var prefix: Int

        init(_ first: [Int32], _ second: [Int32]) {
            let prefix = EditScript.commonPrefix(first, second)
            self.prefix = prefix
            var kinds = [EditKind](repeating: .match, count: second.count)
            var backwards: [Operation] = []
            first.withUnsafeBufferPointer { first in
                second.withUnsafeBufferPointer { second in
                    let a = UnsafeBufferPointer(rebasing: first[prefix...])
                    let b = UnsafeBufferPointer(rebasing: second[prefix...])
                    backwards.reserveCapacity(max(a.count, b.count) + 16)
                    guard !a.isEmpty, !b.isEmpty else {
                        for j in stride(from: b.count, to: 0, by: -1) {
                            backwards.append(Operation(kind: .insert, first: prefix, second: prefix + j - 1))
                            kinds[prefix + j - 1] = .delete
                        }
                        for i in stride(from: a.count, to: 0, by: -1) {
                            backwards.append(Operation(kind: .delete, first: prefix + i - 1, second: prefix))
                        }
                        return
                    }
                    let table = EditTable(a, b, kept: .stepsFromLeft)
                    BothWays.walkFirst(a, b, table.cells, prefix, &backwards)
                    kinds.withUnsafeMutableBufferPointer { BothWays.walkSecond(a, b, table.cells, prefix, $0) }
                    withExtendedLifetime(table) {}
                }
            }
            secondKinds = kinds
            self.backwards = backwards
        }

        @inline(__always)
        private static func walkFirst(
            _ a: UnsafeBufferPointer<Int32>,
            _ b: UnsafeBufferPointer<Int32>,
            _ cells: EditTable.Cells,
            _ prefix: Int,
            _ backwards: inout [Operation]
        ) {
            var i = a.count
            var j = b.count
            while i > 0 || j > 0 {
                let step = i > 0 && j > 0 ? cells(i, j) : (fromAbove: i > 0, kept: j > 0)
                if step.fromAbove {
                    i -= 1
                    backwards.append(Operation(kind: .delete, first: prefix + i, second: prefix + j))
                } else if step.kept {
                    j -= 1
                    backwards.append(Operation(kind: .insert, first: prefix + i, second: prefix + j))
                } else {
                    i -= 1
                    j -= 1
                    let kind: EditKind = a[i] == b[j] ? .match : .replace
                    backwards.append(Operation(kind: kind, first: prefix + i, second: prefix + j))
                }
            }
        }

        @inline(__always)
        private static func walkSecond(
            _ a: UnsafeBufferPointer<Int32>,
            _ b: UnsafeBufferPointer<Int32>,
            _ cells: EditTable.Cells,
            _ prefix: Int,
            _ kinds: UnsafeMutableBufferPointer<EditKind>
        ) {
            var i = a.count
            var j = b.count
            while j > 0 {
                let step = i > 0 ? cells(i, j) : (fromAbove: false, kept: true)
                if step.kept {
                    j -= 1
                    kinds[prefix + j] = .delete
                } else if step.fromAbove {
                    i -= 1
                } else {
                    i -= 1
                    j -= 1
                    if a[i] != b[j] { kinds[prefix + j] = .replace }
                }
            }
        }
    }

    /// The script with diagonal before delete before insert from the end, common prefix and suffix matched.
    package static func diagonalFirst(_ first: [Int32], _ second: [Int32]) -> [Operation] {
        let prefix = commonPrefix(first, second)
        var suffix = 0
        let most = min(first.count, second.count) - prefix
        while suffix < most, first[first.count - 1 - suffix] == second[second.count - 1 - suffix] { suffix += 1 }
        var backwards: [Operation] = []
        backwards.reserveCapacity(max(first.count, second.count) + 16)
        for index in 1..<(suffix + 1) {
            backwards.append(Operation(kind: .match, first: first.count - index, second: second.count - index))
        }
        first.withUnsafeBufferPointer { first in
            second.withUnsafeBufferPointer { second in
                let a = UnsafeBufferPointer(rebasing: first[prefix..<(first.count - suffix)])
                let b = UnsafeBufferPointer(rebasing: second[prefix..<(second.count - suffix)])
                if a.isEmpty || b.isEmpty {
                    for j in stride(from: b.count, to: 0, by: -1) {
                        backwards.append(Operation(kind: .insert, first: prefix, second: prefix + j - 1))
                    }
                    for i in stride(from: a.count, to: 0, by: -1) {
                        backwards.append(Operation(kind: .delete, first: prefix + i - 1, second: prefix))
                    }
                    return
                }
                let table = EditTable(a, b, kept: .equalDiagonals)
                var i = a.count
                var j = b.count
                while i > 0 || j > 0 {
                    let step = i > 0 && j > 0 ? table.cells(i, j) : (fromAbove: i > 0, kept: true)
                    if i > 0, j > 0, a[i - 1] == b[j - 1] || !step.kept {
                        i -= 1
                        j -= 1
                        let kind: EditKind = a[i] == b[j] ? .match : .replace
                        backwards.append(Operation(kind: kind, first: prefix + i, second: prefix + j))
                    } else if step.fromAbove {
                        i -= 1
                        backwards.append(Operation(kind: .delete, first: prefix + i, second: prefix + j))
                    } else {
                        j -= 1
                        backwards.append(Operation(kind: .insert, first: prefix + i, second: prefix + j))
                    }
                }
                withExtendedLifetime(table) {}
            }
        }
        for index in stride(from: prefix - 1, through: 0, by: -1) {
            backwards.append(Operation(kind: .match, first: index, second: index))
        }
        backwards.reverse()
        return backwards
    }

    private static func commonPrefix(_ first: [Int32], _ second: [Int32]) -> Int {
        let most = min(first.count, second.count)
        var prefix = 0
        while prefix < most, first[prefix] == second[prefix] { prefix += 1 }
        return prefix
    }
}
