extension JSONNode {
    /// Appends the value in a form that depends neither on white space nor on the order of keys.
    package func appendCanonical(to output: inout [UInt8]) {
        switch self {
        case .null: output += "null".utf8
        case .bool(let value): output += (value ? "true" : "false").utf8
        case .number(let text): output += text
        case .string(let text): Self.appendQuoted(text, to: &output)
        case .array(let values):
            output += "[".utf8
            for value in values {
                value.appendCanonical(to: &output)
                output += ",".utf8
            }
            output += "]".utf8
        case .object(let members):
            output += "{".utf8
            for member in members.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                Self.appendQuoted(member.key, to: &output)
                output += ":".utf8
                member.value.appendCanonical(to: &output)
                output += ",".utf8
            }
            output += "}".utf8
        }
    }
}
