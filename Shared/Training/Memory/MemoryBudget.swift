import Foundation
import TensorEngine

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
    public static func current() -> MemoryBudget { MemoryBudget(ControlGroups()) }

    /// The budget that the contents of the system's files amount to.
    init(_ groups: ControlGroups) {
        let meminfo = groups.read("/proc/meminfo") ?? ""
        available = Self.field("MemAvailable:", in: meminfo).map { $0 * 1024 }
        limit = Self.field("MemTotal:", in: meminfo).map { $0 * 1024 }
        for folder in groups.folders(of: "memory") {
            func read(_ name: String) -> String? { groups.read("\(folder.path)/\(name)") }
            let most = read(folder.isUnified ? "memory.max" : "memory.limit_in_bytes").flatMap(Self.number)
            // Version 1 writes a number near 2⁶³ for no limit.
            guard let most, most < 1 << 60 else { continue }
            limit = min(limit ?? .max, most)
            let used = read(folder.isUnified ? "memory.current" : "memory.usage_in_bytes").flatMap(Self.number)
            guard let used else { continue }
            // Pages of files that nobody uses count as used, but give way.
            let cache = read("memory.stat").flatMap { Self.field("inactive_file", in: $0) } ?? 0
            available = min(available ?? .max, max(0, most - used + cache))
        }
    }

    private static func number(_ text: String) -> Int? { Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) }

    private static func field(_ name: String, in text: String) -> Int? {
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            if words.count >= 2, words[0] == name { return Int(words[1]) }
        }
        return nil
    }
}
