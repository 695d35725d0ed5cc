import Foundation
import Schemas
import Testing

/// The subset of JSON Schema 2020-12 that the documents use; an unknown keyword is a fault of the schema.
struct SchemaValidator {
    let root: [String: JSONValue]
    private let patterns: [String: NSRegularExpression]

    private static let known: Set<String> = [
        "$schema", "$id", "$defs", "$ref", "title", "description", "deprecated", "type", "properties", "required",
        "additionalProperties", "items", "contains", "enum", "const", "pattern", "minimum", "maximum",
        "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "minProperties", "minLength", "format",
        "contentEncoding", "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
    ]

    /// The validators of all types, each read once.
    private static let all = Result {
        Dictionary(
            uniqueKeysWithValues: try EventType.allCases.map {
                ($0, SchemaValidator(try EventCoding.decodeJSON(from: SchemaDocuments.schema(for: $0))))
            }
        )
    }

    /// The validator of the bodies of an event type.
    static func of(_ type: EventType) throws -> SchemaValidator {
        try #require(all.get()[type])
    }

    init(_ document: JSONValue) {
        root = document.objectValue ?? [:]
        var patterns: [String: NSRegularExpression] = [:]
        func collect(_ value: JSONValue) {
            if let pattern = value.objectValue?["pattern"]?.stringValue {
                patterns[pattern] = try? NSRegularExpression(pattern: pattern)
            }
            for part in value.arrayValue ?? value.objectValue.map({ Array($0.values) }) ?? [] { collect(part) }
        }
        collect(document)
        self.patterns = patterns
    }

    func faults(_ value: JSONValue) -> [String] { faults(value, .object(root), "$") }

    private func faults(_ value: JSONValue, _ schema: JSONValue, _ path: String) -> [String] {
        if case .bool(let allowed) = schema { return allowed ? [] : ["\(path): not allowed"] }
        guard let schema = schema.objectValue else { return ["\(path): the schema is no object"] }
        var faults = schema.keys.filter { !Self.known.contains($0) }.map { "\(path): unknown keyword \($0)" }
        if let target = resolve(schema) { faults += self.faults(value, target, path) }
        if let type = schema["type"]?.stringValue, !matches(value, type) { return faults + ["\(path): not \(type)"] }
        if let choices = schema["enum"]?.arrayValue, !choices.contains(value) { faults.append("\(path): not in enum") }
        if let const = schema["const"], const != value { faults.append("\(path): not the constant") }
        if let text = value.stringValue { faults += textFaults(text, schema, path) }
        if let number = value.doubleValue { faults += numberFaults(number, schema, path) }
        if let members = value.objectValue { faults += memberFaults(members, schema, path) }
        if let elements = value.arrayValue { faults += elementFaults(elements, schema, path) }
        return faults + partFaults(value, schema, path)
    }

    private func textFaults(_ text: String, _ schema: [String: JSONValue], _ path: String) -> [String] {
        var faults: [String] = []
        if let pattern = schema["pattern"]?.stringValue {
            let whole = NSRange(text.startIndex..., in: text)
            if patterns[pattern]?.firstMatch(in: text, range: whole) == nil {
                faults.append("\(path): does not match \(pattern)")
            }
        }
        if let least = schema["minLength"]?.doubleValue, Double(text.unicodeScalars.count) < least {
            faults.append("\(path): shorter than \(least)")
        }
        if schema["format"]?.stringValue == "date-time", Timestamp.parse(text) == nil {
            faults.append("\(path): no date-time")
        }
        if schema["contentEncoding"]?.stringValue == "base64", Data(base64Encoded: text) == nil {
            faults.append("\(path): no base64")
        }
        return faults
    }

    private func numberFaults(_ number: Double, _ schema: [String: JSONValue], _ path: String) -> [String] {
        var faults: [String] = []
        if let bound = schema["minimum"]?.doubleValue, number < bound { faults.append("\(path): below \(bound)") }
        if let bound = schema["maximum"]?.doubleValue, number > bound { faults.append("\(path): above \(bound)") }
        if let bound = schema["exclusiveMinimum"]?.doubleValue, number <= bound {
            faults.append("\(path): not above \(bound)")
        }
        if let bound = schema["exclusiveMaximum"]?.doubleValue, number >= bound {
            faults.append("\(path): not below \(bound)")
        }
        return faults
    }

    private func memberFaults(
        _ members: [String: JSONValue],
        _ schema: [String: JSONValue],
        _ path: String
    ) -> [String] {
        var faults: [String] = []
        for name in schema["required"]?.arrayValue ?? [] where members[name.stringValue ?? ""] == nil {
            faults.append("\(path): \(name.stringValue ?? "") is required")
        }
        if let least = schema["minProperties"]?.doubleValue, Double(members.count) < least {
            faults.append("\(path): fewer than \(least) members")
        }
        let properties = schema["properties"]?.objectValue ?? [:]
        for (name, member) in members {
            if let property = properties[name] ?? schema["additionalProperties"] {
                faults += self.faults(member, property, "\(path).\(name)")
            }
        }
        return faults
    }

    private func elementFaults(_ elements: [JSONValue], _ schema: [String: JSONValue], _ path: String) -> [String] {
        var faults: [String] = []
        if let least = schema["minItems"]?.doubleValue, Double(elements.count) < least {
            faults.append("\(path): fewer than \(least) elements")
        }
        if let most = schema["maxItems"]?.doubleValue, Double(elements.count) > most {
            faults.append("\(path): more than \(most) elements")
        }
        if let items = schema["items"] {
            for (index, element) in elements.enumerated() {
                faults += self.faults(element, items, "\(path)[\(index)]")
            }
        }
        if let wanted = schema["contains"], elements.allSatisfy({ !self.faults($0, wanted, path).isEmpty }) {
            faults.append("\(path): holds no element of the kind")
        }
        return faults
    }

    /// The faults of the schemas that a schema is put together from.
    private func partFaults(_ value: JSONValue, _ schema: [String: JSONValue], _ path: String) -> [String] {
        var faults: [String] = []
        for part in schema["allOf"]?.arrayValue ?? [] { faults += self.faults(value, part, path) }
        if let parts = schema["anyOf"]?.arrayValue, parts.allSatisfy({ !self.faults(value, $0, path).isEmpty }) {
            faults.append("\(path): fits none of \(parts.count) forms")
        }
        if let parts = schema["oneOf"]?.arrayValue {
            let fitting = parts.count { self.faults(value, $0, path).isEmpty }
            if fitting != 1 { faults.append("\(path): fits \(fitting) of \(parts.count) forms") }
        }
        if let part = schema["not"], self.faults(value, part, path).isEmpty { faults.append("\(path): is ruled out") }
        if let branch = branch(of: schema, value) { faults += self.faults(value, branch, path) }
        return faults
    }

    private func branch(of schema: [String: JSONValue], _ value: JSONValue) -> JSONValue? {
        guard let condition = schema["if"] else { return nil }
        return faults(value, condition, "$").isEmpty ? schema["then"] : schema["else"]
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

    /// The schema with everything that it refers to and that holds for the value.
    func applicable(_ schema: JSONValue, _ value: JSONValue) -> [[String: JSONValue]] {
        guard let object = schema.objectValue else { return [] }
        var result = [object]
        if let target = resolve(object) { result += applicable(target, value) }
        for part in object["allOf"]?.arrayValue ?? [] { result += applicable(part, value) }
        for part in (object["oneOf"]?.arrayValue ?? []) + (object["anyOf"]?.arrayValue ?? [])
        where faults(value, part, "$").isEmpty {
            result += applicable(part, value)
        }
        if let branch = branch(of: object, value) { result += applicable(branch, value) }
        return result
    }
}
