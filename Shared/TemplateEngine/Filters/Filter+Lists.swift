extension Filter {
    /// Filters that walk through values, take some of them out or share them out.
    static let listFilters: [Filter] = [
        Filter("list") { value, _, interpreter in try interpreter.list(interpreter.array(value)) },
        Filter("length") { value, _, interpreter in .int(try interpreter.length(value)) },
        Filter("first") { value, _, interpreter in
            try interpreter.iterate(value).next(interpreter)
                ?? .undefined(Undefined(.hint("No first item, sequence was empty.")))
        },
        Filter("last") { value, _, interpreter in
            try interpreter.reversed(value).first
                ?? .undefined(Undefined(.hint("No last item, sequence was empty.")))
        },
        Filter("reverse") { value, _, interpreter in try interpreter.reverse(value) },
        Filter("join", ["d", "attribute"]) { value, arguments, interpreter in
            try interpreter.join(value, arguments)
        },
        Filter("batch", ["linecount", "fill_with"], required: 1) { value, arguments, interpreter in
            try interpreter.batch(value, arguments)
        },
        Filter("slice", ["slices", "fill_with"], required: 1) { value, arguments, interpreter in
            try interpreter.slices(value, arguments)
        },
        Filter("sum", ["attribute", "start"]) { value, arguments, interpreter in
            let path = try AttributePath(arguments[0] ?? .none)
            var sum = arguments[1] ?? .int(0)
            if case .string = sum {
                throw TemplateError(.type, "sum() can't sum strings [use ''.join(seq) instead]")
            }
            let iterator = try interpreter.iterate(value)
            while let next = try iterator.next(interpreter) {
                sum = try interpreter.calculate(sum, .add, try path.value(in: next, interpreter))
            }
            return sum
        },
    ]
}

extension Interpreter {
    /// Python's `reversed(value)`, as an array.
    fileprivate func reversed(_ value: Value) throws -> [Value] {
        switch value {
        case .list, .tuple, .dict, .string, .undefined: return try array(value).reversed()
        case .object(let object) where object is RangeObject || object is DictView:
            return try array(value).reversed()
        default: throw TemplateError(.type, "'\(value.typeName)' object is not reversible")
        }
    }

    fileprivate func reverse(_ value: Value) throws -> Value {
        if case .string(let text) = value {
            try charge(bytes: 4 * text.bytes.count)
            return .string(Text(scalars: Array(text.scalars).reversed(), isMarkup: text.isMarkup))
        }
        if case .object(let object) = value, !(object is RangeObject || object is DictView) {
            return try list(array(value).reversed())
        }
        let values = try reversed(value)
        var position = 0
        return try generator("reversed", over: value.depth) { _ in
            guard position < values.count else { return nil }
            position += 1
            return values[position - 1]
        }
    }

    fileprivate func join(_ value: Value, _ arguments: Bound) throws -> Value {
        let path = try AttributePath(arguments[1] ?? .none)
        var values = try array(value)
        if let attribute = arguments[1], !attribute.isNone { values = try values.map { try path.value(in: $0, self) } }
        let separator = try softString(arguments[0] ?? .string(""))
        // With automatic escaping, markup among the pieces makes the whole markup.
        let isMarkup = autoescape && (separator.isMarkup || values.contains { $0.text?.isMarkup == true })
        let pieces = try values.map { value in
            try step()
            return try isMarkup ? escaped(value).bytes : string(value).bytes
        }
        let between = isMarkup ? try escaped(separator).bytes : separator.bytes
        try charge(bytes: between.count, times: max(0, pieces.count - 1))
        try charge(bytes: pieces.reduce(between.count * max(0, pieces.count - 1)) { $0 + $1.count })
        return .string(Text(Array(pieces.joined(separator: between)), isMarkup: isMarkup))
    }

    fileprivate func batch(_ value: Value, _ arguments: Bound) throws -> Value {
        let fill = arguments[1] ?? .none
        return try generator(over: max(value.depth, fill.depth)) { interpreter in
            (values: try interpreter.iterate(value), waiting: Value?.none)
        } next: { state, interpreter in
            var row: [Value] = state.waiting.map { [$0] } ?? []
            state.waiting = nil
            while let value = try state.values.next(interpreter) {
                if try interpreter.areEqual(.int(row.count), arguments.value(0)) {
                    state.waiting = value
                    return try interpreter.list(row)
                }
                row.append(value)
                if row.count > interpreter.limits.items { try interpreter.checkItems(row.count) }
            }
            if row.isEmpty { return nil }
            if !fill.isNone, try interpreter.compare(.int(row.count), .less, arguments.value(0)) {
                let size = try arguments.integer(0)
                try interpreter.checkItems(size)
                row += repeatElement(fill, count: size - row.count)
            }
            return try interpreter.list(row)
        }
    }

    fileprivate func slices(_ value: Value, _ arguments: Bound) throws -> Value {
        let fill = arguments[1] ?? .none
        return try generator(over: max(value.depth, fill.depth)) { interpreter in
            (values: try interpreter.array(value), number: 0, offset: 0)
        } next: { state, interpreter in
            let count = try arguments.integer(0)
            guard count != 0 else { throw TemplateError(.value, "integer division or modulo by zero") }
            guard state.number < count else { return nil }
            let size = state.values.count / count
            let larger = state.values.count % count
            let start = state.offset + state.number * size
            if state.number < larger { state.offset += 1 }
            var row = Array(state.values[start..<(state.offset + (state.number + 1) * size)])
            if !fill.isNone, state.number >= larger { row.append(fill) }
            state.number += 1
            return try interpreter.list(row)
        }
    }
}
