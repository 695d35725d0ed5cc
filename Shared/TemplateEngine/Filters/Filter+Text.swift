extension Filter {
    /// Filters that take a text and give one.
    static let textFilters: [Filter] = [
        Filter("capitalize") { value, _, interpreter in .string(try interpreter.plain(value).capitalized) },
        Filter("lower") { value, _, interpreter in .string(try interpreter.plain(value).lowercased) },
        Filter("upper") { value, _, interpreter in .string(try interpreter.plain(value).uppercased) },
        Filter("title") { value, _, interpreter in .string(try interpreter.plain(value).titlecasedWords) },
        Filter("trim", ["chars"]) { value, arguments, interpreter in
            let text = try interpreter.plain(value)
            return .string(
                try interpreter.stripped(text, try arguments.optionalText(0), leading: true, trailing: true)
            )
        },
        Filter("string") { value, _, interpreter in .string(try interpreter.softString(value)) },
        Filter("replace", ["old", "new", "count"], required: 2) { value, arguments, interpreter in
            let limit = try arguments.optionalInteger(2) ?? -1
            guard interpreter.autoescape else {
                let text = try interpreter.string(value)
                let old = try interpreter.string(arguments.value(0))
                let new = try interpreter.string(arguments.value(1))
                return .string(try interpreter.replaced(text, old, with: new, limit: limit))
            }
            return .string(try interpreter.replacedEscaping(value, arguments, limit))
        },
        Filter(variadic: "format") { value, arguments, interpreter in
            guard arguments.positional.isEmpty || arguments.keywords.isEmpty else {
                throw TemplateError(.type, "can't handle positional and keyword arguments at the same time")
            }
            let values =
                arguments.keywords.isEmpty
                ? try interpreter.tuple(arguments.positional)
                : try interpreter.dict(Globals.dict(arguments, interpreter))
            return .string(try interpreter.percentFormat(interpreter.softString(value), values))
        },
        Filter("truncate", ["length", "killwords", "end", "leeway"]) { value, arguments, interpreter in
            try interpreter.truncate(value, arguments)
        },
        Filter("wordcount") { value, _, interpreter in
            var count = 0
            var isInside = false
            for scalar in try interpreter.plain(value).scalars {
                if scalar.isPythonWord, !isInside { count += 1 }
                isInside = scalar.isPythonWord
            }
            return .int(count)
        },
        Filter("urlencode") { value, _, interpreter in try interpreter.urlEncode(value) },
    ]
}

extension Interpreter {
    /// ``softString(_:)``, with the work that a walk over the text takes.
    func plain(_ value: Value) throws -> Text {
        let text = try softString(value)
        try charge(bytes: 2 * text.bytes.count)
        return text
    }

    /// `replace` with automatic escaping, where markup among the arguments makes the whole markup.
    fileprivate func replacedEscaping(_ value: Value, _ arguments: Bound, _ limit: Int) throws -> Text {
        let old = try softString(arguments.value(0))
        let new = try softString(arguments.value(1))
        let isMarkup = value.text?.isMarkup == true
        let text = try old.isMarkup || new.isMarkup && !isMarkup ? escaped(value) : softString(value)
        return try replaced(text, old, with: text.isMarkup ? escaped(new) : new, limit: limit)
    }

    fileprivate func truncate(_ value: Value, _ arguments: Bound) throws -> Value {
        let length = try arguments.integer(0, default: 255)
        let end = try arguments.text(2, default: "...")
        let leeway = try arguments.optionalInteger(3) ?? 5
        guard length >= end.count else {
            throw TemplateError(.value, "expected length >= \(end.count), got \(length)")
        }
        guard leeway >= 0 else { throw TemplateError(.value, "expected leeway >= 0, got \(leeway)") }
        let (longest, overflow) = length.addingReportingOverflow(leeway)
        guard try !overflow && self.length(value) > longest else { return value }
        guard case .string(let text) = value else {
            throw TemplateError(.type, "truncate() wants a string, not \(value.typeName)")
        }
        let start = text.slice(0..<length - end.count)
        if arguments.isTrue(1) { return .string(try join(start, end)) }
        let whole = start.splitBackwards(at: " ", limit: 1)[0]
        return .string(try join(whole, end))
    }

    fileprivate func urlEncode(_ value: Value) throws -> Value {
        let isPairs: Bool =
            switch value {
            case .list, .tuple, .dict, .undefined: true
            case .object(let object): object.isIterable
            default: false
            }
        guard isPairs else { return .string(try quotedForURL(value, inQuery: false)) }
        var pairs: [Value]
        if case .dict(let dictionary) = value {
            pairs = try zip(dictionary.members.keys, dictionary.members.values).map { try tuple([$0, $1]) }
        } else {
            pairs = try array(value)
        }
        let parts = try pairs.map { pair in
            let values = try unpack(pair, 2)
            let (key, value) = (try quotedForURL(values[0], inQuery: true), try quotedForURL(values[1], inQuery: true))
            return key.bytes + Array("=".utf8) + value.bytes
        }
        let joined = Array(parts.joined(separator: "&".utf8))
        try charge(bytes: joined.count)
        return .text(joined)
    }

    private func quotedForURL(_ value: Value, inQuery: Bool) throws -> Text {
        var output: [UInt8] = []
        let hexadecimalDigits = Array("0123456789ABCDEF".utf8)
        for byte in try plain(value).bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: output.append(byte)
            case UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "~"): output.append(byte)
            case UInt8(ascii: "/") where !inQuery: output.append(byte)
            case UInt8(ascii: " ") where inQuery: output.append(UInt8(ascii: "+"))
            default:
                output.append(UInt8(ascii: "%"))
                output.append(hexadecimalDigits[Int(byte >> 4)])
                output.append(hexadecimalDigits[Int(byte & 15)])
            }
        }
        try charge(bytes: output.count)
        return Text(output)
    }
}

extension Text {
    /// The `title` filter: words also begin after hyphens, brackets and the like.
    fileprivate var titlecasedWords: Text {
        var words: [[Unicode.Scalar]] = [[]]
        var isInBreak = false
        for scalar in scalars {
            let isBreak = scalar.isPythonSpace || ["-", "(", "{", "[", "<"].contains(scalar)
            if isBreak != isInBreak, words.last?.isEmpty == false { words.append([]) }
            isInBreak = isBreak
            words[words.count - 1].append(scalar)
        }
        let titled = words.flatMap { word -> [UInt8] in
            guard let first = word.first else { return [] }
            return Text(scalars: [first]).uppercased.bytes + Text(scalars: word.dropFirst()).lowercased.bytes
        }
        return Text(titled)
    }
}
