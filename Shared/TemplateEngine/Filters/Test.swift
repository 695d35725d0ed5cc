/// A test, which says whether something holds of a value: `value is name(arguments)`.
struct Test: Sendable {
    typealias Body = @Sendable (Value, Arguments, Interpreter) throws -> Bool

    let name: String
    let holds: Body

    private init(
        _ name: String,
        _ parameters: [Text] = [],
        _ body: @escaping @Sendable (Value, Bound, Interpreter) throws -> Bool
    ) {
        let signature = Signature(name, parameters)
        self.name = name
        holds = { value, arguments, interpreter in
            try body(value, try arguments.bound(to: signature), interpreter)
        }
    }

    private static func order(_ name: String, _ comparison: OrderOperator) -> Test {
        Test(name, ["b"]) { try $2.compare($0, comparison, $1.value(0)) }
    }

    private static let all: [String: Test] = {
        let tests = typeTests + valueTests
        return Swift.Dictionary(tests.map { ($0.name, $0) }) { first, _ in first }
    }()

    private static let aliases = [
        "==": "eq", "equalto": "eq", "!=": "ne", ">": "gt", "greaterthan": "gt", ">=": "ge", "<": "lt",
        "lessthan": "lt", "<=": "le",
    ]

    /// The test with this name; nil where there is none.
    static func named(_ name: String) -> Test? { all[aliases[name] ?? name] }

    /// Tests of what kind of value it is.
    private static let typeTests: [Test] = [
        Test("defined") { value, _, _ in !value.isUndefined },
        Test("undefined") { value, _, _ in value.isUndefined },
        Test("none") { value, _, _ in value.isNone },
        Test("boolean") { value, _, _ in
            if case .bool = value { return true }
            return false
        },
        Test("true") { value, _, _ in
            if case .bool(true) = value { return true }
            return false
        },
        Test("false") { value, _, _ in
            if case .bool(false) = value { return true }
            return false
        },
        Test("integer") { value, _, _ in
            if case .int = value { return true }
            return value.isWide
        },
        Test("float") { value, _, _ in
            if case .float = value { return true }
            return false
        },
        Test("number") { value, _, _ in Number(value) != nil || value.isWide },
        Test("string") { value, _, _ in value.text != nil },
        Test("mapping") { value, _, _ in
            if case .dict = value { return true }
            return false
        },
        Test("sequence") { value, _, _ in
            switch value {
            case .string, .list, .tuple, .dict, .undefined: true
            case .object(let object): object.isSequence
            default: false
            }
        },
        Test("iterable") { value, _, _ in
            switch value {
            case .string, .list, .tuple, .dict, .undefined: true
            case .object(let object): object.isIterable
            default: false
            }
        },
        Test("callable") { value, _, _ in
            switch value {
            case .undefined: true
            case .object(let object): object.isCallable
            default: false
            }
        },
        Test("escaped") { value, _, _ in value.text?.isMarkup ?? false },
    ]

    /// Tests of what the value is or how it stands to another.
    private static let valueTests: [Test] = [
        Test("odd") { value, _, interpreter in
            try interpreter.areEqual(try interpreter.calculate(value, .modulo, .int(2)), .int(1))
        },
        Test("even") { value, _, interpreter in
            try interpreter.areEqual(try interpreter.calculate(value, .modulo, .int(2)), .int(0))
        },
        Test("divisibleby", ["num"]) { value, arguments, interpreter in
            try interpreter.areEqual(try interpreter.calculate(value, .modulo, arguments.value(0)), .int(0))
        },
        Test("lower") { value, _, interpreter in try interpreter.plain(value).hasCase(lower: true) },
        Test("upper") { value, _, interpreter in try interpreter.plain(value).hasCase(lower: false) },
        Test("in", ["seq"]) { value, arguments, interpreter in try interpreter.contains(arguments.value(0), value) },
        Test("sameas", ["other"]) { value, arguments, _ in value.isSame(as: arguments.value(0)) },
        Test("filter") { value, _, interpreter in
            _ = try HashKey(value)
            return value.text.map { Filter.named($0.string) != nil } ?? false
        },
        Test("test") { value, _, interpreter in
            _ = try HashKey(value)
            return value.text.map { Test.named($0.string) != nil } ?? false
        },
        Test("eq", ["b"]) { value, arguments, interpreter in try interpreter.areEqual(value, arguments.value(0)) },
        Test("ne", ["b"]) { value, arguments, interpreter in try !interpreter.areEqual(value, arguments.value(0)) },
        order("lt", .less),
        order("le", .lessOrEqual),
        order("gt", .greater),
        order("ge", .greaterOrEqual),
    ]
}

extension Value {
    /// Python's `self is other`, where small values of one kind count as one object.
    fileprivate func isSame(as other: Value) -> Bool {
        switch (self, other) {
        case (.none, .none): true
        case (.bool(let left), .bool(let right)): left == right
        case (.int(let left), .int(let right)): left == right
        case (.float(let left), .float(let right)): left == right
        case (.string(let left), .string(let right)): left == right && left.isMarkup == right.isMarkup
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)): left === right
        case (.dict(let left), .dict(let right)): left === right
        case (.object(let left), .object(let right)): left === right
        case (.undefined(let left), .undefined(let right)): left === right
        default: false
        }
    }
}
