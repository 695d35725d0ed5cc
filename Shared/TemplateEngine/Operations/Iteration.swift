extension Interpreter {
    /// Python's `iter(value)`.
    func iterate(_ value: Value) throws -> ValueIterator {
        switch value {
        case .list(let items), .tuple(let items): return iterator(over: items.values)
        case .dict(let dictionary): return iterator(over: dictionary.members.keys)
        case .undefined: return iterator(over: [])
        case .string(let text):
            var scalars = text.scalars
            return ValueIterator(depth: 0) { _ in scalars.next().map { .string(Text(scalars: [$0])) } }
        case .object(let object): return try object.iterator(self)
        default: throw TemplateError(.type, "'\(value.typeName)' object is not iterable")
        }
    }

    private func iterator(over values: [Value]) -> ValueIterator {
        var position = 0
        return ValueIterator(depth: 0) { _ in
            guard position < values.count else { return nil }
            position += 1
            return values[position - 1]
        }
    }

    /// Python's `list(value)`, as an array.
    func array(_ value: Value) throws -> [Value] {
        switch value {
        case .list(let items), .tuple(let items): return items.values
        case .dict(let dictionary): return dictionary.members.keys
        case .undefined: return []
        default:
            let iterator = try iterate(value)
            var values: [Value] = []
            while let value = try iterator.next(self) {
                values.append(value)
                if values.count > limits.items { try checkItems(values.count) }
            }
            return values
        }
    }

    /// Python's `len(value)`.
    func length(_ value: Value) throws -> Int {
        switch value {
        case .string(let text):
            try work(bytes: text.bytes.count)
            return text.count
        case .list(let items), .tuple(let items): return items.values.count
        case .dict(let dictionary): return dictionary.members.count
        case .undefined: return 0
        case .object(let object):
            if let length = object.length { return length }
        default: break
        }
        throw TemplateError(.type, "object of type '\(value.typeName)' has no len()")
    }

    /// Python's `value in container`.
    func contains(_ container: Value, _ value: Value) throws -> Bool {
        switch container {
        case .string(let text):
            guard case .string(let part) = value else {
                throw TemplateError(.type, "'in <string>' requires string as left operand, not \(value.typeName)")
            }
            try work(bytes: text.bytes.count + part.bytes.count)
            return text.range(of: part) != nil
        case .list(let items), .tuple(let items):
            for item in items.values {
                try step()
                if try areEqual(item, value) { return true }
            }
            return false
        case .dict(let dictionary):
            try work(key: value)
            return try dictionary.members.position(of: HashKey(value)) != nil
        case .undefined: return false
        case .object(let object): return try object.contains(value, self)
        default: throw TemplateError(.type, "argument of type '\(container.typeName)' is not iterable")
        }
    }

    /// The values of an assignment to `count` targets.
    func unpack(_ value: Value, _ count: Int) throws -> [Value] {
        let iterator: ValueIterator
        do {
            iterator = try iterate(value)
        } catch let error as TemplateError where error.code == .type {
            throw TemplateError(.type, "cannot unpack non-iterable \(value.typeName) object")
        }
        var values: [Value] = []
        while values.count <= count, let next = try iterator.next(self) { values.append(next) }
        if values.count > count { throw TemplateError(.value, "too many values to unpack (expected \(count))") }
        if values.count < count {
            throw TemplateError(.value, "not enough values to unpack (expected \(count), got \(values.count))")
        }
        return values
    }
}
