/// A minimum edit script by a band of the dynamic programme.
enum BandedEditScript {
    /// One operation that turns the first sequence into the second.
    struct Operation: Hashable {
        var kind: EditKind
        var first: Int
        var second: Int
    }

    enum Preference {
        case deleteFirst
        case diagonalFirst
    }

    /// The script that the plain table and the tie rule define.
    static func run(_ first: [Int32], _ second: [Int32], preference: Preference) -> [Operation] {
        var prefix = 0
        while prefix < first.count, prefix < second.count, first[prefix] == second[prefix] { prefix += 1 }
        var suffix = 0
        if preference == .diagonalFirst {
            while suffix < min(first.count, second.count) - prefix,
                first[first.count - 1 - suffix] == second[second.count - 1 - suffix]
            {
                suffix += 1
            }
        }
        let a = Array(first[prefix..<(first.count - suffix)])
        let b = Array(second[prefix..<(second.count - suffix)])
        var script = (0..<prefix).map { Operation(kind: .match, first: $0, second: $0) }
        script += middle(a, b, preference).map {
            Operation(kind: $0.kind, first: $0.first + prefix, second: $0.second + prefix)
        }
        script += (0..<suffix).map {
            Operation(kind: .match, first: a.count + prefix + $0, second: b.count + prefix + $0)
        }
        return script
    }

    private static func middle(_ a: [Int32], _ b: [Int32], _ preference: Preference) -> [Operation] {
        if a.isEmpty { return b.indices.map { Operation(kind: .insert, first: 0, second: $0) } }
        if b.isEmpty { return a.indices.map { Operation(kind: .delete, first: $0, second: 0) } }
        var width = max(abs(a.count - b.count) + 8, 16)
        while true {
            let reach = min(width, max(a.count, b.count))
            if let script = banded(a, b, reach, preference) { return script }
            width *= 4
        }
    }

    /// Cells with |i − j| ≤ reach only.
    ///
    /// An optimal script of d operations stays within |i − j| ≤ d, so that for
    /// d ≤ reach every cell on an optimal path has its true value and every other at least its true value: the
    /// walk back makes the same choices as in the whole table. Nil for d > reach.
    private static func banded(_ a: [Int32], _ b: [Int32], _ reach: Int, _ preference: Preference) -> [Operation]? {
        let stride = 2 * reach + 1
        let far = Int32.max / 2
        // choice: 0 diagonal, 1 delete, 2 insert; column k of row i is cell (i, i + k − reach).
        var choices = [UInt8](repeating: 0, count: (a.count + 1) * stride)
        var previous = [Int32](repeating: far, count: stride + 1)
        var current = previous
        for k in reach..<stride where k - reach <= b.count {
            previous[k] = Int32(k - reach)
            choices[k] = 2
        }
        let deleteFirst = preference == .deleteFirst
        a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                choices.withUnsafeMutableBufferPointer { choices in
                    for i in 1...a.count {
                        let low = max(0, reach - i)
                        let high = min(stride - 1, b.count - i + reach)
                        for k in 0..<low { current[k] = far }
                        if high < low {
                            for k in low...stride { current[k] = far }
                        } else {
                            for k in low...high {
                                let j = i + k - reach
                                let up = previous[k + 1] + 1
                                let left = k > low ? current[k - 1] + 1 : far
                                let diagonal = j > 0 ? previous[k] + (a[i - 1] == b[j - 1] ? 0 : 1) : far
                                let best = min(up, left, diagonal)
                                current[k] = best
                                let choice: UInt8
                                if deleteFirst {
                                    choice = up == best ? 1 : left == best ? 2 : 0
                                } else {
                                    choice = diagonal == best ? 0 : up == best ? 1 : 2
                                }
                                choices[i * stride + k] = choice
                            }
                            for k in (high + 1)..<(stride + 1) { current[k] = far }
                        }
                        swap(&previous, &current)
                    }
                }
            }
        }
        let last = b.count - a.count + reach
        guard last >= 0, last < stride else { return nil }
        let whole = reach >= max(a.count, b.count)
        guard whole || Int(previous[last]) <= reach else { return nil }
        return walk(a, b, choices, reach, stride)
    }

    private static func walk(
        _ a: [Int32],
        _ b: [Int32],
        _ choices: [UInt8],
        _ reach: Int,
        _ stride: Int
    ) -> [Operation] {
        var script: [Operation] = []
        var i = a.count
        var j = b.count
        while i > 0 || j > 0 {
            let choice: UInt8 = i == 0 ? 2 : j == 0 ? 1 : choices[i * stride + j - i + reach]
            switch choice {
            case 1:
                i -= 1
                script.append(Operation(kind: .delete, first: i, second: j))
            case 2:
                j -= 1
                script.append(Operation(kind: .insert, first: i, second: j))
            default:
                i -= 1
                j -= 1
                script.append(Operation(kind: a[i] == b[j] ? .match : .replace, first: i, second: j))
            }
        }
        return script.reversed()
    }
}
