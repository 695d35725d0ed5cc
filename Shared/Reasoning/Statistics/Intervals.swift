import Foundation

/// Wilson's score interval for a share.
public struct WilsonInterval: Sendable, Hashable, Codable {
    /// The lower bound, in 0...1.
    public let low: Double
    /// The upper bound, in 0...1.
    public let high: Double
    /// The confidence level.
    public let level: Double

    /// The interval for so many successes of so many trials; 0...1 where there are no trials.
    public init(successes: Int, trials: Int, level: Double = 0.95) {
        self.level = level
        guard trials > 0 else {
            low = 0
            high = 1
            return
        }
        let z = WilsonInterval.quantile(0.5 + min(max(level, 0), 0.999_999) / 2)
        let n = Double(trials)
        let p = Double(min(max(successes, 0), trials)) / n
        let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        let reach = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        // Without successes the bound is 0, and with nothing else 1: the differences above would leave a rounding error.
        low = successes <= 0 ? 0 : max(0, centre - reach)
        high = successes >= trials ? 1 : min(1, centre + reach)
    }

    /// The normal quantile, by bisection of erfc.
    private static func quantile(_ probability: Double) -> Double {
        var low = -10.0
        var high = 10.0
        for _ in 0..<80 {
            let middle = (low + high) / 2
            if erfc(-middle / 2.0.squareRoot()) / 2 < probability { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}

/// McNemar's exact test on paired outcomes.
public enum ExactMcNemar {
    /// The two-sided p value, from the pairs where only the one or only the other is right.
    public static func pValue(onlyFirst: Int, onlySecond: Int) -> Double {
        let n = onlyFirst + onlySecond
        guard n > 0, onlyFirst >= 0, onlySecond >= 0 else { return 1 }
        var tail = 0.0
        for k in 0...min(onlyFirst, onlySecond) {
            let logarithm =
                lgamma(Double(n + 1)) - lgamma(Double(k + 1)) - lgamma(Double(n - k + 1)) - Double(n) * log(2)
            tail += exp(logarithm)
        }
        return min(1, 2 * tail)
    }

    /// The two-sided p value of two lists of outcomes on the same problems; nil where their lengths differ.
    public static func pValue(_ first: [Bool], _ second: [Bool]) -> Double? {
        guard first.count == second.count else { return nil }
        let pairs = zip(first, second)
        return pValue(onlyFirst: pairs.count { $0 && !$1 }, onlySecond: pairs.count { !$0 && $1 })
    }
}

/// Two students on the problems that both were scored on.
public struct PairedOutcomes: Sendable, Hashable {
    /// The problems that both were scored on.
    public let problems: Int
    /// Those that the first solves.
    public let firstCorrect: Int
    /// Those that the second solves.
    public let secondCorrect: Int
    /// Those that only the first solves.
    public let onlyFirst: Int
    /// Those that only the second solves.
    public let onlySecond: Int

    /// Counts outcomes, by problem.
    public init(_ first: [String: Bool], _ second: [String: Bool]) {
        let pairs = first.compactMap { id, isSolved in second[id].map { (isSolved, $0) } }
        problems = pairs.count
        firstCorrect = pairs.count { $0.0 }
        secondCorrect = pairs.count { $0.1 }
        onlyFirst = pairs.count { $0.0 && !$0.1 }
        onlySecond = pairs.count { !$0.0 && $0.1 }
    }

    /// The two-sided p value of the exact McNemar test.
    public var pValue: Double { ExactMcNemar.pValue(onlyFirst: onlyFirst, onlySecond: onlySecond) }
}
