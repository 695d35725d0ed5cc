import Dispatch
import Foundation

/// Seconds of processor time that were spent up to a moment.
struct ProcessorTime: Sendable {
    /// By this process: the service, and the broker where it is embedded.
    let own: Double
    /// By a server of PostgreSQL and its children; nil where there is no private one.
    let server: Double?

    /// Up to now.
    init(postmaster: Int32?) {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        own = Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
        server = postmaster.map(Self.spent(by:))
    }

    /// Of a process and its children, those that have ended included.
    private static func spent(by postmaster: Int32) -> Double {
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        var ticks = 0
        for process in folders.compactMap({ Int32($0) }) {
            guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
                let name = text.lastIndex(of: ")")
            else { continue }
            // From the third field on: state, parent, …, times of its own (the 14th and 15th) and of its dead children.
            let fields = text[text.index(after: name)...].split(separator: " ").map { Int($0) ?? 0 }
            guard fields.count > 14 else { continue }
            if process == postmaster { ticks += fields[11...14].reduce(0, +) }
            if fields[1] == Int(postmaster) { ticks += fields[11] + fields[12] }
        }
        return Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Microseconds a message since an earlier moment.
    func microseconds(since start: ProcessorTime, messages: Int) -> (own: Double, server: Double?) {
        let factor = 1e6 / Double(messages)
        return (
            factor * (own - start.own),
            server.flatMap { now in start.server.map { factor * (now - $0) } }
        )
    }
}
