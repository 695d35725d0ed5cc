extension Interpreter {
    /// Jinja's `value[key]`: the item, else the attribute, else something undefined.
    func item(_ value: Value, _ key: Value) throws -> Value {
        if case .undefined(let undefined) = value { throw undefined.error }
        if let item = try plainItem(value, key) { return item }
        if case .string(let name) = key {
            if let attribute = try plainAttribute(value, AttributeName(name)) { return attribute }
            return .undefined(Undefined(.attribute(name, of: value.objectDescription)))
        }
        return .undefined(Undefined(.element(try describe(key), of: value.objectDescription)))
    }

    private func describe(_ key: Value) throws -> String {
        switch key {
        case .none, .bool, .int, .float, .undefined: try representation(key).string
        default: "<\(key.typeName)>"
        }
    }

    /// Python's `value[key]`; nil for a key that is not there or a value without items.
    private func plainItem(_ value: Value, _ key: Value) throws -> Value? {
        switch value {
        case .dict(let dictionary):
            switch key {
            case .string(let name):
                try work(bytes: name.bytes.count)
                return dictionary.members.value(for: name.bytes)
            case .list, .dict: return nil
            default:
                try work(key: key)
                return try? dictionary.members.value(for: key)
            }
        case .list(let items), .tuple(let items):
            guard let index = key.index else { return nil }
            let position = index < 0 ? index + items.values.count : index
            return items.values.indices.contains(position) ? items.values[position] : nil
        case .string(let text):
            guard let index = key.index else { return nil }
            let count = try length(value)
            let position = index < 0 ? index + count : index
            return (0..<count).contains(position) ? .string(text.slice(position..<position + 1)) : nil
        case .object(let object): return try object.item(key, self)
        default: return nil
        }
    }

    /// Python's `value[start:stop:step]`.
    func slice(_ value: Value, start: Value, stop: Value, step: Value) throws -> Value {
        if case .undefined(let undefined) = value { throw undefined.error }
        let bounds = try SliceBounds(start: start, stop: stop, step: step)
        switch value {
        case .string(let text):
            let indices = bounds.indices(try length(value))
            if bounds.step == 1 { return .string(text.slice(indices.first..<indices.first + indices.count)) }
            let scalars = Array(text.scalars)
            try charge(bytes: 4 * scalars.count)
            return .string(Text(scalars: indices.positions.map { scalars[$0] }, isMarkup: text.isMarkup))
        case .list(let items):
            return try list(bounds.indices(items.values.count).positions.map { items.values[$0] })
        case .tuple(let items):
            return try tuple(bounds.indices(items.values.count).positions.map { items.values[$0] })
        case .object(let range as RangeObject):
            let indices = bounds.indices(range.count)
            return .object(try range.slice(first: indices.first, count: indices.count, step: bounds.step))
        case .dict: throw TemplateError(.type, "unhashable type: 'slice'")
        default: throw TemplateError(.type, "'\(value.typeName)' object is not subscriptable")
        }
    }
}

/// The start, stop and step of a slice.
struct SliceBounds {
    let start: Int?
    let stop: Int?
    let step: Int

    init(start: Value, stop: Value, step: Value) throws {
        func bound(_ value: Value) throws -> Int? {
            if value.isNone { return nil }
            guard let index = value.index else {
                throw TemplateError(.type, "slice indices must be integers or None or have an __index__ method")
            }
            return index
        }
        self.start = try bound(start)
        self.stop = try bound(stop)
        self.step = try bound(step) ?? 1
        guard self.step != 0 else { throw TemplateError(.value, "slice step cannot be zero") }
    }

    /// A walk of `count` positions from `first` by `step`.
    struct Indices {
        let first: Int
        let count: Int
        let step: Int

        var positions: [Int] {
            // The step may be larger than the length, so that it is not multiplied beyond the last position.
            count == 0 ? [] : count == 1 ? [first] : (0..<count).map { first + $0 * step }
        }
    }

    /// The positions within a sequence of `length` items.
    func indices(_ length: Int) -> Indices {
        func clamped(_ bound: Int, _ lowest: Int, _ highest: Int) -> Int {
            min(max(bound < 0 ? bound + length : bound, lowest), highest)
        }
        if step > 0 {
            let first = start.map { clamped($0, 0, length) } ?? 0
            let last = stop.map { clamped($0, 0, length) } ?? length
            return Indices(first: first, count: first < last ? (last - first - 1) / step + 1 : 0, step: step)
        }
        let first = start.map { clamped($0, -1, length - 1) } ?? length - 1
        let last = stop.map { clamped($0, -1, length - 1) } ?? -1
        let distance = first - last
        guard distance > 0 else { return Indices(first: max(first, 0), count: 0, step: step) }
        return Indices(first: first, count: Int(UInt(distance - 1) / step.magnitude) + 1, step: step)
    }
}
