/// A macro as it is written, or the body of a call block.
final class MacroDefinition: Sendable {
    struct Parameter: Sendable {
        let name: Text
        let slot: Int
        let standard: (any Expression)?
    }

    /// Nil for the body of a call block.
    let name: Text?
    let parameters: [Parameter]
    /// Where the body reads `caller`, `kwargs` and `varargs`; nil where it does not.
    let callerSlot: Int?
    let keywordsSlot: Int?
    let positionalSlot: Int?
    let entry: FrameEntry
    let body: [any Statement]
    let slotCount: Int

    init(
        name: Text?,
        parameters: [Parameter],
        callerSlot: Int?,
        keywordsSlot: Int?,
        positionalSlot: Int?,
        entry: FrameEntry,
        body: [any Statement],
        slotCount: Int
    ) {
        self.name = name
        self.parameters = parameters
        self.callerSlot = callerSlot
        self.keywordsSlot = keywordsSlot
        self.positionalSlot = positionalSlot
        self.entry = entry
        self.body = body
        self.slotCount = slotCount
    }
}

/// A macro with the variables around it.
final class Macro: Object {
    private let definition: MacroDefinition
    private let surroundings: Activation

    init(_ definition: MacroDefinition, in surroundings: Activation) {
        self.definition = definition
        self.surroundings = surroundings
    }

    override var typeName: String { "Macro" }

    override var isCallable: Bool { true }

    private var description: String { definition.name.map { $0.quoted.string } ?? "None" }

    override func representation(_ interpreter: Interpreter) throws -> Text {
        Text("<Macro \(definition.name == nil ? "anonymous" : description)>")
    }

    override func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? {
        switch name.string {
        case "name": definition.name.map { .string($0) } ?? Value.none
        case "arguments": try interpreter.tuple(definition.parameters.map { .string($0.name) })
        case "catch_kwargs": .bool(definition.keywordsSlot != nil)
        case "catch_varargs": .bool(definition.positionalSlot != nil)
        case "caller": .bool(definition.callerSlot != nil)
        default: nil
        }
    }

    override func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        try interpreter.work(bytes: 16 * definition.slotCount)
        let frame = Activation(
            slotCount: definition.slotCount,
            parent: surroundings,
            context: surroundings.context
        )
        try bind(arguments, to: frame, interpreter)
        interpreter.beginCapture()
        try interpreter.enter(definition.entry, frame)
        for parameter in definition.parameters where frame[parameter.slot] == nil {
            frame[parameter.slot] =
                try parameter.standard.map { try interpreter.evaluate($0, frame) }
                ?? .undefined(Undefined(.hint("parameter \(parameter.name.quoted.string) was not provided")))
        }
        _ = try interpreter.execute(definition.body, frame)
        return .string(Text(try interpreter.endCapture(), isMarkup: interpreter.autoescape))
    }

    /// Puts the arguments where the body reads them, as Jinja shares them out.
    private func bind(_ arguments: Arguments, to frame: Activation, _ interpreter: Interpreter) throws {
        var arguments = arguments
        let parameters = definition.parameters
        try interpreter.work(bytes: 8 * parameters.count * arguments.keywords.count)
        for (parameter, value) in zip(parameters, arguments.positional) { frame[parameter.slot] = value }
        var foundCaller =
            arguments.positional.count >= parameters.count && parameters.contains { $0.name == "caller" }
        for parameter in parameters.dropFirst(arguments.positional.count) {
            frame[parameter.slot] = arguments.take(parameter.name)
            foundCaller = foundCaller || parameter.name == "caller"
        }
        if let slot = definition.callerSlot, !foundCaller {
            let caller = arguments.take("caller") ?? .none
            frame[slot] = caller.isNone ? .undefined(Undefined(.hint("No caller defined"))) : caller
        }
        if let slot = definition.keywordsSlot {
            var members = Members()
            for (name, value) in arguments.keywords { try members.set(value, for: name) }
            frame[slot] = try interpreter.dict(members)
        } else if let surplus = arguments.keywords.first {
            throw TemplateError(
                .type,
                surplus.name == "caller"
                    ? "macro \(description) was invoked with two values for the special caller argument. "
                        + "This is most likely a bug."
                    : "macro \(description) takes no keyword argument \(surplus.name.quoted.string)"
            )
        }
        if let slot = definition.positionalSlot {
            frame[slot] = try interpreter.tuple(Array(arguments.positional.dropFirst(parameters.count)))
        } else if arguments.positional.count > parameters.count {
            throw TemplateError(
                .type,
                "macro \(description) takes not more than \(parameters.count) argument(s)"
            )
        }
    }
}
