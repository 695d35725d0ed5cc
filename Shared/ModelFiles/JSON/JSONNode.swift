/// A JSON value whose strings are UTF-8 bytes and whose objects keep every key in the file's order.
///
/// Foundation's readers put objects into dictionaries of `String`, where canonically equivalent keys ("à" as one scalar
/// or as two) collide and repeated keys vanish. A vocabulary and a safetensors header may not lose either.
package enum JSONNode: Sendable {
    case null
    case bool(Bool)
    /// The number as written; readers decide whether an integer or a float is wanted.
    case number([UInt8])
    case string([UInt8])
    indirect case array([JSONNode])
    indirect case object([(key: [UInt8], value: JSONNode)])
}

/// Why a text is not JSON, with the byte where the reader gave up.
package struct JSONSyntaxError: Error, Sendable, CustomStringConvertible {
    package let message: String
    package let offset: Int

    package var description: String { "not valid JSON at byte \(offset): \(message)" }
}

extension JSONNode {
    /// The member with this key, the last one when it is repeated (as Python reads it); nil when absent or no object.
    package subscript(key: String) -> JSONNode? {
        guard case .object(let members) = self else { return nil }
        let bytes = Array(key.utf8)
        return members.last { $0.key == bytes }?.value
    }

    package var isNull: Bool {
        if case .null = self { return true }
        return false
    }

    package var bytes: [UInt8]? {
        if case .string(let bytes) = self { return bytes }
        return nil
    }

    package var string: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    package var bool: Bool? {
        if case .bool(let value) = self { return value }
        return nil
    }

    package var array: [JSONNode]? {
        if case .array(let values) = self { return values }
        return nil
    }

    package var object: [(key: [UInt8], value: JSONNode)]? {
        if case .object(let members) = self { return members }
        return nil
    }

    /// An integer; a number written with a fraction or exponent is none.
    package var integer: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(String(decoding: text, as: UTF8.self))
    }

    package var double: Double? {
        guard case .number(let text) = self, let value = Double(String(decoding: text, as: UTF8.self)) else {
            return nil
        }
        return value.isFinite ? value : nil
    }

    /// What kind of value this is, for messages.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// Reads one JSON value that takes up all of `data`; nesting is bounded by 64 levels.
    package static func parse(_ data: some Collection<UInt8>) throws(JSONSyntaxError) -> JSONNode {
        let contiguous = Array(data)
        let result: Result<JSONNode, JSONSyntaxError> = contiguous.withUnsafeBufferPointer { bytes in
            var parser = JSONParser(bytes: bytes)
            do throws(JSONSyntaxError) {
                return .success(try parser.document())
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Appends `bytes` (UTF-8) as a quoted JSON string; only what must be escaped is.
    package static func appendQuoted(_ bytes: some Sequence<UInt8>, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""): output.append(contentsOf: #"\""#.utf8)
            case UInt8(ascii: "\\"): output.append(contentsOf: #"\\"#.utf8)
            case 0x0A: output.append(contentsOf: #"\n"#.utf8)
            case 0x0D: output.append(contentsOf: #"\r"#.utf8)
            case 0x09: output.append(contentsOf: #"\t"#.utf8)
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                output.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits).utf8)
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    /// `text` as a quoted JSON string.
    package static func quoted(_ text: String) -> String {
        var output: [UInt8] = []
        appendQuoted(text.utf8, to: &output)
        return String(decoding: output, as: UTF8.self)
    }
}
