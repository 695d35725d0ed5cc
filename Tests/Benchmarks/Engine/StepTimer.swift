import Foundation

/// Seconds of each repetition, and a JSON line of their median and the process's peak memory.
final class StepTimer {
    private let warmup: Int
    private var seconds: [Double] = []
    private var last = ContinuousClock.now

    init(warmup: Int) { self.warmup = warmup }

    func start() { last = .now }

    func lap() {
        let now = ContinuousClock.now
        seconds.append((now - last) / .seconds(1))
        last = now
    }

    private var timed: [Double] { seconds.dropFirst(warmup).sorted() }

    var median: Double {
        let timed = timed
        guard !timed.isEmpty else { return .nan }
        let middle = timed.count / 2
        return timed.count % 2 == 1 ? timed[middle] : (timed[middle - 1] + timed[middle]) / 2
    }

    func report(_ name: String, _ more: [String: Double]) {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        var line: [String: Any] = [
            "case": name,
            "median": median,
            "min": timed.first ?? .nan,
            "max": timed.last ?? .nan,
            // Kibibytes on Linux.
            "rss_peak_mib": Double(usage.ru_maxrss) / 1024,
        ]
        line.merge(more) { $1 }
        let data = (try? JSONSerialization.data(withJSONObject: line, options: [.sortedKeys])) ?? Data()
        print(String(decoding: data, as: UTF8.self))
    }
}
