import Foundation
import NIOHTTP1

/// What a server's headers say about when to call again.
///
/// Forms: `Retry-After` in seconds, fractions of them, or a date (RFC 9110); `retry-after-ms`; the rate limits'
/// `x-ratelimit-remaining-*` with `x-ratelimit-reset-*` (`1s`, `6m0s`, `20ms`), and `ratelimit-remaining` with
/// `ratelimit-reset` in seconds.
enum WaitHeaders {
    /// The longest wait that is followed: a server that names a longer one is asked again after it.
    static let longest = 600.0

    /// How long a refused call is to wait; nil where nothing readable is said.
    static func pause(after headers: HTTPHeaders, now: Date = Date()) -> Duration? {
        if let milliseconds = headers.first(name: "retry-after-ms").flatMap(number) {
            return duration(milliseconds / 1000)
        }
        if let text = headers.first(name: "retry-after") {
            if let seconds = number(text) { return duration(seconds) }
            if let seconds = span(text) { return duration(seconds) }
            if let date = date(text) { return duration(max(0, date.timeIntervalSince(now))) }
        }
        return limit(in: headers)
    }

    /// How long all calls are to wait since a limit is used up; nil where none is.
    static func limit(in headers: HTTPHeaders) -> Duration? {
        var longestWait: Double?
        for (name, value) in headers {
            let name = name.lowercased()
            guard let range = name.range(of: "ratelimit-remaining"), number(value).map({ $0 <= 0 }) == true else {
                continue
            }
            let reset = name.replacingCharacters(in: range, with: "ratelimit-reset")
            guard let text = headers.first(name: reset), let seconds = number(text) ?? span(text) else { continue }
            // A number that large is a point of time, not a span; what clock it goes by is not said.
            guard seconds < 1_000_000 else { continue }
            longestWait = max(longestWait ?? 0, seconds)
        }
        return longestWait.flatMap(duration)
    }

    private static func number(_ text: String) -> Double? {
        guard let value = Double(text.trimmingCharacters(in: .whitespaces)), value.isFinite, value >= 0 else {
            return nil
        }
        return value
    }

    private static func duration(_ seconds: Double) -> Duration? {
        guard seconds.isFinite, seconds >= 0 else { return nil }
        return .milliseconds(Int64((min(seconds, longest) * 1000).rounded(.up)))
    }

    /// `1h2m3.5s`, `20ms`.
    private static func span(_ text: String) -> Double? {
        var seconds = 0.0
        var rest = text.trimmingCharacters(in: .whitespaces)[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let value = Double(digits), value.isFinite else { return nil }
            rest = rest[digits.endIndex...]
            let unit = rest.prefix { $0.isLetter }
            rest = rest[unit.endIndex...]
            switch unit {
            case "ms": seconds += value / 1000
            case "s": seconds += value
            case "m": seconds += value * 60
            case "h": seconds += value * 3600
            case "d": seconds += value * 86_400
            default: return nil
            }
        }
        return seconds
    }

    /// The three forms of RFC 9110.
    private static func date(_ text: String) -> Date? {
        // All three are of printable ASCII, and Foundation's formatter ends the process where a match of its own would end
        // within a character.
        guard text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        for format in ["EEE, dd MMM yyyy HH:mm:ss 'GMT'", "EEEE, dd-MMM-yy HH:mm:ss 'GMT'", "EEE MMM d HH:mm:ss yyyy"] {
            formatter.dateFormat = format
            if let date = formatter.date(from: text.trimmingCharacters(in: .whitespaces)) { return date }
        }
        return nil
    }
}
