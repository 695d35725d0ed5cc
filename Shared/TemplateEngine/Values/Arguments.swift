/// The arguments of a call, with `*` and `**` spread.
struct Arguments {
    var positional: [Value] = []
    var keywords: [(name: Text, value: Value)] = []

    var isEmpty: Bool { positional.isEmpty && keywords.isEmpty }

    /// The value of a keyword, which is taken out.
    mutating func take(_ name: Text) -> Value? {
        guard let position = keywords.firstIndex(where: { $0.name == name }) else { return nil }
        return keywords.remove(at: position).value
    }

    /// The value of each parameter, nil where it is left out.
    func bound(to signature: Signature) throws -> Bound {
        guard positional.count <= signature.parameters.count else {
            let most = signature.parameters.count
            let allowed = most == 0 ? "no arguments" : "at most \(most) argument\(most == 1 ? "" : "s")"
            throw TemplateError(.type, "\(signature.name)() takes \(allowed) (\(positional.count) given)")
        }
        var values = positional.map(Optional.some)
        values += [Value?](repeating: nil, count: signature.parameters.count - positional.count)
        for (name, value) in keywords {
            guard let position = signature.parameters.firstIndex(of: name) else {
                throw TemplateError(
                    .type,
                    "\(signature.name)() got an unexpected keyword argument \(name.quoted.string)"
                )
            }
            guard values[position] == nil else {
                throw TemplateError(
                    .type,
                    "\(signature.name)() got multiple values for argument \(name.quoted.string)"
                )
            }
            values[position] = value
        }
        if let missing = (0..<signature.required).first(where: { values[$0] == nil }) {
            let name = signature.parameters[missing].quoted.string
            throw TemplateError(.type, "\(signature.name)() is missing its argument \(name)")
        }
        return Bound(signature: signature, values: values)
    }
}

/// The name and parameters of a function, filter, test or method of the engine.
struct Signature: Sendable {
    let name: String
    let parameters: [Text]
    /// How many parameters, from the first, have no default.
    let required: Int

    init(_ name: String, _ parameters: [Text] = [], required: Int? = nil) {
        self.name = name
        self.parameters = parameters
        self.required = required ?? parameters.count
    }
}

/// Arguments by the position of their parameter.
struct Bound {
    let signature: Signature
    let values: [Value?]

    subscript(position: Int) -> Value? { values[position] }

    /// A required argument, which ``Arguments/bound(to:)`` has made sure of.
    func value(_ position: Int) -> Value { values[position] ?? .none }

    func isTrue(_ position: Int, default standard: Bool = false) -> Bool { values[position]?.isTrue ?? standard }

    /// A flag that Python wants to be an integer or boolean.
    func flag(_ position: Int) throws -> Bool {
        guard let value = values[position] else { return false }
        guard let index = value.index else { throw mismatch(position, "a boolean") }
        return index != 0
    }

    private func mismatch(_ position: Int, _ wanted: String) -> TemplateError {
        let name = signature.parameters[position].string
        let type = values[position]?.typeName ?? "nothing"
        return TemplateError(.type, "\(signature.name)(): '\(name)' must be \(wanted), not \(type)")
    }

    /// An integer argument, or the default when left out.
    func integer(_ position: Int, default standard: Int? = nil) throws -> Int {
        guard let value = values[position] else {
            if let standard { return standard }
            throw mismatch(position, "an integer")
        }
        if case .undefined(let undefined) = value { throw undefined.error }
        guard let index = value.index else { throw mismatch(position, "an integer") }
        return index
    }

    /// An integer argument; nil when left out or none.
    func optionalInteger(_ position: Int) throws -> Int? {
        guard let value = values[position], !value.isNone else { return nil }
        return try integer(position)
    }

    /// A text argument.
    func text(_ position: Int, default standard: Text? = nil) throws -> Text {
        guard let value = values[position] else {
            if let standard { return standard }
            throw mismatch(position, "a string")
        }
        guard case .string(let text) = value else { throw mismatch(position, "a string") }
        return text
    }

    /// A text argument; nil when left out or none.
    func optionalText(_ position: Int) throws -> Text? {
        guard let value = values[position], !value.isNone else { return nil }
        return try text(position)
    }
}
