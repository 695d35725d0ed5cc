/// A union of intervals and points of the real line.
struct RealSet: Sendable {
    struct End: Sendable {
        /// Nil for infinity.
        var expression: Expression?
        /// The value; infinite for infinity.
        var value: Double
        var isClosed: Bool
    }

    struct Piece: Sendable {
        var lower: End
        var upper: End
    }

    /// In ascending order, apart from each other.
    private(set) var pieces: [Piece]
    /// The variable that it was told of, where it was.
    var variable: String?

    static let maximumPieces = 32
    static let all = RealSet(pieces: [Piece(lower: infinite(-.infinity), upper: infinite(.infinity))])
    static let empty = RealSet(pieces: [])

    private init(pieces: [Piece]) { self.pieces = pieces }

    static func infinite(_ value: Double) -> End { End(expression: nil, value: value, isClosed: false) }

    /// Nil where the end is no real number.
    static func end(_ expression: Expression, isClosed: Bool) -> End? {
        switch expression {
        case .constant(.infinity): return infinite(.infinity)
        case .negative(.constant(.infinity)): return infinite(-.infinity)
        default: break
        }
        guard expression.isConstant else { return nil }
        var numeric = NumericEvaluation(point: .real(0, signed: false), allowsComplex: false, budget: 2_000)
        guard let value = numeric.value(expression)?.real.doubleValue, value.isFinite else { return nil }
        return End(expression: expression, value: value, isClosed: isClosed)
    }

    /// Nil where the ends do not enclose anything.
    init?(from lower: End, to upper: End) {
        guard lower.value < upper.value || lower.value == upper.value && lower.isClosed && upper.isClosed else {
            return nil
        }
        pieces = [Piece(lower: lower, upper: upper)]
    }

    /// A point.
    init?(point: Expression) {
        guard let end = Self.end(point, isClosed: true), end.value.isFinite else { return nil }
        self.init(from: end, to: end)
    }

    /// Ends that differ by less are the same end, as doubles go.
    private static func isSame(_ a: Double, _ b: Double) -> Bool {
        a == b || a.isFinite && b.isFinite && abs(a - b) <= 1e-12 * max(abs(a), abs(b))
    }

    /// Nil where there are too many pieces.
    func union(_ other: RealSet) -> RealSet? {
        let sorted = (pieces + other.pieces).sorted {
            $0.lower.value != $1.lower.value ? $0.lower.value < $1.lower.value : $0.lower.isClosed && !$1.lower.isClosed
        }
        guard sorted.count <= Self.maximumPieces else { return nil }
        var result: [Piece] = []
        for piece in sorted {
            guard let last = result.last else {
                result.append(piece)
                continue
            }
            let touches =
                Self.isSame(last.upper.value, piece.lower.value) && (last.upper.isClosed || piece.lower.isClosed)
            guard touches || piece.lower.value < last.upper.value && !Self.isSame(last.upper.value, piece.lower.value)
            else {
                result.append(piece)
                continue
            }
            if Self.isSame(last.lower.value, piece.lower.value), piece.lower.isClosed {
                result[result.count - 1].lower.isClosed = true
            }
            if Self.isSame(last.upper.value, piece.upper.value) {
                if piece.upper.isClosed { result[result.count - 1].upper.isClosed = true }
            } else if last.upper.value < piece.upper.value {
                result[result.count - 1].upper = piece.upper
            }
        }
        return joined(result, with: other)
    }

    func intersection(_ other: RealSet) -> RealSet? {
        var result: [Piece] = []
        for a in pieces {
            for b in other.pieces {
                let lower =
                    Self.isSame(a.lower.value, b.lower.value)
                    ? (a.lower.isClosed ? b.lower : a.lower) : a.lower.value < b.lower.value ? b.lower : a.lower
                let upper =
                    Self.isSame(a.upper.value, b.upper.value)
                    ? (a.upper.isClosed ? b.upper : a.upper) : a.upper.value < b.upper.value ? a.upper : b.upper
                if let piece = RealSet(from: lower, to: upper) { result += piece.pieces }
            }
        }
        return joined(result.sorted { $0.lower.value < $1.lower.value }, with: other)
    }

    /// All numbers that are not in it.
    var complement: RealSet? {
        var result: [Piece] = []
        var lower = Self.infinite(-.infinity)
        for piece in pieces {
            var upper = piece.lower
            upper.isClosed = !upper.isClosed && upper.value.isFinite
            if let gap = RealSet(from: lower, to: upper) { result += gap.pieces }
            lower = piece.upper
            lower.isClosed = !lower.isClosed && lower.value.isFinite
        }
        if let gap = RealSet(from: lower, to: Self.infinite(.infinity)) { result += gap.pieces }
        return joined(result, with: self)
    }

    private func joined(_ pieces: [Piece], with other: RealSet) -> RealSet? {
        guard pieces.count <= Self.maximumPieces else { return nil }
        var result = RealSet(pieces: pieces)
        result.variable = variable ?? other.variable
        return result
    }

    /// The points, where there are only points.
    var points: [Expression]? {
        var result: [Expression] = []
        for piece in pieces {
            guard piece.lower.value == piece.upper.value, let point = piece.lower.expression else { return nil }
            result.append(point)
        }
        return result
    }
}
