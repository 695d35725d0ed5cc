/// Finds keys of a JSON text that the type which was read from it does not have.
enum UnknownKeys {
    /// Checks every object against the properties of the value that it was read into, whose names are its keys.
    ///
    /// - Throws: ``SchemasError`` with the code `invalidPayload`, the key's place and the keys that are known there.
    static func check(_ json: JSONValue, against value: Any, what: String, path: String = "$") throws {
        let mirror = Mirror(reflecting: value)
        switch (json, mirror.displayStyle) {
        case (.null, _): return
        case (_, .optional):
            guard let some = mirror.children.first else { return }
            try check(json, against: some.value, what: what, path: path)
        case (.object(let members), .struct):
            let known = Dictionary(mirror.children.compactMap { child in child.label.map { ($0, child.value) } }) { $1 }
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                guard let child = known[key] else {
                    throw SchemasError(
                        .invalidPayload,
                        "\(what): \(path).\(key) is not known; known there are \(known.keys.sorted().joined(separator: ", "))"
                    )
                }
                try check(member, against: child, what: what, path: "\(path).\(key)")
            }
        case (.array(let elements), .collection):
            for (index, (element, child)) in zip(elements, mirror.children).enumerated() {
                try check(element, against: child.value, what: what, path: "\(path)[\(index)]")
            }
        default: return
        }
    }
}
