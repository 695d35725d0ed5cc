/// A filter, which makes a value of another: `value|name(arguments)`.
struct Filter: Sendable {
    typealias Body = @Sendable (Value, Arguments, Interpreter) throws -> Value

    let name: String
    let apply: Body

    private init(_ name: String, _ apply: @escaping Body) {
        self.name = name
        self.apply = apply
    }

    /// A filter whose parameters, the value among them, have names.
    init(
        _ name: String,
        _ parameters: [Text] = [],
        required: Int = 0,
        _ body: @escaping @Sendable (Value, Bound, Interpreter) throws -> Value
    ) {
        let signature = Signature(name, parameters, required: required)
        self.init(name) { value, arguments, interpreter in
            try body(value, try arguments.bound(to: signature), interpreter)
        }
    }

    /// A filter that takes its arguments as they come.
    init(variadic name: String, _ body: @escaping Body) { self.init(name, body) }

    private static let all: [String: Filter] = {
        let groups = [
            textFilters, markupFilters, layoutFilters, numberFilters, listFilters, selectionFilters, orderFilters,
            mappingFilters,
        ]
        return Swift.Dictionary((groups.joined()).map { ($0.name, $0) }) { first, _ in first }
    }()

    private static let aliases = ["d": "default", "e": "escape", "count": "length"]

    /// The filter with this name; nil where there is none.
    static func named(_ name: String) -> Filter? { all[aliases[name] ?? name] }
}

extension Interpreter {
    /// Applies a filter that is named by a value, for `map`.
    func filter(named name: Value) throws -> Filter {
        guard let text = name.text, let filter = Filter.named(text.string) else {
            throw TemplateError(.type, "No filter named \(try representation(name).string).")
        }
        return filter
    }

    func test(named name: Value) throws -> Test {
        guard let text = name.text, let test = Test.named(text.string) else {
            throw TemplateError(.type, "No test named \(try representation(name).string).")
        }
        return test
    }
}
