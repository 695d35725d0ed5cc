import Foundation

/// PostgreSQL's text form of bytea.
enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    /// `\x` and two digits a byte.
    static func bytea(_ data: Data) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(2 + 2 * data.count)
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(UInt8(ascii: "x"))
        for byte in data {
            bytes.append(digits[Int(byte >> 4)])
            bytes.append(digits[Int(byte & 15)])
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The bytes of `\x…`, or nil.
    static func data(_ text: String) -> Data? {
        var text = text
        return text.withUTF8 { bytes -> Data? in
            guard bytes.count >= 2, bytes.count % 2 == 0, bytes[0] == UInt8(ascii: "\\"), bytes[1] == UInt8(ascii: "x")
            else { return nil }
            var result = Data(capacity: bytes.count / 2 - 1)
            var index = 2
            while index < bytes.count {
                guard let high = digit(bytes[index]), let low = digit(bytes[index + 1]) else { return nil }
                result.append(high << 4 | low)
                index += 2
            }
            return result
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// Array literals of one dimension: `{"a","b\"c",NULL}`.
enum ArrayText {
    static func format(_ elements: [String?]) -> String {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            guard let element else {
                bytes.append(contentsOf: "NULL".utf8)
                continue
            }
            bytes.append(UInt8(ascii: "\""))
            for byte in element.utf8 {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
                bytes.append(byte)
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: "}"))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The elements, or nil when the text is no array of one dimension.
    static func parse(_ text: String) -> [String?]? {
        let bytes = Array(text.utf8)
        var index = 0
        // Bounds other than 1 are written in front: `[0:2]={…}`.
        if bytes.first == UInt8(ascii: "[") {
            guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            index = equals + 1
        }
        guard index < bytes.count, bytes[index] == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}") else {
            return nil
        }
        index += 1
        let end = bytes.count - 1
        var result: [String?] = []
        if index == end { return result }
        while true {
            var element: [UInt8] = []
            var quoted = false
            if index < end, bytes[index] == UInt8(ascii: "\"") {
                quoted = true
                index += 1
                var closed = false
                while index < end {
                    let byte = bytes[index]
                    index += 1
                    if byte == UInt8(ascii: "\"") {
                        closed = true
                        break
                    }
                    if byte == UInt8(ascii: "\\") {
                        guard index < end else { return nil }
                        element.append(bytes[index])
                        index += 1
                    } else {
                        element.append(byte)
                    }
                }
                guard closed else { return nil }
            } else {
                while index < end, bytes[index] != UInt8(ascii: ",") {
                    let byte = bytes[index]
                    if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "\"") {
                        return nil
                    }
                    element.append(byte)
                    index += 1
                }
                guard !element.isEmpty else { return nil }
            }
            let value = String(decoding: element, as: UTF8.self)
            result.append(!quoted && value == "NULL" ? nil : value)
            if index == end { return result }
            guard bytes[index] == UInt8(ascii: ",") else { return nil }
            index += 1
        }
    }
}

/// Arrays of one dimension in PostgreSQL's binary form, as its `array_recv` reads them.
enum BinaryArray {
    /// The bytes of an array of texts or bytes.
    ///
    /// - Throws: ``PostgresError`` where an element cannot be sent.
    static func format(_ elements: [PostgresValue], elementType: UInt32) throws -> Data {
        var data = Data(capacity: elements.reduce(20) { $0 + 4 + $1.byteCount })
        func put(_ number: Int32) { withUnsafeBytes(of: number.bigEndian) { data.append(contentsOf: $0) } }
        let hasNull = elements.contains { if case .null = $0.content { true } else { false } }
        put(elements.isEmpty ? 0 : 1)
        put(hasNull ? 1 : 0)
        put(Int32(bitPattern: elementType))
        guard !elements.isEmpty else { return data }
        put(Int32(elements.count))
        // Counted from 1.
        put(1)
        for element in elements {
            if elementType == TypeID.bytea, case .bytes(let bytes) = element.content {
                put(Int32(bytes.count))
                data.append(bytes)
            } else if let text = try element.textForm() {
                put(Int32(text.utf8.count))
                data.append(contentsOf: text.utf8)
            } else {
                put(-1)
            }
        }
        return data
    }
}

/// ISO text of timestamps, in microseconds.
enum TimestampText {
    private static let secondsTo2001: Int64 = 978_307_200
    private static let microsecondsADay: Int64 = 86_400_000_000

    /// UTC text of a date from year 1 to 9999, or nil.
    static func format(_ date: Date) -> String? {
        let seconds = date.timeIntervalSinceReferenceDate
        guard seconds.isFinite, abs(seconds) < 1e12 else { return nil }
        let whole = seconds.rounded(.down)
        let fraction = Int64(((seconds - whole) * 1e6).rounded())
        let total = (Int64(whole) + secondsTo2001) * 1_000_000 + fraction
        var days = total / microsecondsADay
        var rest = total % microsecondsADay
        if rest < 0 {
            rest += microsecondsADay
            days -= 1
        }
        let (year, month, day) = civil(days)
        guard (1...9_999).contains(year) else { return nil }
        let second = rest / 1_000_000
        return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2)) \(pad(second / 3_600, 2)):\(pad(second / 60 % 60, 2)):"
            + "\(pad(second % 60, 2)).\(pad(rest % 1_000_000, 6))+00"
    }

    /// Reads `2026-01-02 03:04:05.678901+00`, the same without an offset (UTC), and a plain day.
    static func parse(_ text: String) -> Date? {
        var scanner = Scanner(bytes: Array(text.utf8))
        guard let year = scanner.number(4...6), scanner.skip("-"), let month = scanner.number(2...2),
            scanner.skip("-"), let day = scanner.number(2...2), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var seconds = daysFromCivil(year, month, day) * 86_400
        var micros: Int64 = 0
        if !scanner.isAtEnd {
            guard scanner.skip(" ") || scanner.skip("T"), let hour = scanner.number(2...2), scanner.skip(":"),
                let minute = scanner.number(2...2), scanner.skip(":"), let second = scanner.number(2...2)
            else { return nil }
            seconds += hour * 3_600 + minute * 60 + second
            if scanner.skip(".") {
                let start = scanner.index
                guard var value = scanner.number(1...6) else { return nil }
                for _ in (scanner.index - start)..<6 { value *= 10 }
                micros = value
            }
            if scanner.skip("Z") {
                // UTC
            } else if !scanner.isAtEnd {
                let sign: Int64
                if scanner.skip("+") { sign = -1 } else if scanner.skip("-") { sign = 1 } else { return nil }
                guard var offset = scanner.number(2...2).map({ $0 * 3_600 }) else { return nil }
                if scanner.skip(":") {
                    guard let minutes = scanner.number(2...2) else { return nil }
                    offset += minutes * 60
                    if scanner.skip(":") {
                        guard let more = scanner.number(2...2) else { return nil }
                        offset += more
                    }
                }
                seconds += sign * offset
            }
        }
        guard scanner.isAtEnd else { return nil }
        return Date(timeIntervalSinceReferenceDate: Double(seconds - secondsTo2001) + Double(micros) / 1e6)
    }

    private struct Scanner {
        let bytes: [UInt8]
        var index = 0

        var isAtEnd: Bool { index == bytes.count }

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
            index += 1
            return true
        }

        mutating func number(_ digits: ClosedRange<Int>) -> Int64? {
            var value: Int64 = 0
            var count = 0
            while count < digits.upperBound, index < bytes.count, (48...57).contains(bytes[index]) {
                value = value * 10 + Int64(bytes[index] - 48)
                index += 1
                count += 1
            }
            return count >= digits.lowerBound ? value : nil
        }
    }

    private static func pad(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Days since 1970 to the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func daysFromCivil(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
