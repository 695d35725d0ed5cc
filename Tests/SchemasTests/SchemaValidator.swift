import Foundation
import Schemas

/// The subset of JSON Schema 2020-12 that the documents use; an unknown keyword is a fault of the schema.
struct SchemaValidator {
    let root: [String: JSONValue]

    private static let known: Set<String> = [
        "$schema", "$id", "$defs", "$ref", "title", "description", "type", "properties", "required",
        "additionalProperties", "items", "enum", "const", "pattern", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "minItems", "format", "contentEncoding", "allOf", "if", "then", "else",
    ]

    init(_ document: JSONValue) { root = document.objectValue ?? [:] }

    func faults(_ value: JSONValue) -> [String] { faults(value, .object(root), "$") }

    private func faults(_ value: JSONValue, _ schema: JSONValue, _ path: String) -> [String] {
        if case .bool(let allowed) = schema { return allowed ? [] : ["\(path): not allowed"] }
        guard let schema = schema.objectValue else { return ["\(path): the schema is no object"] }
        var faults = schema.keys.filter { !Self.known.contains($0) }.map { "\(path): unknown keyword \($0)" }
        if let target = resolve(schema) { faults += self.faults(value, target, path) }
        if let type = schema["type"]?.stringValue, !matches(value, type) { return faults + ["\(path): not \(type)"] }
        if let choices = schema["enum"]?.arrayValue, !choices.contains(value) { faults.append("\(path): not in enum") }
        if let const = schema["const"], const != value { faults.append("\(path): not the constant") }
        if let text = value.stringValue {
            if let pattern = schema["pattern"]?.stringValue,
                text.range(of: pattern, options: .regularExpression) == nil
            {
                faults.append("\(path): does not match \(pattern)")
            }
            if schema["format"]?.stringValue == "date-time", Timestamp.parse(text) == nil {
                faults.append("\(path): no date-time")
            }
            if schema["contentEncoding"]?.stringValue == "base64", Data(base64Encoded: text) == nil {
                faults.append("\(path): no base64")
            }
        }
        if let number = value.doubleValue {
            if let bound = schema["minimum"]?.doubleValue, number < bound { faults.append("\(path): below \(bound)") }
            if let bound = schema["maximum"]?.doubleValue, number > bound { faults.append("\(path): above \(bound)") }
            if let bound = schema["exclusiveMinimum"]?.doubleValue, number <= bound {
                faults.append("\(path): not above \(bound)")
            }
            if let bound = schema["exclusiveMaximum"]?.doubleValue, number >= bound {
                faults.append("\(path): not below \(bound)")
            }
        }
        if let members = value.objectValue {
            for name in schema["required"]?.arrayValue ?? [] where members[name.stringValue ?? ""] == nil {
                faults.append("\(path): \(name.stringValue ?? "") is required")
            }
            let properties = schema["properties"]?.objectValue ?? [:]
            for (name, member) in members {
                if let property = properties[name] {
                    faults += self.faults(member, property, "\(path).\(name)")
                } else if let other = schema["additionalProperties"] {
                    faults += self.faults(member, other, "\(path).\(name)")
                }
            }
        }
        if let elements = value.arrayValue, let least = schema["minItems"]?.doubleValue, Double(elements.count) < least
        {
            faults.append("\(path): fewer than \(least) elements")
        }
        if let elements = value.arrayValue, let items = schema["items"] {
            for (index, element) in elements.enumerated() {
                faults += self.faults(element, items, "\(path)[\(index)]")
            }
        }
        for part in schema["allOf"]?.arrayValue ?? [] { faults += self.faults(value, part, path) }
        if let condition = schema["if"] {
            let branch = self.faults(value, condition, path).isEmpty ? schema["then"] : schema["else"]
            if let branch { faults += self.faults(value, branch, path) }
        }
        return faults
    }

    private func resolve(_ schema: [String: JSONValue]) -> JSONValue? {
        guard let reference = schema["$ref"]?.stringValue else { return nil }
        let name = reference.hasPrefix("#/$defs/") ? String(reference.dropFirst(8)) : ""
        return root["$defs"]?.objectValue?[name] ?? .bool(false)
    }

    private func matches(_ value: JSONValue, _ type: String) -> Bool {
        switch (type, value) {
        case ("object", .object), ("array", .array), ("string", .string), ("boolean", .bool), ("null", .null),
            ("integer", .integer), ("number", .integer), ("number", .number):
            true
        case ("integer", .number(let number)): number == number.rounded()
        default: false
        }
    }

    /// Where an object stands in the value that the schema describes property by property.
    struct Place {
        let path: [JSONPathStep]
        let properties: Set<String>
        let required: Set<String>
    }

    enum JSONPathStep: Hashable {
        case member(String)
        case element(Int)
    }

    /// All objects of the value that the schema describes, with the properties that it knows there.
    func places(_ value: JSONValue) -> [Place] { places(value, [.object(root)], []) }

    private func places(_ value: JSONValue, _ schemas: [JSONValue], _ path: [JSONPathStep]) -> [Place] {
        let all = schemas.flatMap { applicable($0, value) }
        if let elements = value.arrayValue {
            return elements.enumerated().flatMap { index, element in
                places(element, all.compactMap { $0["items"] }, path + [.element(index)])
            }
        }
        guard let members = value.objectValue else { return [] }
        let properties = all.compactMap { $0["properties"]?.objectValue }
        let known = Set(properties.flatMap(\.keys))
        guard !known.isEmpty else { return [] }
        let required = all.flatMap { $0["required"]?.arrayValue ?? [] }.compactMap(\.stringValue)
        let here = Place(path: path, properties: known, required: Set(required))
        return [here]
            + members.sorted { $0.key < $1.key }.flatMap { name, member in
                places(member, properties.compactMap { $0[name] }, path + [.member(name)])
            }
    }

    /// The schema with everything that it refers to and that holds for the value.
    private func applicable(_ schema: JSONValue, _ value: JSONValue) -> [[String: JSONValue]] {
        guard let object = schema.objectValue else { return [] }
        var result = [object]
        if let target = resolve(object) { result += applicable(target, value) }
        for part in object["allOf"]?.arrayValue ?? [] { result += applicable(part, value) }
        if let condition = object["if"] {
            let branch = faults(value, condition, "$").isEmpty ? object["then"] : object["else"]
            if let branch { result += applicable(branch, value) }
        }
        return result
    }
}

extension JSONValue {
    /// The value with one member changed.
    func changing(_ path: ArraySlice<SchemaValidator.JSONPathStep>, _ name: String, to value: JSONValue?) -> JSONValue {
        guard let step = path.first else {
            var members = objectValue ?? [:]
            members[name] = value
            return .object(members)
        }
        switch step {
        case .member(let member):
            var members = objectValue ?? [:]
            members[member] = members[member]?.changing(path.dropFirst(), name, to: value)
            return .object(members)
        case .element(let index):
            var elements = arrayValue ?? []
            elements[index] = elements[index].changing(path.dropFirst(), name, to: value)
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
