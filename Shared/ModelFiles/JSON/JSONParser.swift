/// A recursive-descent JSON reader over borrowed bytes: bounded nesting, strict grammar, byte strings.
struct JSONParser {
    private static let maximumDepth = 64
    /// The most values, keys not counted: a value takes some 50 times the two bytes of the shortest, and the largest
    /// tokenizers have two million.
    static let maximumValues = 16_000_000

    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var room: Int

    init(bytes: UnsafeBufferPointer<UInt8>, maximumValues: Int = JSONParser.maximumValues) {
        self.bytes = bytes
        room = maximumValues
    }

    mutating func document() throws(JSONSyntaxError) -> JSONNode {
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { position = 3 }
        let value = try value(depth: 0)
        skipBlanks()
        guard position == bytes.count else { throw failure("text after the end of the value") }
        return value
    }

    private func failure(_ message: String) -> JSONSyntaxError {
        JSONSyntaxError(message: message, offset: position)
    }

    private mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func peek() throws(JSONSyntaxError) -> UInt8 {
        skipBlanks()
        guard position < bytes.count else { throw failure("the text ends early") }
        return bytes[position]
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONNode {
        guard depth < Self.maximumDepth else { throw failure("nested deeper than \(Self.maximumDepth) levels") }
        room -= 1
        guard room >= 0 else { throw failure("more values than are read; the limit is \(Self.maximumValues)") }
        switch try peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw failure("unexpected character")
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONNode) throws(JSONSyntaxError) -> JSONNode {
        let count = text.utf8CodeUnitCount
        guard position + count <= bytes.count else { throw failure("the text ends early") }
        for index in 0..<count where bytes[position + index] != text.utf8Start[index] {
            throw failure("unexpected word")
        }
        position += count
        return value
    }

    private mutating func digits() -> Int {
        let start = position
        while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 { position += 1 }
        return position - start
    }

    private mutating func number() throws(JSONSyntaxError) -> JSONNode {
        let start = position
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        let first = position
        let whole = digits()
        guard whole > 0, whole == 1 || bytes[first] != 0x30 else { throw failure("malformed number") }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            guard digits() > 0 else { throw failure("malformed number") }
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: "+") {
                position += 1
            }
            guard digits() > 0 else { throw failure("malformed number") }
        }
        guard position - start <= 400 else { throw failure("a number of more than 400 characters") }
        return .number(Array(bytes[start..<position]))
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> JSONNode {
        position += 1
        var values: [JSONNode] = []
        if try peek() == UInt8(ascii: "]") {
            position += 1
            return .array(values)
        }
        while true {
            values.append(try value(depth: depth + 1))
            switch try peek() {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "]"):
                position += 1
                return .array(values)
            default: throw failure("expected ',' or ']'")
            }
        }
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONNode {
        position += 1
        var members: [(key: [UInt8], value: JSONNode)] = []
        if try peek() == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            guard try peek() == UInt8(ascii: "\"") else { throw failure("expected a quoted key") }
            let key = try string()
            guard try peek() == UInt8(ascii: ":") else { throw failure("expected ':'") }
            position += 1
            members.append((key, try value(depth: depth + 1)))
            switch try peek() {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "}"):
                position += 1
                return .object(members)
            default: throw failure("expected ',' or '}'")
            }
        }
    }

    private mutating func string() throws(JSONSyntaxError) -> [UInt8] {
        position += 1
        var result: [UInt8] = []
        var start = position
        var isASCII = true
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                result.append(contentsOf: bytes[start..<position])
                position += 1
                guard isASCII || String(validating: result, as: UTF8.self) != nil else {
                    throw failure("a string that is not UTF-8")
                }
                return result
            case UInt8(ascii: "\\"):
                result.append(contentsOf: bytes[start..<position])
                position += 1
                try escape(into: &result)
                start = position
            case 0..<0x20:
                throw failure("a control character inside a string")
            case 0x80...:
                isASCII = false
                position += 1
            default:
                position += 1
            }
        }
        throw failure("a string without an end")
    }

    private mutating func escape(into result: inout [UInt8]) throws(JSONSyntaxError) {
        guard position < bytes.count else { throw failure("the text ends early") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if code & 0xFC00 == 0xD800 {
                guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                    bytes[position + 1] == UInt8(ascii: "u")
                else { throw failure("half of a surrogate pair") }
                position += 2
                let low = try hexadecimal()
                guard low & 0xFC00 == 0xDC00 else { throw failure("half of a surrogate pair") }
                code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half of a surrogate pair") }
            result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default: throw failure("unknown escape")
        }
    }

    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
        guard position + 4 <= bytes.count else { throw failure("the text ends early") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let byte = bytes[position]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: throw failure("expected four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
