/// A method of Python's `list`, some of them of `tuple` too.
enum ListMethod: String, Sendable {
    case append
    case clear
    case copy
    case count
    case extend
    case index
    case insert
    case pop
    case remove
    case reverse
    case sort

    /// Whether the sandbox refuses it.
    var changesList: Bool { self != .copy && !isOfTuples }

    var isOfTuples: Bool { self == .count || self == .index }
}

/// A method of Python's `dict`.
enum DictMethod: String, Sendable {
    case clear
    case copy
    case fromkeys
    case get
    case items
    case keys
    case pop
    case popitem
    case setdefault
    case update
    case values

    /// Whether the sandbox refuses it.
    var changesDict: Bool {
        switch self {
        case .clear, .pop, .popitem, .setdefault, .update: true
        default: false
        }
    }
}

extension Interpreter {
    /// Python's `list.method(…)` and `tuple.method(…)`.
    func call(_ method: ListMethod, on items: Items, _ arguments: Arguments) throws -> Value {
        guard arguments.keywords.isEmpty else {
            throw TemplateError(.type, "\(method.rawValue)() takes no keyword arguments")
        }
        switch method {
        case .count:
            let wanted = try arguments.bound(to: Signature("count", ["value"])).value(0)
            var count = 0
            for value in items.values {
                try step()
                if try areEqual(value, wanted) { count += 1 }
            }
            return .int(count)
        case .index:
            let bound = try arguments.bound(to: Signature("index", ["value", "start", "stop"], required: 1))
            let range = try SliceBounds(start: bound[1] ?? .none, stop: bound[2] ?? .none, step: .none)
            for position in range.indices(items.values.count).positions {
                try step()
                if try areEqual(items.values[position], bound.value(0)) { return .int(position) }
            }
            throw TemplateError(.value, "\(try representation(bound.value(0)).string) is not in list")
        default:
            _ = try arguments.bound(to: Signature("copy"))
            return try list(items.values)
        }
    }

    /// Python's `dict.method(…)`.
    func call(_ method: DictMethod, on dictionary: Entries, _ arguments: Arguments) throws -> Value {
        guard arguments.keywords.isEmpty else {
            throw TemplateError(.type, "dict.\(method.rawValue)() takes no keyword arguments")
        }
        switch method {
        case .get:
            let bound = try arguments.bound(to: Signature("get", ["key", "default"], required: 1))
            try work(key: bound.value(0))
            return try dictionary.members.value(for: bound.value(0)) ?? bound[1] ?? .none
        case .fromkeys: return try Globals.dictFromKeys(arguments, self)
        case .copy:
            _ = try arguments.bound(to: Signature("copy"))
            return try dict(dictionary.members)
        default:
            _ = try arguments.bound(to: Signature(method.rawValue))
            return .object(DictView(method == .keys ? .keys : method == .values ? .values : .items, of: dictionary))
        }
    }
}

/// What `dict.keys`, `dict.values` and `dict.items` give.
final class DictView: Object {
    enum Kind: String {
        case keys = "dict_keys"
        case values = "dict_values"
        case items = "dict_items"
    }

    private let kind: Kind
    private let dictionary: Entries

    init(_ kind: Kind, of dictionary: Entries) {
        self.kind = kind
        self.dictionary = dictionary
    }

    override var typeName: String { kind.rawValue }

    override var depth: Int { dictionary.depth + 1 }

    override var isTrue: Bool { dictionary.members.count > 0 }

    override var length: Int? { dictionary.members.count }

    override var isIterable: Bool { true }

    /// The items in the dictionary's order.
    func values(_ interpreter: Interpreter) throws -> [Value] {
        let members = dictionary.members
        return switch kind {
        case .keys: members.keys
        case .values: members.values
        case .items: try zip(members.keys, members.values).map { try interpreter.tuple([$0, $1]) }
        }
    }

    override func iterator(_ interpreter: Interpreter) throws -> ValueIterator {
        let members = dictionary.members
        let kind = kind
        var position = 0
        return ValueIterator(kind == .items ? "dict_itemiterator" : "iterator", depth: depth) { interpreter in
            guard position < members.count else { return nil }
            defer { position += 1 }
            return switch kind {
            case .keys: members.keys[position]
            case .values: members.values[position]
            case .items: try interpreter.tuple([members.keys[position], members.values[position]])
            }
        }
    }

    override func contains(_ value: Value, _ interpreter: Interpreter) throws -> Bool {
        guard kind == .keys else { return try super.contains(value, interpreter) }
        try interpreter.work(key: value)
        return try dictionary.members.value(for: value) != nil
    }

    override func isEqual(to other: Object, _ interpreter: Interpreter) throws -> Bool {
        if self === other { return true }
        guard let other = other as? DictView, kind != .values, other.kind == kind, other.length == length else {
            return false
        }
        for value in try values(interpreter) where try !other.contains(value, interpreter) { return false }
        return true
    }

    override func representation(_ interpreter: Interpreter) throws -> Text {
        let items = try interpreter.representation(interpreter.list(values(interpreter)))
        return Text(Array("\(kind.rawValue)(".utf8) + items.bytes + Array(")".utf8))
    }
}
