extension Interpreter {
    /// Python's `left == right`.
    func areEqual(_ left: Value, _ right: Value) throws -> Bool {
        switch (left, right) {
        case (.string(let left), .string(let right)):
            guard left.bytes.count == right.bytes.count else { return false }
            try work(bytes: left.bytes.count)
            return left.bytes == right.bytes
        case (.int(let left), .int(let right)): return left == right
        case (.none, .none), (.undefined, .undefined): return true
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            return try areEqual(left.values, right.values)
        case (.dict(let left), .dict(let right)):
            return try left === right || areEqual(left.members, right.members)
        case (.object(let left), .object(let right)): return try left.isEqual(to: right, self)
        default:
            guard let left = Number(left), let right = Number(right) else { return false }
            return left == right
        }
    }

    func areEqual(_ left: [Value], _ right: [Value]) throws -> Bool {
        guard left.count == right.count else { return false }
        return try nested {
            for (left, right) in zip(left, right) {
                try step()
                guard try areEqual(left, right) else { return false }
            }
            return true
        }
    }

    private func areEqual(_ left: Members, _ right: Members) throws -> Bool {
        guard left.count == right.count else { return false }
        return try nested {
            for (key, value) in zip(left.keys, left.values) {
                try step()
                try work(key: key)
                guard let other = try right.value(for: key), try areEqual(value, other) else { return false }
            }
            return true
        }
    }
}

/// An integer, boolean or float, as arithmetic and comparisons see it.
enum Number {
    case int(Int)
    case float(Double)

    init?(_ value: Value) {
        switch value {
        case .int(let value): self = .int(value)
        case .bool(let value): self = .int(value ? 1 : 0)
        case .float(let value): self = .float(value)
        default: return nil
        }
    }

    var double: Double {
        switch self {
        case .int(let value): Double(value)
        case .float(let value): value
        }
    }

    /// How `left` stands to `right`, compared exactly; nil where one is no number.
    static func order(_ left: Number, _ right: Number) -> Order? {
        switch (left, right) {
        case (.int(let left), .int(let right)): Order(left, right)
        case (.float(let left), .float(let right)): left.isNaN || right.isNaN ? nil : Order(left, right)
        case (.int(let left), .float(let right)): order(left, right)
        case (.float(let left), .int(let right)): order(right, left)?.reversed
        }
    }

    private static func order(_ left: Int, _ right: Double) -> Order? {
        if right.isNaN { return nil }
        // An integer of more than 53 bits may differ from the float that is nearest to it.
        if right >= 0x1p63 { return .ascending }
        if right < -0x1p63 { return .descending }
        let whole = right.rounded(.down)
        let order = Order(left, Int(whole))
        return order == .same && right > whole ? .ascending : order
    }

    static func == (left: Number, right: Number) -> Bool { order(left, right) == .same }
}

/// How one value stands to another.
enum Order {
    case ascending
    case same
    case descending

    init<Element: Comparable>(_ left: Element, _ right: Element) {
        self = left < right ? .ascending : left == right ? .same : .descending
    }

    var reversed: Order {
        switch self {
        case .ascending: .descending
        case .same: .same
        case .descending: .ascending
        }
    }
}
