/// The difference of two accuracies on the same problems, over several groups (seeds) of equal weight.
public struct PairedDifference: Sendable, Hashable {
    /// Mean over the groups of the first's accuracy less the second's.
    public let difference: Double
    /// The differences by group.
    public let byGroup: [Double]
    /// Lower end of the 95 % interval over problems.
    ///
    /// A normal approximation from the variance of the paired differences within each group. It says how much the
    /// problems' choice matters, not how much the groups' does; see ``byGroup``.
    public let low: Double
    /// Its upper end.
    public let high: Double
    /// The p value of McNemar's exact test over the problems of all groups.
    public let pValue: Double

    /// Compares outcomes on the same problems; `nil` where the lists do not pair up or there are none.
    ///
    /// Arguments:
    ///   - groups: for each group the outcomes of the first and of the second.
    public init?(_ groups: [(first: [Bool], second: [Bool])]) {
        guard !groups.isEmpty, groups.allSatisfy({ $0.first.count == $0.second.count && !$0.first.isEmpty }) else {
            return nil
        }
        var byGroup: [Double] = []
        var variance = 0.0
        var onlyFirst = 0
        var onlySecond = 0
        for (first, second) in groups {
            let count = Double(first.count)
            let pairs = zip(first, second)
            let gained = pairs.count { $0 && !$1 }
            let lost = pairs.count { !$0 && $1 }
            let mean = Double(gained - lost) / count
            byGroup.append(mean)
            // Each difference is −1, 0 or 1.
            variance += (Double(gained + lost) / count - mean * mean) / count
            onlyFirst += gained
            onlySecond += lost
        }
        let number = Double(groups.count)
        difference = byGroup.reduce(0, +) / number
        self.byGroup = byGroup
        let reach = 1.959_963_985 * variance.squareRoot() / number
        low = difference - reach
        high = difference + reach
        pValue = ExactMcNemar.pValue(onlyFirst: onlyFirst, onlySecond: onlySecond)
    }
}
