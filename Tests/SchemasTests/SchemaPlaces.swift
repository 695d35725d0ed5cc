import Schemas

/// What a schema says about the parts of a value.
extension SchemaValidator {
    enum JSONPathStep: Hashable {
        case member(String)
        case element(Int)
    }

    /// A part of a value with the schemas that hold for it.
    struct Node {
        let path: [JSONPathStep]
        let value: JSONValue
        let schemas: [[String: JSONValue]]
    }

    /// Where an object stands in the value that the schema describes property by property.
    struct Place {
        let path: [JSONPathStep]
        let properties: Set<String>
        let required: Set<String>
    }

    /// All parts of the value that the schema describes, the value itself first.
    func nodes(_ value: JSONValue) -> [Node] { nodes(value, [.object(root)], []) }

    private func nodes(_ value: JSONValue, _ schemas: [JSONValue], _ path: [JSONPathStep]) -> [Node] {
        let all = schemas.flatMap { applicable($0, value) }
        guard !all.isEmpty else { return [] }
        let here = [Node(path: path, value: value, schemas: all)]
        if let elements = value.arrayValue {
            return here
                + elements.enumerated().flatMap { index, element in
                    nodes(element, all.compactMap { $0["items"] }, path + [.element(index)])
                }
        }
        return here
            + (value.objectValue ?? [:]).sorted { $0.key < $1.key }.flatMap { name, member in
                let described = all.compactMap { $0["properties"]?.objectValue?[name] ?? $0["additionalProperties"] }
                return nodes(member, described, path + [.member(name)])
            }
    }

    /// All objects of the value that the schema describes, with the properties that it knows there.
    func places(_ value: JSONValue) -> [Place] {
        nodes(value).compactMap { node in
            let known = Set(node.schemas.compactMap { $0["properties"]?.objectValue }.flatMap(\.keys))
            guard node.value.objectValue != nil, !known.isEmpty else { return nil }
            let required = node.schemas.flatMap { $0["required"]?.arrayValue ?? [] }.compactMap(\.stringValue)
            return Place(path: node.path, properties: known, required: Set(required))
        }
    }

    /// The keys of a value that the schema does not describe.
    func undescribed(_ value: JSONValue) -> [String] {
        places(value).flatMap { place in
            (value.member(at: place.path)?.objectValue ?? [:]).keys.filter { !place.properties.contains($0) }
        }.sorted()
    }

    /// Values in place of a part of a value, each of which breaks one rule of the part's schemas.
    static func violations(of node: Node) -> [JSONValue] {
        node.schemas.flatMap { schema in
            var values: [JSONValue] = []
            let isWhole = schema["type"]?.stringValue == "integer"
            func beside(_ bound: Double, _ step: Double) -> JSONValue {
                isWhole ? .integer(Int64(bound + step)) : .number(bound + step / 2)
            }
            if let bound = schema["minimum"]?.doubleValue { values.append(beside(bound, -1)) }
            if let bound = schema["maximum"]?.doubleValue { values.append(beside(bound, 1)) }
            if let bound = schema["exclusiveMinimum"] ?? schema["exclusiveMaximum"] { values.append(bound) }
            if schema["enum"] != nil { values.append("no such word") }
            if schema["pattern"] != nil { values.append(" ") }
            if schema["minLength"] != nil { values.append("") }
            if schema["minItems"] != nil { values.append([]) }
            if let most = schema["maxItems"]?.doubleValue, let first = node.value.arrayValue?.first {
                values.append(.array(Array(repeating: first, count: Int(most) + 1)))
            }
            if let ruledOut = schema["not"]?.objectValue {
                values += ruledOut["enum"]?.arrayValue ?? ruledOut["const"].map { [$0] } ?? []
            }
            // Another type is tried where nothing else is: JSONDecoder tells types apart by itself.
            switch schema["type"]?.stringValue {
            case "integer": values.append(0.5)
            case "string": if values.isEmpty { values.append(7) }
            case nil: break
            default: if values.isEmpty { values.append("text") }
            }
            return values
        }
    }
}

extension [SchemaValidator.JSONPathStep] {
    /// The path as errors write it, `$.stages[0].name`.
    var text: String {
        reduce(into: "$") { text, step in
            switch step {
            case .member(let name): text += ".\(name)"
            case .element(let index): text += "[\(index)]"
            }
        }
    }
}

extension JSONValue {
    /// The value with one member changed.
    func changing(_ path: ArraySlice<SchemaValidator.JSONPathStep>, _ name: String, to value: JSONValue?) -> JSONValue {
        var members = member(at: Array(path))?.objectValue ?? [:]
        members[name] = value
        return replacing(path, with: .object(members))
    }

    /// The value with the part at a path replaced.
    func replacing(_ path: ArraySlice<SchemaValidator.JSONPathStep>, with part: JSONValue) -> JSONValue {
        guard let step = path.first else { return part }
        switch step {
        case .member(let name):
            var members = objectValue ?? [:]
            members[name] = members[name]?.replacing(path.dropFirst(), with: part)
            return .object(members)
        case .element(let index):
            var elements = arrayValue ?? []
            elements[index] = elements[index].replacing(path.dropFirst(), with: part)
            return .array(elements)
        }
    }

    func member(at path: [SchemaValidator.JSONPathStep]) -> JSONValue? {
        path.reduce(Optional(self)) { value, step in
            switch step {
            case .member(let name): value?.objectValue?[name]
            case .element(let index): value?.arrayValue?[index]
            }
        }
    }
}
