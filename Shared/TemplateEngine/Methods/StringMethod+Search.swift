extension Interpreter {
    /// The methods that look for a text within a range.
    func search(_ method: StringMethod, _ text: Text, _ arguments: Bound) throws -> Value {
        let length = text.count
        let bounds = try SliceBounds(start: arguments[1] ?? .none, stop: arguments[2] ?? .none, step: .none)
        let indices = bounds.indices(length)
        // An empty text is found at the end of an empty range, but not behind it.
        let start = bounds.start.map { $0 < 0 ? max(0, $0 + length) : $0 } ?? 0
        let stop = bounds.stop.map { $0 < 0 ? max(0, $0 + length) : min($0, length) } ?? length
        let isOutside = start > length || start > stop
        let part = isOutside ? Text([UInt8]()) : text.slice(indices.first..<indices.first + indices.count)
        if method == .startswith || method == .endswith {
            return .bool(try hasAffix(method, part, arguments.value(0)) && !isOutside)
        }
        let wanted = try arguments.text(0)
        try work(bytes: text.bytes.count + wanted.bytes.count)
        if method == .count { return .int(isOutside ? 0 : part.occurrences(of: wanted)) }
        let isBackwards = method == .rfind || method == .rindex
        let range =
            isOutside ? nil : isBackwards ? part.bytes.lastRange(of: wanted.bytes) : part.range(of: wanted)
        guard let range else {
            if method == .index || method == .rindex { throw TemplateError(.value, "substring not found") }
            return .int(-1)
        }
        return .int(indices.first + Text.count(part.bytes[..<range.lowerBound]))
    }

    private func hasAffix(_ method: StringMethod, _ text: Text, _ affix: Value) throws -> Bool {
        switch affix {
        case .string(let affix):
            try work(bytes: affix.bytes.count)
            return method == .startswith ? text.hasPrefix(affix) : text.hasSuffix(affix)
        case .tuple(let items):
            return try items.values.contains { value in
                try step()
                guard case .string = value else {
                    throw TemplateError(
                        .type,
                        "tuple for \(method.rawValue) must only contain str, not \(value.typeName)"
                    )
                }
                return try hasAffix(method, text, value)
            }
        default:
            throw TemplateError(
                .type,
                "\(method.rawValue) first arg must be str or a tuple of str, not \(affix.typeName)"
            )
        }
    }

    /// The methods that take a text apart or put one together.
    func pieces(_ method: StringMethod, _ text: Text, _ arguments: Bound) throws -> Value {
        switch method {
        case .splitlines: return try list(text.lines(keepingEnds: try arguments.flag(0)))
        case .partition, .rpartition: return try partition(method, text, try separator(arguments, 0))
        case .join: return .string(try join(arguments.value(0), separator: text))
        default: break
        }
        let limit = try arguments.integer(1, default: -1)
        guard let value = arguments[0], !value.isNone else {
            let words =
                method == .split || limit < 0
                ? text.splitAtSpace(limit: limit < 0 ? nil : limit) : splitBackwardsAtSpace(text, limit)
            return try list(words)
        }
        let separator = try separator(arguments, 0)
        return try list(
            method == .split || limit < 0
                ? text.split(at: separator, limit: limit < 0 ? nil : limit)
                : text.splitBackwards(at: separator, limit: limit)
        )
    }

    private func list(_ texts: [Text]) throws -> Value { try list(texts.map { .string($0) }) }

    private func separator(_ arguments: Bound, _ position: Int) throws -> Text {
        let separator = try arguments.text(position)
        guard !separator.isEmpty else { throw TemplateError(.value, "empty separator") }
        return separator
    }

    private func splitBackwardsAtSpace(_ text: Text, _ limit: Int) -> [Text] {
        let reversed = Text(scalars: Array(text.scalars).reversed())
        return reversed.splitAtSpace(limit: limit).reversed()
            .map { Text(scalars: Array($0.scalars).reversed(), isMarkup: text.isMarkup) }
    }

    private func partition(_ method: StringMethod, _ text: Text, _ separator: Text) throws -> Value {
        let isBackwards = method == .rpartition
        let range = isBackwards ? text.bytes.lastRange(of: separator.bytes) : text.range(of: separator)
        let empty = Value.string(Text([UInt8](), isMarkup: text.isMarkup))
        guard let range else {
            return try tuple(isBackwards ? [empty, empty, .string(text)] : [.string(text), empty, empty])
        }
        return try tuple(
            [text.bytes[..<range.lowerBound], text.bytes[range], text.bytes[range.upperBound...]]
                .map { .string(Text($0, isMarkup: text.isMarkup)) }
        )
    }

    /// Python's `separator.join(values)`.
    func join(_ values: Value, separator: Text) throws -> Text {
        var bytes: [UInt8] = []
        for (position, value) in try array(values).enumerated() {
            try step()
            var piece: Text
            if separator.isMarkup {
                piece = try escaped(value)
            } else {
                guard case .string(let text) = value else {
                    if case .undefined = value {
                        throw TemplateError(.type, "sequence item \(position): expected str instance, Undefined found")
                    }
                    throw TemplateError(
                        .type,
                        "sequence item \(position): expected str instance, \(value.typeName) found"
                    )
                }
                piece = text
            }
            if position > 0 { piece.bytes = separator.bytes + piece.bytes }
            guard bytes.count + piece.bytes.count <= limits.valueBytes else { throw tooLong }
            bytes += piece.bytes
        }
        try charge(bytes: bytes.count)
        return Text(bytes, isMarkup: separator.isMarkup)
    }

    /// The error for a text beyond the limit.
    var tooLong: TemplateError { TemplateError(.limit, "a text of more than \(limits.valueBytes) bytes") }
}
