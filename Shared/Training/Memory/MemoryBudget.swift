import Foundation

/// How much memory this process may still use.
public struct MemoryBudget: Sendable, Equatable {
    /// Bytes that can be had now without others being pushed out; nil where the system does not say.
    ///
    /// That is what the machine has free or what the cgroup leaves, whichever is less.
    public var available: Int?
    /// Bytes that there are at all: the machine's, or the cgroup's limit where that is less.
    public var limit: Int?

    /// A budget from its parts.
    public init(available: Int?, limit: Int?) {
        self.available = available
        self.limit = limit
    }

    /// What the system says now.
    public static func current() -> MemoryBudget {
        func read(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
        return MemoryBudget(
            meminfo: read("/proc/meminfo"),
            groups: read("/proc/self/cgroup"),
            read: { read("/sys/fs/cgroup" + $0) }
        )
    }

    /// The budget that the contents of the system's files amount to.
    ///
    /// - Parameters:
    ///   - meminfo: The content of `/proc/meminfo`.
    ///   - groups: The content of `/proc/self/cgroup`.
    ///   - read: The content of a file below the mount of the cgroups; nil where there is none.
    init(meminfo: String?, groups: String?, read: (String) -> String?) {
        available = meminfo.flatMap { Self.kilobytes("MemAvailable", in: $0) }
        limit = meminfo.flatMap { Self.kilobytes("MemTotal", in: $0) }
        for folder in Self.folders(groups ?? "") {
            // Version 2, then version 1 of the kernel's files.
            for (most, used) in [("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")] {
                guard let most = read(folder + "/" + most).flatMap(Self.number), most < 1 << 60 else { continue }
                limit = min(limit ?? .max, most)
                guard let used = read(folder + "/" + used).flatMap(Self.number) else { continue }
                // Pages of files that nobody uses count as used, but give way.
                let cache = read(folder + "/memory.stat").flatMap { Self.field("inactive_file", in: $0) } ?? 0
                available = min(available ?? .max, max(0, most - used + cache))
            }
        }
    }

    /// The folders of the process's group and of all groups around it, as version 2 or as version 1 has them.
    private static func folders(_ groups: String) -> [String] {
        var result: [String] = [""]
        for line in groups.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let root: String
            if parts[1].isEmpty {
                root = ""
            } else if parts[1].split(separator: ",").contains("memory") {
                root = "/memory"
                result.append(root)
            } else {
                continue
            }
            var path = ""
            for part in parts[2].split(separator: "/") where part != ".." {
                path += "/" + part
                result.append(root + path)
            }
        }
        return result
    }

    private static func number(_ text: String) -> Int? { Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) }

    private static func kilobytes(_ name: String, in text: String) -> Int? {
        field(name + ":", in: text).map { $0 * 1024 }
    }

    private static func field(_ name: String, in text: String) -> Int? {
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            if words.count >= 2, words[0] == name { return Int(words[1]) }
        }
        return nil
    }
}
