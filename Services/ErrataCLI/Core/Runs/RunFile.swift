import Foundation
import LanguageModel
import Schemas
import Tokenization
import Yams

/// A run as people write it: a recipe in YAML or JSON.
enum RunFile {
    /// The run's event.
    ///
    /// The student may be `{"model": "NAME"}`, and the id may be left out: it then follows from all the rest, so that a
    /// file that is submitted twice is one run.
    ///
    /// - Parameters:
    ///   - data: The file's content.
    ///   - place: The file's name, for errors.
    ///   - resolve: The stored model of a name or hash.
    /// - Returns: The event, checked.
    /// - Throws: ``CLIError`` that names the place and the cure, and what `resolve` throws.
    static func run(in data: Data, place: String, _ resolve: (String) throws -> StoredModel) throws -> RunEvent {
        var json = try document(data, place: place)
        if let open = json["dataset"]?.stringValue, open.hasPrefix("{{") {
            throw CLIError("\(place): dataset is still \(open); put the data set's name in")
        }
        json = try resolvingStudent(in: json, resolve)
        if json["id"] == nil {
            let content = String(decoding: try EventCoding.encodeJSON(JSONValue.object(json)), as: UTF8.self)
            json["id"] = .string(DeterministicID.make(cause: content, parts: "run"))
        }
        do {
            return try EventCoding.decode(RunEvent.self, from: try EventCoding.encodeJSON(JSONValue.object(json)))
        } catch let error as SchemasError {
            throw CLIError("\(place): \(error.message)")
        }
    }

    private static func document(_ data: Data, place: String) throws -> [String: JSONValue] {
        let text = String(decoding: data, as: UTF8.self)
        let json: JSONValue
        if text.drop(while: \.isWhitespace).first == "{" {
            do {
                json = try EventCoding.decodeForeign(data)
            } catch let error as SchemasError {
                throw CLIError("\(place): \(error.message)")
            }
        } else {
            json = try YAMLDocument.json(text, place: place)
        }
        guard case .object(let members) = json else {
            throw CLIError("\(place) is no map of a run's fields; start from `errata runs template edit`")
        }
        return members
    }

    private static func resolvingStudent(
        in run: [String: JSONValue],
        _ resolve: (String) throws -> StoredModel
    ) throws -> [String: JSONValue] {
        guard case .object(let student) = run["student"], let reference = student["model"] else { return run }
        guard case .string(let name) = reference else {
            throw CLIError("student.model is no text; give a name or hash that `errata models list` shows")
        }
        guard student.count == 1 else {
            throw CLIError(
                "student has \"model\" and other fields; give \"model\" alone, or modelHash and tokenizerFingerprint"
            )
        }
        guard !name.hasPrefix("{{") else {
            throw CLIError(
                "student.model is still \(name); put a name in that `errata models list` shows"
            )
        }
        let stored = try resolve(name)
        var run = run
        run["student"] = .object([
            "modelHash": .string(stored.hash),
            "tokenizerFingerprint": .string(try Tokenizer(folder: stored.folder).fingerprint),
        ])
        return run
    }
}

/// YAML as JSON, by YAML 1.2's core schema: `on` and `no` are texts.
enum YAMLDocument {
    /// The value of a text's only document.
    ///
    /// - Throws: ``CLIError`` with the line.
    static func json(_ text: String, place: String) throws -> JSONValue {
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            throw CLIError("\(place): \(error)")
        }
        guard let node else { throw CLIError("\(place) is empty; start from `errata runs template edit`") }
        var room = mostValues
        return try value(node, place, depth: 1, room: &room)
    }

    /// The most values, each counted as often as its anchor is named: ten lines of aliases can stand for a thousand million.
    private static let mostValues = 100_000
    /// The deepest nesting, that of an event's body.
    private static let deepest = 64

    private static func value(_ node: Node, _ place: String, depth: Int, room: inout Int) throws -> JSONValue {
        guard depth <= deepest else { throw CLIError("\(place):\(line(node)) is nested deeper than \(deepest) levels") }
        room -= 1
        guard room >= 0 else {
            throw CLIError("\(place) stands for more than \(mostValues) values; name fewer anchors")
        }
        switch node {
        case .scalar(let scalar): return self.scalar(scalar)
        case .sequence(let sequence):
            return .array(try sequence.map { try value($0, place, depth: depth + 1, room: &room) })
        case .mapping(let mapping): return .object(try members(mapping, place, depth: depth + 1, room: &room))
        case .alias: throw CLIError("\(place): an alias stands for nothing")
        }
    }

    /// The members, with those that `<<` merges in where they are not given.
    private static func members(
        _ mapping: Node.Mapping,
        _ place: String,
        depth: Int,
        room: inout Int
    ) throws -> [String: JSONValue] {
        var merged: [String: JSONValue] = [:]
        var own: [String: JSONValue] = [:]
        for (key, node) in mapping {
            guard case .scalar(let name) = key else {
                throw CLIError("\(place):\(line(key)): a key must be a text")
            }
            let member = try value(node, place, depth: depth, room: &room)
            if name.string == "<<", name.style == .plain {
                for case .object(let others) in member.arrayElements { merged.merge(others) { first, _ in first } }
                continue
            }
            guard own.updateValue(member, forKey: name.string) == nil else {
                throw CLIError("\(place):\(line(key)): the key \(name.string) stands twice")
            }
        }
        return merged.merging(own) { $1 }
    }

    private static func line(_ node: Node) -> String { node.mark.map { String($0.line) } ?? "?" }

    private static func scalar(_ scalar: Node.Scalar) -> JSONValue {
        let text = scalar.string
        guard scalar.style == .any || scalar.style == .plain else { return .string(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default:
            if let integer = Int64(text) { return .integer(integer) }
            let isNumber = text.unicodeScalars.allSatisfy { "+-.eE0123456789".unicodeScalars.contains($0) }
            if isNumber, let number = Double(text), number.isFinite { return .number(number) }
            return .string(text)
        }
    }
}

extension JSONValue {
    /// The elements of a list; of anything else itself.
    fileprivate var arrayElements: [JSONValue] { if case .array(let elements) = self { elements } else { [self] } }
}
