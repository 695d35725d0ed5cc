/// A comparison that needs an order.
enum OrderOperator: String, Sendable {
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="

    func holds(_ order: Order) -> Bool {
        switch self {
        case .less: order == .ascending
        case .lessOrEqual: order != .descending
        case .greater: order == .descending
        case .greaterOrEqual: order != .ascending
        }
    }
}

extension Interpreter {
    /// Python's `left < right` and its like.
    func compare(_ left: Value, _ comparison: OrderOperator, _ right: Value) throws -> Bool {
        switch (left, right) {
        case (.string(let left), .string(let right)):
            try work(bytes: min(left.bytes.count, right.bytes.count))
            // The order of UTF-8 is that of the scalars.
            return comparison.holds(order(left.bytes, right.bytes))
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            return try nested { try compare(left.values, comparison, right.values) }
        default:
            if let left = Number(left), let right = Number(right) {
                return Number.order(left, right).map(comparison.holds) ?? false
            }
            if case .undefined(let undefined) = left { throw undefined.error }
            if case .undefined(let undefined) = right { throw undefined.error }
            throw TemplateError(
                .type,
                "'\(comparison.rawValue)' not supported between instances of '\(left.typeName)' and '\(right.typeName)'"
            )
        }
    }

    private func compare(_ left: [Value], _ comparison: OrderOperator, _ right: [Value]) throws -> Bool {
        for (left, right) in zip(left, right) {
            try step()
            if try !areEqual(left, right) { return try compare(left, comparison, right) }
        }
        return comparison.holds(Order(left.count, right.count))
    }

    private func order(_ left: [UInt8], _ right: [UInt8]) -> Order {
        for (left, right) in zip(left, right) where left != right { return Order(left, right) }
        return Order(left.count, right.count)
    }

    /// Python's `sorted`: stable, by `key`, with `<` alone.
    func sorted(_ values: [Value], reverse: Bool, by key: (Value) throws -> Value) throws -> [Value] {
        var keyed = try values.map { (key: try key($0), value: $0) }
        // As Python does it: what compares equal keeps its order in either direction.
        if reverse { keyed.reverse() }
        var buffer = keyed
        var width = 1
        while width < keyed.count {
            for start in stride(from: 0, to: keyed.count, by: 2 * width) {
                var left = start
                var right = min(start + width, keyed.count)
                let middle = right
                let end = min(start + 2 * width, keyed.count)
                for position in start..<end {
                    try step()
                    let takesRight =
                        try right < end && (left == middle || compare(keyed[right].key, .less, keyed[left].key))
                    buffer[position] = keyed[takesRight ? right : left]
                    if takesRight { right += 1 } else { left += 1 }
                }
            }
            swap(&keyed, &buffer)
            width *= 2
        }
        if reverse { keyed.reverse() }
        return keyed.map(\.value)
    }
}
