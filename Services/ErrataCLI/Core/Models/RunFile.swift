import Foundation
import LanguageModel
import Schemas
import Tokenization

/// A run as people write it.
enum RunFile {
    /// The run with its student named by content, as the event wants it.
    ///
    /// - Parameters:
    ///   - data: A run event in JSON, whose student may be `{"model": "NAME"}`.
    ///   - resolve: The stored model of a name or hash.
    /// - Returns: The event's JSON; `data` itself where the student is named by content already.
    /// - Throws: ``CLIError`` where the student is named in both ways, and what `resolve` throws.
    static func resolvingStudent(in data: Data, _ resolve: (String) throws -> StoredModel) throws -> Data {
        guard case .object(var run) = try EventCoding.decodeJSON(JSONValue.self, from: data),
            case .object(let student) = run["student"], let reference = student["model"]
        else { return data }
        guard case .string(let name) = reference else {
            throw CLIError("student.model is no text; give a name or hash that `errata models list` shows")
        }
        guard student.count == 1 else {
            throw CLIError(
                "student has \"model\" and other fields; give \"model\" alone, or modelHash and tokenizerFingerprint"
            )
        }
        let stored = try resolve(name)
        run["student"] = .object([
            "modelHash": .string(stored.hash),
            "tokenizerFingerprint": .string(try Tokenizer(folder: stored.folder).fingerprint),
        ])
        return try JSONEncoder().encode(JSONValue.object(run))
    }
}
