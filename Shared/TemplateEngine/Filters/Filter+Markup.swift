extension Filter {
    /// Filters about HTML and JSON.
    static let markupFilters: [Filter] = [
        Filter("escape") { value, _, interpreter in .string(try interpreter.escaped(value)) },
        Filter("forceescape") { value, _, interpreter in
            .string(try interpreter.escaped(Text(interpreter.string(value).bytes)))
        },
        Filter("safe") { value, _, interpreter in
            .string(Text(try interpreter.string(value).bytes, isMarkup: true))
        },
        Filter("striptags") { value, _, interpreter in .string(try interpreter.stripTags(value)) },
        Filter("xmlattr", ["autospace"]) { value, arguments, interpreter in
            try interpreter.xmlAttributes(value, addsSpace: arguments.isTrue(0, default: true))
        },
        Filter("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"]) { value, arguments, interpreter in
            try interpreter.json(value, arguments)
        },
        Filter("urlize") { _, _, _ in
            throw TemplateError(.unsupported, "the filter urlize is left out: a prompt has no links to make")
        },
    ]
}

extension Interpreter {
    fileprivate func json(_ value: Value, _ arguments: Bound) throws -> Value {
        var separators: (item: Text, key: Text)?
        if let given = arguments[2], !given.isNone {
            let pair = try unpack(given, 2)
            guard let item = pair[0].text, let key = pair[1].text else {
                throw TemplateError(.type, "tojson: separators must be two strings")
            }
            separators = (item, key)
        }
        var writer = JSONWriter(
            self,
            escapesNonASCII: arguments.isTrue(0),
            sortsKeys: arguments.isTrue(3),
            indentation: try indentation(arguments[1] ?? .none),
            separators: separators
        )
        return .string(try writer.write(value))
    }

    private func indentation(_ value: Value) throws -> [UInt8]? {
        switch value {
        case .none: return nil
        case .string(let text): return text.bytes
        default:
            guard let width = value.index else {
                throw TemplateError(.type, "tojson: indent must be an integer or a string, not \(value.typeName)")
            }
            return try filling(" ", width)
        }
    }

    /// `Markup.striptags`: without tags and comments, with single spaces and the characters that entities stand for.
    fileprivate func stripTags(_ value: Value) throws -> Text {
        let text = Text(try plain(value).bytes)
        var kept: [UInt8] = []
        var position = 0
        while let start = text.range(of: "<", from: position)?.lowerBound {
            let isComment = text.bytes[start...].starts(with: "<!--".utf8)
            let end =
                isComment
                ? text.range(of: "-->", from: min(start + 4, text.bytes.count)) : text.range(of: ">", from: start)
            guard let end else { break }
            kept += text.bytes[position..<start]
            position = end.upperBound
        }
        kept += text.bytes[position...]
        let words = Text(kept).splitAtSpace(limit: nil).map(\.bytes)
        return Text(Array(words.joined(separator: " ".utf8))).withoutEntities
    }

    fileprivate func xmlAttributes(_ value: Value, addsSpace: Bool) throws -> Value {
        if case .undefined(let undefined) = value { throw undefined.error }
        guard case .dict(let dictionary) = value else {
            throw TemplateError(.type, "xmlattr: '\(value.typeName)' object has no attribute 'items'")
        }
        var parts: [[UInt8]] = []
        for (key, value) in zip(dictionary.members.keys, dictionary.members.values) {
            if value.isNone || value.isUndefined { continue }
            guard case .string(let name) = key else {
                throw TemplateError(.type, "expected string or bytes-like object, got '\(key.typeName)'")
            }
            let isForbidden = name.bytes.contains {
                switch $0 {
                case 0x09...0x0D, 0x20, UInt8(ascii: "/"), UInt8(ascii: ">"), UInt8(ascii: "="): true
                default: false
                }
            }
            guard !isForbidden else {
                throw TemplateError(.value, "Invalid character in attribute name: \(name.quoted.string)")
            }
            parts.append(try escaped(name).bytes + "=\"".utf8 + escaped(value).bytes + "\"".utf8)
        }
        let joined = Array(parts.joined(separator: " ".utf8))
        try charge(bytes: joined.count)
        let prefix = addsSpace && !joined.isEmpty ? " " : ""
        return .string(Text(Array(prefix.utf8) + joined, isMarkup: autoescape))
    }
}

extension Text {
    private static let entities: [String: Unicode.Scalar] = [
        "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": "\u{A0}", "copy": "\u{A9}",
        "reg": "\u{AE}", "laquo": "\u{AB}", "raquo": "\u{BB}", "hellip": "\u{2026}", "ndash": "\u{2013}",
        "mdash": "\u{2014}", "lsquo": "\u{2018}", "rsquo": "\u{2019}", "ldquo": "\u{201C}", "rdquo": "\u{201D}",
        "bull": "\u{2022}", "middot": "\u{B7}", "times": "\u{D7}", "deg": "\u{B0}", "euro": "\u{20AC}",
    ]

    /// With the characters that numeric and the common named entities stand for.
    fileprivate var withoutEntities: Text {
        var output: [UInt8] = []
        var position = 0
        while let start = bytes[position...].firstIndex(of: UInt8(ascii: "&")) {
            output += bytes[position..<start]
            let body = bytes[(start + 1)...].prefix(32)
            if let end = body.firstIndex(of: UInt8(ascii: ";")),
                let scalar = Self.scalar(ofEntity: String(decoding: body[..<end], as: UTF8.self))
            {
                output.append(scalar)
                position = end + 1
            } else {
                output.append(UInt8(ascii: "&"))
                position = start + 1
            }
        }
        return Text(output + bytes[position...])
    }

    private static func scalar(ofEntity name: String) -> Unicode.Scalar? {
        guard name.utf8.first == UInt8(ascii: "#") else { return entities[name] }
        let digits = name.dropFirst()
        let isHexadecimal = digits.utf8.first.map { $0 | 0x20 } == UInt8(ascii: "x")
        return (isHexadecimal ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)).flatMap(Unicode.Scalar.init)
    }
}
