extension Interpreter {
    /// Python's `str(value)`.
    func string(_ value: Value) throws -> Text {
        switch value {
        case .string(let text): Text(text.bytes)
        case .undefined: Text([UInt8]())
        default: try representation(value)
        }
    }

    /// `markupsafe.soft_str`: as ``string(_:)``, but markup stays markup.
    func softString(_ value: Value) throws -> Text {
        if case .string(let text) = value { return text }
        return try string(value)
    }

    /// Python's `repr(value)`.
    func representation(_ value: Value) throws -> Text {
        var output: [UInt8] = []
        try appendRepresentation(value, to: &output)
        try charge(bytes: output.count)
        return Text(output)
    }

    private func appendRepresentation(_ value: Value, to output: inout [UInt8]) throws {
        try step()
        switch value {
        case .undefined: output += "Undefined".utf8
        case .none: output += "None".utf8
        case .bool(let value): output += (value ? "True" : "False").utf8
        case .int(let value): output += String(value).utf8
        case .float(let value): output += FloatText.representation(value).utf8
        case .string(let text):
            try work(bytes: 8 * text.bytes.count)
            output += text.quoted.bytes
        case .list(let items):
            output.append(UInt8(ascii: "["))
            try appendRepresentations(items.values, to: &output)
            output.append(UInt8(ascii: "]"))
        case .tuple(let items):
            output.append(UInt8(ascii: "("))
            try appendRepresentations(items.values, to: &output)
            output += (items.values.count == 1 ? ",)" : ")").utf8
        case .dict(let dictionary):
            output.append(UInt8(ascii: "{"))
            try appendRepresentations(dictionary.members, to: &output)
            output.append(UInt8(ascii: "}"))
        case .object(let object): output += try nested { try object.representation(self).bytes }
        }
        if output.count > limits.valueBytes { throw tooLong }
    }

    private func appendRepresentations(_ values: [Value], to output: inout [UInt8]) throws {
        try nested {
            for (position, value) in values.enumerated() {
                if position > 0 { output += ", ".utf8 }
                try appendRepresentation(value, to: &output)
            }
        }
    }

    private func appendRepresentations(_ members: Members, to output: inout [UInt8]) throws {
        try nested {
            for (position, key) in members.keys.enumerated() {
                if position > 0 { output += ", ".utf8 }
                try appendRepresentation(key, to: &output)
                output += ": ".utf8
                try appendRepresentation(members.values[position], to: &output)
            }
        }
    }

    /// `markupsafe.escape(value)`: markup stays as it is, all else becomes text and then markup.
    func escaped(_ value: Value) throws -> Text {
        try escaped(softString(value))
    }

    func escaped(_ text: Text) throws -> Text {
        if text.isMarkup { return text }
        var output: [UInt8] = []
        output.reserveCapacity(text.bytes.count)
        for byte in text.bytes {
            switch byte {
            case UInt8(ascii: "&"): output += "&amp;".utf8
            case UInt8(ascii: ">"): output += "&gt;".utf8
            case UInt8(ascii: "<"): output += "&lt;".utf8
            case UInt8(ascii: "'"): output += "&#39;".utf8
            case UInt8(ascii: "\""): output += "&#34;".utf8
            default: output.append(byte)
            }
        }
        try charge(bytes: output.count)
        return Text(output, isMarkup: true)
    }
}
