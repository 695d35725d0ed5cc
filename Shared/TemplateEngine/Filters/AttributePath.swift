/// An attribute as filters take it: names and indices with points between them.
struct AttributePath {
    private let parts: [Value]
    private let standard: Value?

    /// A path with what stands for a part that is undefined.
    init(_ attribute: Value, default standard: Value? = nil) throws {
        self.standard = standard.flatMap { $0.isNone ? nil : $0 }
        switch attribute {
        case .none: parts = []
        case .string(let text):
            parts = try text.split(at: ".", limit: nil).map { part in
                guard !part.isEmpty, part.scalars.allSatisfy(\.isPythonDigit) else { return .string(part) }
                guard let index = Int(part.string) else { throw ArithmeticOperator.tooWide }
                return .int(index)
            }
        default: parts = [attribute]
        }
    }

    func value(in value: Value, _ interpreter: Interpreter) throws -> Value {
        var value = value
        for part in parts {
            value = try interpreter.item(value, part)
            if value.isUndefined, let standard { value = standard }
        }
        return value
    }

    /// The paths that a text with commas names, for `sort`.
    static func several(_ attribute: Value) throws -> [AttributePath] {
        guard case .string(let text) = attribute else { return [try AttributePath(attribute)] }
        return try text.split(at: ",", limit: nil).map { try AttributePath(.string($0)) }
    }
}

extension Interpreter {
    /// `value`, or a text in lower case: what is compared where case does not count.
    func comparable(_ value: Value, isCaseSensitive: Bool) throws -> Value {
        guard !isCaseSensitive, case .string(let text) = value else { return value }
        try charge(bytes: text.bytes.count)
        return .string(text.lowercased)
    }
}
