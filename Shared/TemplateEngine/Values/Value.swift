/// A value of a running template, with Python's semantics.
///
/// Lists and dictionaries never change: the sandbox refuses every method that would. What can change is a namespace, a
/// loop and an iterator.
enum Value {
    case undefined(Undefined)
    case none
    case bool(Bool)
    /// Python's integers have no bounds; here what does not fit is an error, or a ``WideInteger`` when it came in.
    case int(Int)
    case float(Double)
    case string(Text)
    case list(Items)
    case tuple(Items)
    case dict(Entries)
    case object(Object)
}

/// The items of a list or tuple.
final class Items {
    let values: [Value]
    /// How many levels of lists, tuples and dictionaries there are, this one included.
    let depth: Int
    /// Whether the two items have the names `grouper` and `list`, as what `groupby` yields.
    let isGroup: Bool

    /// To be made by ``Interpreter/list(_:)`` and its like, which hold to the limits.
    init(_ values: [Value], depth: Int, isGroup: Bool = false) {
        self.values = values
        self.depth = depth
        self.isGroup = isGroup
    }
}

/// The members of a dictionary.
final class Entries {
    let members: Members
    let depth: Int

    /// To be made by ``Interpreter/dict(_:)``, which holds to the limits.
    init(_ members: Members, depth: Int) {
        self.members = members
        self.depth = depth
    }
}

extension Value {
    static func text(_ string: String) -> Value { .string(Text(string)) }

    static func text(_ bytes: [UInt8]) -> Value { .string(Text(bytes)) }

    /// The levels of containers that this value holds.
    var depth: Int {
        switch self {
        case .undefined, .none, .bool, .int, .float, .string: 0
        case .list(let items), .tuple(let items): items.depth
        case .dict(let dictionary): dictionary.depth
        case .object(let object): object.depth
        }
    }

    /// Python's `type(value).__name__`.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "NoneType"
        case .bool: "bool"
        case .int: "int"
        case .float: "float"
        case .string(let text): text.isMarkup ? "Markup" : "str"
        case .list: "list"
        case .tuple: "tuple"
        case .dict: "dict"
        case .object(let object): object.typeName
        }
    }

    /// How Jinja's messages about missing attributes name the value.
    var objectDescription: String {
        if case .none = self { return "None" }
        return "\(typeName) object"
    }

    /// Python's `bool(value)`.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .int(let value): value != 0
        case .float(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let items), .tuple(let items): !items.values.isEmpty
        case .dict(let dictionary): dictionary.members.count > 0
        case .object(let object): object.isTrue
        }
    }

    var isUndefined: Bool {
        if case .undefined = self { return true }
        return false
    }

    var isNone: Bool {
        if case .none = self { return true }
        return false
    }

    /// The text of a string.
    var text: Text? {
        if case .string(let text) = self { return text }
        return nil
    }

    /// An integer, a boolean among them, as Python's `__index__` gives it.
    var index: Int? {
        switch self {
        case .int(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }
}

/// A name, attribute or item that is not there; reading it is allowed, most other uses are errors.
final class Undefined: Sendable {
    enum Reason: Sendable {
        /// A variable with this name.
        case name(Text)
        /// An attribute of a value that is described.
        case attribute(Text, of: String)
        /// An element of a value that is described; the element by its `repr`.
        case element(String, of: String)
        /// Something else, in whole words.
        case hint(String)
        /// An attribute that the sandbox does not give out, of a value whose type is named.
        case unsafe(Text, of: String)
    }

    let reason: Reason

    init(_ reason: Reason) { self.reason = reason }

    /// What a use of it is answered with.
    var error: TemplateError {
        switch reason {
        case .name(let name): TemplateError(.undefined, "\(name.quoted.string) is undefined")
        case .attribute(let name, let owner):
            TemplateError(.undefined, "'\(owner)' has no attribute \(name.quoted.string)")
        case .element(let element, let owner): TemplateError(.undefined, "\(owner) has no element \(element)")
        case .hint(let hint): TemplateError(.undefined, hint)
        case .unsafe(let name, let type):
            TemplateError(.security, "access to attribute \(name.quoted.string) of '\(type)' object is unsafe.")
        }
    }
}
