import CTensorKernels
import Foundation

/// How many processors this process may keep busy.
public enum ProcessorCount {
    /// Those that the scheduler lets it run on, or fewer where a control group's quota allows less time; at least 1.
    ///
    /// Read once. A container that is given two processors of a node with 64 has 2.
    public static let available = count(
        affinity: Int(ctk_processor_count()),
        quota: ControlGroups().quota
    )

    /// A quota is rounded to the nearest whole number, at least 1: what a worker too few leaves unused, and what the
    /// kernel takes back from one too many, is at most half a processor.
    static func count(affinity: Int, quota: Double?) -> Int {
        guard let quota, quota < Double(affinity) else { return max(1, affinity) }
        return max(1, Int(quota.rounded()))
    }
}

extension ControlGroups {
    /// Processors that the tightest of the groups and all groups around them allow; nil for no limit.
    var quota: Double? {
        folders(of: "cpu").compactMap { $0.isUnified ? unifiedQuota($0.path) : splitQuota($0.path) }.min()
    }

    /// `cpu.max`: microseconds of processor time, or "max", a period of so many microseconds.
    private func unifiedQuota(_ folder: String) -> Double? {
        let fields = read(folder + "/cpu.max")?.split(whereSeparator: \.isWhitespace) ?? []
        guard fields.count == 2 else { return nil }
        return Self.quota(Double(fields[0]), period: Double(fields[1]))
    }

    /// Version 1 has a file for each, and −1 for no quota.
    private func splitQuota(_ folder: String) -> Double? {
        func number(_ name: String) -> Double? {
            read("\(folder)/\(name)").flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        }
        return Self.quota(number("cpu.cfs_quota_us"), period: number("cpu.cfs_period_us"))
    }

    private static func quota(_ time: Double?, period: Double?) -> Double? {
        guard let time, let period, time > 0, period > 0, (time / period).isFinite else { return nil }
        return time / period
    }
}
