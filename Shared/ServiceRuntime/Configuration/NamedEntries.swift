import Foundation
import Schemas

/// A JSON file of what a service's own configuration lets messages name, such as programs and addresses:
/// `{"NAME": {…}, …}`.
///
/// What is run or asked never comes from a message: whoever may write to a topic must not choose it.
public enum NamedEntries {
    /// Reads the entries; an empty path is none.
    ///
    /// - Throws: ``ConfigurationError`` that names the key, the file and the place in it.
    public static func read<Entry: Decodable>(
        _ type: Entry.Type = Entry.self,
        file: String,
        key: String
    ) throws -> [String: Entry] {
        guard !file.isEmpty else { return [:] }
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            throw ConfigurationError("\(key): \(file) cannot be read: \(error.localizedDescription)")
        }
        do {
            let json = try EventCoding.decodeJSON([String: JSONValue].self, from: data)
            var entries: [String: Entry] = [:]
            for (name, value) in json {
                guard case .object = value else {
                    throw SchemasError(.malformedPayload, "\(name) is no object")
                }
                entries[name] = try EventCoding.decodeStrictly(from: value, what: name)
            }
            return entries
        } catch let error as SchemasError {
            throw ConfigurationError("\(key): \(file): \(error.message)")
        }
    }
}
