extension Filter {
    /// Filters that compare values with each other.
    static let orderFilters: [Filter] = [
        Filter("sort", ["reverse", "case_sensitive", "attribute"]) { value, arguments, interpreter in
            let paths = try AttributePath.several(arguments[2] ?? .none)
            let isCaseSensitive = arguments.isTrue(1)
            let sorted = try interpreter.sorted(try interpreter.array(value), reverse: try arguments.flag(0)) { value in
                try interpreter.list(
                    try paths.map {
                        try interpreter.comparable(
                            try $0.value(in: value, interpreter),
                            isCaseSensitive: isCaseSensitive
                        )
                    }
                )
            }
            return try interpreter.list(sorted)
        },
        Filter("min", ["case_sensitive", "attribute"]) { value, arguments, interpreter in
            try interpreter.extreme(value, arguments, .less)
        },
        Filter("max", ["case_sensitive", "attribute"]) { value, arguments, interpreter in
            try interpreter.extreme(value, arguments, .greater)
        },
        Filter("unique", ["case_sensitive", "attribute"]) { value, arguments, interpreter in
            let isCaseSensitive = arguments.isTrue(0)
            let path = try AttributePath(arguments[1] ?? .none)
            return try interpreter.generator(over: value.depth) { interpreter in
                (values: try interpreter.iterate(value), seen: Set<HashKey>())
            } next: { state, interpreter in
                while let value = try state.values.next(interpreter) {
                    let key = try path.value(in: value, interpreter)
                    let comparable = try interpreter.comparable(key, isCaseSensitive: isCaseSensitive)
                    try interpreter.work(key: comparable)
                    if state.seen.insert(try HashKey(comparable)).inserted { return value }
                }
                return nil
            }
        },
        Filter("groupby", ["attribute", "default", "case_sensitive"], required: 1) { value, arguments, interpreter in
            try interpreter.grouped(value, arguments)
        },
    ]
}

extension Interpreter {
    fileprivate func extreme(_ value: Value, _ arguments: Bound, _ comparison: OrderOperator) throws -> Value {
        let isCaseSensitive = arguments.isTrue(0)
        let path = try AttributePath(arguments[1] ?? .none)
        let iterator = try iterate(value)
        var best: (value: Value, key: Value)?
        while let value = try iterator.next(self) {
            let key = try comparable(try path.value(in: value, self), isCaseSensitive: isCaseSensitive)
            if let current = best, try !compare(key, comparison, current.key) { continue }
            best = (value, key)
        }
        return best?.value ?? .undefined(Undefined(.hint("No aggregated item, sequence was empty.")))
    }

    fileprivate func grouped(_ value: Value, _ arguments: Bound) throws -> Value {
        let path = try AttributePath(arguments.value(0), default: arguments[1])
        let isCaseSensitive = arguments.isTrue(2)
        func key(_ value: Value) throws -> Value {
            try comparable(try path.value(in: value, self), isCaseSensitive: isCaseSensitive)
        }
        var groups: [(key: Value, values: [Value])] = []
        for value in try sorted(try array(value), reverse: false, by: key) {
            let key = try key(value)
            if let last = groups.last, try areEqual(last.key, key) {
                groups[groups.count - 1].values.append(value)
            } else {
                groups.append((key, [value]))
            }
        }
        return try list(
            groups.map { group in
                // The name as it stands in the first value, whatever its case.
                try self.group(isCaseSensitive ? group.key : try path.value(in: group.values[0], self), group.values)
            }
        )
    }
}
