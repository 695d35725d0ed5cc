/// A number as most answers are: digits with separators of thousands, a sign, a point, a dollar sign.
///
/// Reads bytes without any allocation: the fast path of grading.
struct PlainNumber: Equatable {
    /// Digits without zeros at the end, below 10^18.
    let digits: Int64
    /// The power of ten they are divided by; 0 where the digits are.
    let places: Int
    let hasDollar: Bool

    /// Nil for anything that is not such a number through and through, or has more than 18 digits.
    init?(_ text: String) {
        var text = text
        guard let value = text.withUTF8({ Self.read($0) }) else { return nil }
        self = value
    }

    private init(digits: Int64, places: Int, hasDollar: Bool) {
        self.digits = digits
        self.places = places
        self.hasDollar = hasDollar
    }

    func isSame(as other: PlainNumber) -> Bool { digits == other.digits && places == other.places }

    private static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> PlainNumber? {
        var index = 0
        var end = bytes.count
        while index < end, isBlank(bytes[index]) { index += 1 }
        while end > index, isBlank(bytes[end - 1]) { end -= 1 }
        // A stop that ends a sentence.
        if end > index, bytes[end - 1] == UInt8(ascii: ".") { end -= 1 }
        guard index < end, end - index <= 40 else { return nil }
        var isNegative = false
        if bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
            isNegative = bytes[index] == UInt8(ascii: "-")
            index += 1
        }
        var hasDollar = false
        if index < end, bytes[index] == UInt8(ascii: "$") {
            hasDollar = true
            index += 1
        }
        var value: Int64 = 0
        var count = 0
        var group = 0
        var hasComma = false
        var places = 0
        var hasPoint = false
        while index < end {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                count += 1
                group += 1
                guard count <= 18 else { return nil }
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
                if hasPoint { places += 1 }
            case UInt8(ascii: ","):
                // No group of thousands stands behind a zero.
                guard !hasPoint, hasComma ? group == 3 : (1...3).contains(group) && value > 0 else { return nil }
                hasComma = true
                group = 0
            case UInt8(ascii: "."):
                guard !hasPoint, !hasComma || group == 3, index + 1 < end else { return nil }
                hasPoint = true
            default: return nil
            }
            index += 1
        }
        guard count > 0, hasPoint || !hasComma || group == 3 else { return nil }
        while places > 0, value % 10 == 0 {
            value /= 10
            places -= 1
        }
        return PlainNumber(digits: isNegative ? -value : value, places: places, hasDollar: hasDollar)
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
