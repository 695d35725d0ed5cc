package import ModelFiles

/// The variables that a template is rendered with: JSON values by name, in order.
package struct TemplateVariables: Sendable, ExpressibleByDictionaryLiteral {
    private(set) var members: [(name: [UInt8], value: JSONNode)] = []

    /// No variables.
    package init() {}

    /// The members of a JSON object; of a name that is repeated the last one counts.
    package init(_ members: [(key: [UInt8], value: JSONNode)]) {
        for (name, value) in members { set(value, for: name) }
    }

    /// Variables by name.
    package init(dictionaryLiteral elements: (String, JSONNode)...) {
        for (name, value) in elements { set(value, for: Array(name.utf8)) }
    }

    /// The value of a variable; nil for none.
    package subscript(name: String) -> JSONNode? {
        get {
            let bytes = Array(name.utf8)
            return members.first { $0.name == bytes }?.value
        }
        set {
            let bytes = Array(name.utf8)
            if let newValue {
                set(newValue, for: bytes)
            } else {
                members.removeAll { $0.name == bytes }
            }
        }
    }

    /// Adds variables; those with a name that is taken replace what was there.
    package mutating func merge(_ other: TemplateVariables) {
        for (name, value) in other.members { set(value, for: name) }
    }

    private mutating func set(_ value: JSONNode, for name: [UInt8]) {
        if let position = members.firstIndex(where: { $0.name == name }) {
            members[position].value = value
        } else {
            members.append((name, value))
        }
    }
}

extension Interpreter {
    /// A context with the variables as values of the template.
    func context(_ variables: TemplateVariables) throws -> Context {
        var members = Members()
        for (name, value) in variables.members { try members.set(try self.value(of: value), for: Text(name)) }
        return try adopt(Context(members))
    }

    /// A JSON value as Python's `json.loads` gives it.
    private func value(of node: JSONNode) throws -> Value {
        try step()
        switch node {
        case .null: return .none
        case .bool(let value): return .bool(value)
        case .number(let digits): return number(Text(digits))
        case .string(let bytes):
            guard String(validating: bytes, as: UTF8.self) != nil else {
                throw TemplateError(.value, "a variable holds a text that is not UTF-8")
            }
            return .text(bytes)
        case .array(let nodes): return try nested { try list(nodes.map { try value(of: $0) }) }
        case .object(let nodes):
            return try nested {
                var members = Members()
                for (key, node) in nodes { try members.set(try value(of: node), for: Text(key)) }
                return try dict(members)
            }
        }
    }

    private func number(_ digits: Text) -> Value {
        if let integer = Int(digits.string) { return .int(integer) }
        let isInteger = digits.scalars.allSatisfy { $0 == "-" || ("0"..."9").contains($0) }
        return isInteger ? .object(WideInteger(digits)) : .float(Double(digits.string) ?? .nan)
    }
}
