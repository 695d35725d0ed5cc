import Foundation

/// Large numbers for people.
enum ByteCount {
    /// Bytes in the decimal unit that suits: `517 MB`.
    static func text(_ bytes: Int) -> String {
        for (size, unit) in [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")] where Double(bytes) >= size {
            return "\(digits(Double(bytes) / size)) \(unit)"
        }
        return "\(bytes) B"
    }

    /// A count with the letter of its thousands: `135M`.
    static func short(_ count: Int) -> String {
        for (size, letter) in [(1e9, "B"), (1e6, "M"), (1e3, "K")] where Double(count) >= size {
            return digits(Double(count) / size) + letter
        }
        return "\(count)"
    }

    /// Three digits, of them one behind the point at most two.
    private static func digits(_ value: Double) -> String {
        String(format: value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value)
    }
}
