import CTensorKernels
import Foundation

/// How many processors this process may keep busy.
public enum ProcessorCount {
    /// Those that the scheduler lets it run on, or fewer where a control group's quota allows less time; at least 1.
    ///
    /// Read once. A container that is given two processors of a node with 64 has 2.
    public static let available = count(
        affinity: Int(ctk_processor_count()),
        quota: ControlGroups(read: { try? String(contentsOfFile: $0, encoding: .utf8) }).quota
    )

    /// A quota is rounded to the nearest whole number, at least 1: what a worker too few leaves unused, and what the
    /// kernel takes back from one too many, is at most half a processor.
    static func count(affinity: Int, quota: Double?) -> Int {
        guard let quota, quota < Double(affinity) else { return max(1, affinity) }
        return max(1, Int(quota.rounded()))
    }
}

/// The control groups that a process is in, as Linux tells of them in /proc.
struct ControlGroups {
    /// Reads a file; nil where it is not there.
    let read: (_ path: String) -> String?

    /// Processors that the tightest of the groups and all groups around them allow; nil for no limit.
    var quota: Double? {
        guard let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo") else { return nil }
        let quotas = mounts.split(separator: "\n").compactMap { Mount($0) }.flatMap { mount in
            folders(of: mount, groups: groups).compactMap { mount.isUnified ? unifiedQuota($0) : splitQuota($0) }
        }
        return quotas.min()
    }

    /// A mounted hierarchy that has a processor controller, or may have one.
    private struct Mount {
        /// The group that is mounted, and where.
        let root: String
        let point: String
        /// Version 2: one hierarchy of all controllers.
        let isUnified: Bool

        /// A line of mountinfo: id, parent, device, root, mount point, options, optional fields, "-", type, source, options
        /// of the file system.
        init?(_ line: Substring) {
            let fields = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            guard fields.count > 5, let end = fields.dropFirst(6).firstIndex(of: "-"), fields.count > end + 3 else {
                return nil
            }
            isUnified = fields[end + 1] == "cgroup2"
            let isSplit = fields[end + 1] == "cgroup" && fields[end + 3].split(separator: ",").contains("cpu")
            guard isUnified || isSplit else { return nil }
            root = Self.unescaped(fields[3])
            point = Self.unescaped(fields[4])
        }

        /// Blanks and the like stand as three octal digits.
        private static func unescaped(_ text: String) -> String {
            var bytes: [UInt8] = []
            var rest = Array(text.utf8)[...]
            while let byte = rest.popFirst() {
                let digits = String(decoding: rest.prefix(3), as: UTF8.self)
                if byte == UInt8(ascii: "\\"), digits.utf8.count == 3, let value = UInt8(digits, radix: 8) {
                    bytes.append(value)
                    rest = rest.dropFirst(3)
                } else {
                    bytes.append(byte)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// The folders of the process's group in a hierarchy and of the groups around it, as far as they are mounted.
    private func folders(of mount: Mount, groups: String) -> [String] {
        // hierarchy:controllers:path; version 2 has no controllers there.
        let own = groups.split(separator: "\n").lazy
            .map { $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false) }
            .first { fields in
                fields.count == 3
                    && (mount.isUnified ? fields[1].isEmpty : fields[1].split(separator: ",").contains("cpu"))
            }
        guard let own else { return [] }
        let root = mount.root.split(separator: "/")
        let path = own[2].split(separator: "/")
        // A group outside of what is mounted here, as a namespace can show it: what is mounted is all that can be read.
        let isBelow = path.starts(with: root) && !path.contains("..")
        var below = isBelow ? Array(path.dropFirst(root.count)) : []
        var folders = [mount.point]
        while !below.isEmpty {
            folders.append(mount.point + "/" + below.joined(separator: "/"))
            below.removeLast()
        }
        return folders
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
