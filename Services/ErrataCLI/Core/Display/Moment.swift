import ArgumentParser
import Foundation
import Schemas

/// A time that a user names: `2026-01-31T12:00:00Z`, `2026-01-31` (its beginning, UTC), or how long ago: `90s`, `30m`, `2h`, `7d`.
struct Moment: ExpressibleByArgument, Sendable, Hashable {
    let date: Date

    /// Reads a time as of now.
    init?(argument: String) {
        self.init(argument, now: Date())
    }

    /// Reads a time.
    init?(_ text: String, now: Date) {
        let seconds: [Character: Double] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        if let unit = text.last.flatMap({ seconds[$0] }), let count = Int(text.dropLast()),
            (0...10_000_000).contains(count)
        {
            date = now - Double(count) * unit
        } else if let time = Timestamp.parse(text) ?? Timestamp.parse("\(text)T00:00:00Z") {
            date = time
        } else {
            return nil
        }
    }
}
