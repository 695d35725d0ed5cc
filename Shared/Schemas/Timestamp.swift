public import Foundation

/// Times as RFC 3339 text with milliseconds, the one form in which Errata writes them.
public enum Timestamp {
    /// Writes a time in UTC with milliseconds: `2026-01-31T12:00:00.250Z`.
    ///
    /// - Throws: ``SchemasError`` for times outside the years 0001 to 9999.
    public static func format(_ date: Date) throws -> String {
        let seconds = date.timeIntervalSince1970
        guard isWritten(seconds) else {
            throw SchemasError(.unencodable, "a time must lie in the years 0001 to 9999")
        }
        let milliseconds = Int64((seconds * 1000).rounded())
        let (days, rest) = floorDivide(milliseconds, 86_400_000)
        let (year, month, day) = civil(fromDays: days)
        let clock = [rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60].map { pad($0, 2) }.joined(separator: ":")
        return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(clock).\(pad(rest % 1000, 3))Z"
    }

    /// Reads RFC 3339 text: `2026-01-31T12:00:00Z`, with up to nine fraction digits, and `Z` or an offset.
    ///
    /// - Returns: The time, or nil when the text is not RFC 3339, names a day that does not exist, or a time outside the
    ///   years 0001 to 9999.
    public static func parse(_ text: String) -> Date? {
        var scanner = Scanner(bytes: Array(text.utf8))
        guard let year = scanner.digits(4), scanner.take("-"), let month = scanner.digits(2), scanner.take("-"),
            let day = scanner.digits(2), scanner.take("T") || scanner.take("t"), let hour = scanner.digits(2),
            scanner.take(":"), let minute = scanner.digits(2), scanner.take(":"), let second = scanner.digits(2),
            year >= 1, (1...12).contains(month), day >= 1, day <= lastDay(year: year, month: month),
            hour <= 23, minute <= 59, second <= 60
        else { return nil }
        var fraction = 0.0
        if scanner.take(".") {
            guard let value = scanner.fraction() else { return nil }
            fraction = value
        }
        guard let offset = scanner.offset(), scanner.isAtEnd else { return nil }
        let days = days(year: year, month: month, day: day)
        let seconds = Double(days * 86_400 + hour * 3600 + minute * 60 + second - offset) + fraction
        // An offset or a leap second can lead out of the years that are written.
        return isWritten(seconds) ? Date(timeIntervalSince1970: seconds) : nil
    }

    /// Whether a time, in seconds since 1970, lies in the years 0001 to 9999.
    private static func isWritten(_ seconds: Double) -> Bool {
        seconds >= -62_135_596_800 && seconds < 253_402_300_799.999_5
    }

    // Days from civil and back: Howard Hinnant's algorithms for the proleptic Gregorian calendar.

    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = floorDivide(shifted, 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func lastDay(year: Int64, month: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func pad(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private struct Scanner {
        let bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { position == bytes.count }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard position < bytes.count, UInt32(bytes[position]) == character.value else { return false }
            position += 1
            return true
        }

        mutating func digit() -> Int64? {
            guard position < bytes.count, (48...57).contains(bytes[position]) else { return nil }
            position += 1
            return Int64(bytes[position - 1]) - 48
        }

        mutating func digits(_ count: Int) -> Int64? {
            var value: Int64 = 0
            for _ in 0..<count {
                guard let digit = digit() else { return nil }
                value = value * 10 + digit
            }
            return value
        }

        mutating func fraction() -> Double? {
            var value: Int64 = 0
            var scale: Int64 = 1
            while scale < 1_000_000_000, let digit = digit() {
                value = value * 10 + digit
                scale *= 10
            }
            return scale > 1 ? Double(value) / Double(scale) : nil
        }

        /// Seconds east of Greenwich.
        mutating func offset() -> Int64? {
            if take("Z") || take("z") { return 0 }
            let sign: Int64
            if take("+") {
                sign = 1
            } else if take("-") {
                sign = -1
            } else {
                return nil
            }
            guard let hours = digits(2), take(":"), let minutes = digits(2), hours <= 23, minutes <= 59 else {
                return nil
            }
            return sign * (hours * 3600 + minutes * 60)
        }
    }
}
