/// A piece of a template's source.
struct Token: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// Text between the tags.
        case data
        case variableBegin
        case variableEnd
        case blockBegin
        case blockEnd
        case name
        case string
        case integer(Int)
        case float(Double)
        case symbol
        case end
    }

    let kind: Kind
    /// The name, the content of the string, the operator or the data.
    let text: Text
    let line: Int

    func isName(_ name: Text) -> Bool { kind == .name && text == name }

    func isSymbol(_ symbol: Text) -> Bool { kind == .symbol && text == symbol }

    /// What the token is called in messages, as Jinja calls it.
    var description: String {
        switch kind {
        case .data: "template data / text"
        case .variableBegin: "begin of print statement"
        case .variableEnd: "end of print statement"
        case .blockBegin: "begin of statement block"
        case .blockEnd: "end of statement block"
        case .name, .symbol: text.string
        case .string: "string"
        case .integer: "integer"
        case .float: "float"
        case .end: "end of template"
        }
    }
}
