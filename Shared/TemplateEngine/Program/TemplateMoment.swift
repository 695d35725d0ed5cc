package import Foundation

/// The date and time that a template sees as now: Python's naive `datetime`.
package struct TemplateMoment: Sendable, Equatable {
    /// The year, month (1 to 12) and day of the month in the Gregorian calendar.
    package let year: Int
    package let month: Int
    package let day: Int
    package let hour: Int
    package let minute: Int
    package let second: Int
    package let microsecond: Int

    /// A moment by its parts; nil where there is no such date or time in the years 1 to 9999.
    package init?(
        year: Int,
        month: Int,
        day: Int,
        hour: Int = 0,
        minute: Int = 0,
        second: Int = 0,
        microsecond: Int = 0
    ) {
        guard (1...9999).contains(year), (1...12).contains(month),
            (1...Self.daysInMonth(month, of: year)).contains(day), (0..<24).contains(hour), (0..<60).contains(minute),
            (0..<60).contains(second), (0..<1_000_000).contains(microsecond)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.microsecond = microsecond
    }

    /// The moment that the clocks of a time zone show; years beyond 1 to 9999 become the nearest of them.
    package init(_ date: Date, in timeZone: TimeZone = .current) {
        let local = date.timeIntervalSince1970 + Double(timeZone.secondsFromGMT(for: date))
        let microseconds = local.isFinite ? min(max(local, -62_135_596_800), 253_402_300_799) * 1_000_000 : 0
        let total = Int(microseconds.rounded(.down))
        let (seconds, microsecond) = Self.divided(total, 1_000_000)
        let (days, secondOfDay) = Self.divided(seconds, 86_400)
        (year, month, day) = Self.civil(daysSince1970: days)
        hour = secondOfDay / 3600
        minute = secondOfDay / 60 % 60
        second = secondOfDay % 60
        self.microsecond = microsecond
    }

    private static func divided(_ value: Int, _ divisor: Int) -> (quotient: Int, remainder: Int) {
        let quotient = value / divisor - (value % divisor < 0 ? 1 : 0)
        return (quotient, value - quotient * divisor)
    }

    /// The date so many days after 1 January 1970, in years that begin with March and eras of 400 years.
    private static func civil(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = divided(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
    }
}

extension TemplateMoment {
    static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    static func daysInMonth(_ month: Int, of year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// The day of the year, from 1.
    var dayOfYear: Int { (1..<month).reduce(day) { $0 + Self.daysInMonth($1, of: year) } }

    /// The day of the week, from 0 for Sunday.
    var weekday: Int {
        let before = year - 1
        return (before * 365 + before / 4 - before / 100 + before / 400 + dayOfYear) % 7
    }

    /// The week of ISO 8601 and the year that it belongs to.
    var isoWeek: (year: Int, week: Int) {
        let fromMonday = (weekday + 6) % 7
        let week = (dayOfYear - 1 - fromMonday + 10) / 7
        if week < 1 { return (year - 1, Self.isoWeeks(of: year - 1)) }
        if week > Self.isoWeeks(of: year) { return (year + 1, 1) }
        return (year, week)
    }

    private static func isoWeeks(of year: Int) -> Int {
        func lastWeekday(_ year: Int) -> Int { (year + year / 4 - year / 100 + year / 400) % 7 }
        return lastWeekday(year) == 4 || lastWeekday(year - 1) == 3 ? 53 : 52
    }
}
