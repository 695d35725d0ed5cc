/// The names that every template knows.
enum Globals {
    /// The global with this name; nil where there is none.
    static func value(named name: Text) -> Value? {
        switch name.string {
        case "range": function("range") { arguments, _ in .object(try RangeObject.make(arguments)) }
        case "dict": .object(DictFactory())
        case "namespace": function("namespace") { .object(try Namespace.make($0, $1)) }
        case "cycler": function("cycler") { .object(try Cycler.make($0, $1)) }
        case "joiner": function("joiner") { .object(try Joiner.make($0, $1)) }
        case "raise_exception":
            function("raise_exception") { arguments, interpreter in
                let message = try arguments.bound(to: Signature("raise_exception", ["message"])).value(0)
                throw TemplateError(.raised, try interpreter.string(message).string)
            }
        case "strftime_now":
            function("strftime_now") { arguments, interpreter in
                let format = try arguments.bound(to: Signature("strftime_now", ["format"])).text(0)
                let text = try DateFormat(interpreter.moment).text(format)
                try interpreter.charge(bytes: text.bytes.count)
                return .string(text)
            }
        case "lipsum":
            function("lipsum") { _, _ in
                throw TemplateError(.unsupported, "lipsum makes random text: a prompt may not depend on chance")
            }
        default: nil
        }
    }

    private static func function(
        _ name: String,
        _ body: @escaping (Arguments, Interpreter) throws -> Value
    ) -> Value {
        .object(Function(name, body))
    }

    /// Python's `dict(…)`.
    static func dict(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Members {
        guard arguments.positional.count <= 1 else {
            throw TemplateError(.type, "dict expected at most 1 argument, got \(arguments.positional.count)")
        }
        var members = Members()
        switch arguments.positional.first {
        case nil: break
        case .dict(let dictionary): members = dictionary.members
        case .some(let pairs):
            for pair in try interpreter.array(pairs) {
                try interpreter.step()
                let values = try interpreter.array(pair)
                guard values.count == 2 else {
                    throw TemplateError(
                        .value,
                        "dictionary update sequence element has length \(values.count); 2 is required"
                    )
                }
                try interpreter.work(key: values[0])
                try members.set(values[1], for: values[0])
            }
        }
        for (name, value) in arguments.keywords { try members.set(value, for: name) }
        return members
    }

    /// Python's `dict.fromkeys(…)`.
    static func dictFromKeys(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        let bound = try arguments.bound(to: Signature("fromkeys", ["iterable", "value"], required: 1))
        var members = Members()
        for key in try interpreter.array(bound.value(0)) {
            try interpreter.step()
            try interpreter.work(key: key)
            try members.set(bound[1] ?? .none, for: key)
        }
        return try interpreter.dict(members)
    }
}

/// The global `dict`.
private final class DictFactory: Object {
    override var typeName: String { "TemplateDict" }

    override var isCallable: Bool { true }

    override func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        try interpreter.dict(Globals.dict(arguments, interpreter))
    }

    override func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? {
        name == "fromkeys" ? .object(Function("fromkeys", Globals.dictFromKeys)) : nil
    }
}
