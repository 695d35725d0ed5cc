extension JSONValue {
    /// The members of a value that encodes to a JSON object, such as the options of a training stage.
    ///
    /// - Throws: ``SchemasError`` when it does not.
    public static func object(of value: some Encodable) throws -> [String: JSONValue] {
        try EventCoding.decodeJSON([String: JSONValue].self, from: try EventCoding.encodeJSON(value))
    }
}
