extension Filter {
    /// Filters about dictionaries, attributes and values that may be absent.
    static let mappingFilters: [Filter] = [
        Filter("default", ["default_value", "boolean"]) { value, arguments, _ in
            let isAbsent = value.isUndefined || arguments.isTrue(1) && !value.isTrue
            return isAbsent ? arguments[0] ?? .string("") : value
        },
        Filter("attr", ["name"], required: 1) { value, arguments, interpreter in
            let name = try arguments.text(0)
            return try interpreter.plainAttribute(value, AttributeName(name))
                ?? .undefined(Undefined(.attribute(name, of: value.objectDescription)))
        },
        Filter("items") { value, _, interpreter in
            try interpreter.generator(over: value.depth) { interpreter in
                if value.isUndefined { return try interpreter.iterate(value) }
                guard case .dict(let dictionary) = value else {
                    throw TemplateError(.type, "Can only get item pairs from a mapping.")
                }
                return try interpreter.iterate(.object(DictView(.items, of: dictionary)))
            } next: { pairs, interpreter in
                try pairs.next(interpreter)
            }
        },
        Filter("dictsort", ["case_sensitive", "by", "reverse"]) { value, arguments, interpreter in
            try interpreter.sortedPairs(value, arguments)
        },
    ]
}

extension Interpreter {
    fileprivate func sortedPairs(_ value: Value, _ arguments: Bound) throws -> Value {
        let by = try arguments.text(1, default: "key")
        guard by == "key" || by == "value" else {
            throw TemplateError(.type, "You can only sort by either \"key\" or \"value\"")
        }
        if case .undefined(let undefined) = value { throw undefined.error }
        guard case .dict(let dictionary) = value else {
            throw TemplateError(.type, "'\(value.typeName)' object has no attribute 'items'")
        }
        let pairs = try array(.object(DictView(.items, of: dictionary)))
        let isCaseSensitive = arguments.isTrue(0)
        let sorted = try sorted(pairs, reverse: try arguments.flag(2)) { pair in
            guard case .tuple(let items) = pair else { return pair }
            return try comparable(items.values[by == "key" ? 0 : 1], isCaseSensitive: isCaseSensitive)
        }
        return try list(sorted)
    }
}
