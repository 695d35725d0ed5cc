/// A method of Python's `str`.
enum StringMethod: String, Sendable {
    case capitalize
    case casefold
    case center
    case count
    case encode
    case endswith
    case expandtabs
    case find
    case format
    case formatMap = "format_map"
    case index
    case isalnum
    case isalpha
    case isascii
    case isdecimal
    case isdigit
    case isidentifier
    case islower
    case isnumeric
    case isprintable
    case isspace
    case istitle
    case isupper
    case join
    case ljust
    case lower
    case lstrip
    case maketrans
    case partition
    case removeprefix
    case removesuffix
    case replace
    case rfind
    case rindex
    case rjust
    case rpartition
    case rsplit
    case rstrip
    case split
    case splitlines
    case startswith
    case strip
    case swapcase
    case title
    case translate
    case upper
    case zfill

    private static let searched = ["sub", "start", "end"] as [Text]

    /// The parameters, by the names that Python gives them.
    var signature: Signature {
        switch self {
        case .center, .ljust, .rjust: Signature(rawValue, ["width", "fillchar"], required: 1)
        case .zfill: Signature(rawValue, ["width"])
        case .count, .find, .index, .rfind, .rindex, .startswith, .endswith:
            Signature(rawValue, Self.searched, required: 1)
        case .expandtabs: Signature(rawValue, ["tabsize"], required: 0)
        case .join: Signature(rawValue, ["iterable"])
        case .lstrip, .rstrip, .strip: Signature(rawValue, ["chars"], required: 0)
        case .partition, .rpartition: Signature(rawValue, ["sep"])
        case .removeprefix: Signature(rawValue, ["prefix"])
        case .removesuffix: Signature(rawValue, ["suffix"])
        case .replace: Signature(rawValue, ["old", "new", "count"], required: 2)
        case .split, .rsplit: Signature(rawValue, ["sep", "maxsplit"], required: 0)
        case .splitlines: Signature(rawValue, ["keepends"], required: 0)
        default: Signature(rawValue)
        }
    }

    /// Whether Python takes the parameters by name too.
    var takesKeywords: Bool {
        switch self {
        case .split, .rsplit, .splitlines, .expandtabs: true
        default: false
        }
    }
}

extension Interpreter {
    /// Python's `text.method(…)`.
    func call(_ method: StringMethod, on text: Text, _ arguments: Arguments) throws -> Value {
        switch method {
        case .format: return .string(try format(text, arguments))
        case .formatMap:
            guard arguments.keywords.isEmpty, arguments.positional.count == 1 else {
                throw TemplateError(.type, "format_map() takes exactly one argument")
            }
            return .string(try format(text, mapping: arguments.positional[0]))
        case .encode, .maketrans, .translate:
            throw TemplateError(.unsupported, "str.\(method.rawValue) is not supported in templates")
        case .replace:
            // The count has a name from Python 3.13 on.
            guard arguments.keywords.allSatisfy({ $0.name == "count" }) else {
                throw TemplateError(.type, "str.replace() takes no keyword arguments but count")
            }
        default:
            guard arguments.keywords.isEmpty || method.takesKeywords else {
                throw TemplateError(.type, "str.\(method.rawValue)() takes no keyword arguments")
            }
        }
        try work(bytes: 4 * text.bytes.count)
        let bound = try arguments.bound(to: method.signature)
        switch method {
        case .split, .rsplit, .splitlines, .partition, .rpartition, .join: return try pieces(method, text, bound)
        case .count, .find, .index, .rfind, .rindex, .startswith, .endswith:
            return try search(method, text, bound)
        case .center, .ljust, .rjust, .zfill, .expandtabs: return .string(try padded(method, text, bound))
        case .lstrip, .rstrip, .strip, .removeprefix, .removesuffix, .replace:
            return .string(try edited(method, text, bound))
        case .capitalize, .casefold, .lower, .swapcase, .title, .upper: return .string(try changeCase(method, text))
        default: return .bool(text.satisfies(method))
        }
    }

    private func changeCase(_ method: StringMethod, _ text: Text) throws -> Text {
        try charge(bytes: text.bytes.count)
        return switch method {
        case .capitalize: text.capitalized
        case .casefold: text.casefolded
        case .lower: text.lowercased
        case .swapcase: text.swapcased
        case .title: text.titlecased
        default: text.uppercased
        }
    }
}

extension Text {
    /// The methods that ask something of a whole text.
    fileprivate func satisfies(_ method: StringMethod) -> Bool {
        func all(_ property: (Unicode.Scalar) -> Bool) -> Bool { !isEmpty && scalars.allSatisfy(property) }
        switch method {
        case .isalnum: return all(\.isPythonAlphanumeric)
        case .isalpha: return all(\.isPythonAlpha)
        case .isascii: return isASCII
        case .isdecimal: return all(\.isPythonDecimal)
        case .isdigit: return all(\.isPythonDigit)
        case .isidentifier: return isIdentifier
        case .islower: return hasCase(lower: true)
        case .isnumeric: return all(\.isPythonNumeric)
        case .isprintable: return scalars.allSatisfy(\.isPythonPrintable)
        case .isspace: return all(\.isPythonSpace)
        case .istitle: return hasTitleCase
        case .isupper: return hasCase(lower: false)
        default: return false
        }
    }

    /// `str.isidentifier`.
    var isIdentifier: Bool {
        var scalars = scalars
        guard let first = scalars.next(), first.isIdentifierStart else { return false }
        return scalars.allSatisfy(\.isIdentifierPart)
    }
}
