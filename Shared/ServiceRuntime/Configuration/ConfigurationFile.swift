import Foundation

/// Reads configuration files.
enum ConfigurationFile {
    static func read(path: String, limit: Int) throws -> [String: String] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ConfigurationError("ERRATA_CONFIG names \(path), which cannot be read")
        }
        guard data.count <= limit, let text = String(validating: data, as: UTF8.self) else {
            throw ConfigurationError("\(path) must be UTF-8 text of at most \(limit) bytes")
        }
        if text.first(where: { !$0.isWhitespace }) == "{" { return try json(data, path: path) }
        var values: [String: String] = [:]
        var problems: [String] = []
        for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = raw.trimmingCharacters(in: .whitespacesAndNewlines)
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let mark = line.firstIndex(of: "="), mark != line.startIndex else {
                problems.append("\(path):\(index + 1): expected NAME=value")
                continue
            }
            let name = line[..<mark].trimmingCharacters(in: .whitespaces)
            var value = line[line.index(after: mark)...].trimmingCharacters(in: .whitespaces)
            if value.count >= 2, let quote = value.first, quote == value.last, quote == "\"" || quote == "'" {
                value = String(value.dropFirst().dropLast())
            }
            if values.updateValue(value, forKey: name) != nil {
                problems.append("\(path):\(index + 1): \(name) stands twice")
            }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return values
    }

    private static func json(_ data: Data, path: String) throws -> [String: String] {
        guard let values = try? JSONDecoder().decode([String: Scalar].self, from: data) else {
            throw ConfigurationError("\(path) must be one flat JSON object of texts, numbers, true and false")
        }
        return values.mapValues(\.text)
    }

    private struct Scalar: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let value = try? container.decode(Bool.self) {
                text = value.configurationText
            } else if let value = try? container.decode(Int.self) {
                text = value.configurationText
            } else if let value = try? container.decode(Double.self) {
                text = value.configurationText
            } else {
                text = try container.decode(String.self)
            }
        }
    }
}
