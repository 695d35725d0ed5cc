import Foundation

/// The checked configuration of a service.
///
/// Values come from `ERRATA_…` environment variables and from the file that `ERRATA_CONFIG` names; the environment
/// wins. Some keys are other standards' and have their names; only these are read of what does not begin so. The file holds `NAME=value` lines, or one flat JSON object. A secret can also come from the file that
/// `<name>_FILE` names.
///
/// swift-configuration is not used for it: its readers take the default where a value is malformed, pass over keys that
/// nobody reads and lines that are none, and know no `<name>_FILE`, while a service here refuses to start and says all
/// that is wrong at once.
public struct Configuration: Sendable {
    /// The prefix of all keys of Errata's own.
    public static let prefix = "ERRATA_"
    /// The key that names the configuration file.
    public static let fileKey = ConfigurationKey<String>(
        "ERRATA_CONFIG",
        optional: true,
        "A file of NAME=value lines or one flat JSON object; the environment wins over it."
    )
    /// The largest configuration file, in bytes.
    static let largestFile = 1 << 20

    /// The declared keys.
    public let keys: [any AnyConfigurationKey]
    private let texts: [String: String]

    /// Reads and checks a configuration.
    ///
    /// - Parameters:
    ///   - keys: All keys that the service knows.
    ///   - environment: The environment variables; those without the prefix are ignored, but for declared keys that have
    ///     none. Optional ones are not set where they are empty, so that a compose file can pass on what may not be set.
    ///   - foreign: Names, or prefixes that end in `_`, of keys of other programs that may stand in the environment.
    /// - Throws: ``ConfigurationError`` that names every unknown, missing and malformed key.
    public init(
        keys: [any AnyConfigurationKey],
        environment: [String: String],
        foreign: [String] = ["ERRATA_TEST_"]
    ) throws {
        let declared: [any AnyConfigurationKey] = [Self.fileKey] + keys
        self.keys = declared
        var problems: [String] = []
        for (name, count) in Dictionary(grouping: declared, by: \.name).mapValues(\.count) where count > 1 {
            problems.append("\(name) is declared \(count) times; the program is at fault")
        }
        var given: [String: (text: String, origin: String)] = [:]
        if let path = environment[Self.fileKey.name], !path.isEmpty {
            do {
                for (name, text) in try ConfigurationFile.read(path: path, limit: Self.largestFile) {
                    given[name] = (text, "in \(path)")
                }
            } catch let error as ConfigurationError {
                problems += error.problems
            }
        }
        var names = Set(declared.map(\.name))
        for key in declared where key.isSecret {
            names.insert(SecretFile.key(of: key.name))
        }
        for (name, text) in environment {
            guard name.hasPrefix(Self.prefix) else {
                if names.contains(name), !text.isEmpty { given[name] = (text, "in the environment") }
                continue
            }
            if foreign.contains(where: { name == $0 || ($0.hasSuffix("_") && name.hasPrefix($0)) }) { continue }
            given[name] = (text, "in the environment")
        }
        for (name, value) in given where !names.contains(name) {
            let suggestion = NearestName.find(name, among: names).map { "; did you mean \($0)?" } ?? ""
            problems.append("\(name) (\(value.origin)) is not a known key\(suggestion)")
        }
        var texts: [String: String] = [:]
        for key in declared {
            var value = given[key.name]
            let file = key.isSecret ? given[SecretFile.key(of: key.name)]?.text : nil
            if let file {
                do {
                    guard value == nil else { throw SecretFile.doubled(key.name) }
                    value = (try SecretFile.read(file, for: key.name), "in \(file)")
                } catch let error as ConfigurationError {
                    problems += error.problems
                }
            }
            if value?.text.isEmpty == true, !key.isRequired, key.defaultText == nil { value = nil }
            guard let value else {
                if key.isRequired, file == nil {
                    problems.append("\(key.name) is missing: \(key.documentation)")
                }
                continue
            }
            if let fault = key.fault(in: value.text) {
                let shown = key.isSecret ? "" : "\"\(value.text.prefix(100))\" "
                problems.append("\(key.name) (\(value.origin)): \(shown)\(fault)")
            }
            texts[key.name] = value.text
        }
        guard problems.isEmpty else { throw ConfigurationError(problems.sorted()) }
        self.texts = texts
    }

    /// The value of a key that has a default or must be given.
    ///
    /// - Throws: ``ConfigurationError`` when the key was not declared or has neither value nor default.
    public func value<Value>(_ key: ConfigurationKey<Value>) throws -> Value {
        guard let value = try optionalValue(key) else { throw ConfigurationError("\(key.name) is missing") }
        return value
    }

    /// The value of a key, its default, or nil.
    ///
    /// - Throws: ``ConfigurationError`` when the key was not declared.
    public func optionalValue<Value>(_ key: ConfigurationKey<Value>) throws -> Value? {
        guard keys.contains(where: { $0.name == key.name }) else {
            throw ConfigurationError("\(key.name) is read but not declared; the program is at fault")
        }
        guard let text = texts[key.name] else { return key.defaultValue }
        return key.value(from: text)
    }

    /// The values of the secrets that were given, so that the log can hold them back.
    public var secretValues: [String] {
        keys.flatMap { key in texts[key.name].map { key.secrets(in: $0) } ?? [] }.filter { !$0.isEmpty }
    }

    /// Every key with the value in use, secrets hidden, sorted by name.
    public var effective: [(name: String, value: String)] {
        keys.map { key in
            (key.name, texts[key.name].map { key.isSecret ? key.shown($0) : $0 } ?? key.defaultText ?? "")
        }.sorted { $0.name < $1.name }
    }

    /// A table of keys in Markdown, for `--help` and the README.
    public static func describe(_ keys: [any AnyConfigurationKey]) -> String {
        let header = [["key", "type", "unit", "default", "what it does"]]
        let rows = (keys + [fileKey]).sorted { $0.name < $1.name }.map { key in
            let missing = key.isRequired ? "required" : "none"
            let note = key.isSecret ? " Also as \(SecretFile.key(of: key.name))." : ""
            return [
                "`\(key.name)`", key.typeName.replacingOccurrences(of: "|", with: "\\|"), key.unit ?? "",
                key.defaultText.map { "`\($0)`" } ?? missing, key.documentation + note,
            ]
        }
        let widths = (0..<5).map { column in (header + rows).map { $0[column].count }.max() ?? 0 }
        func line(_ cells: [String]) -> String {
            let padded = zip(cells, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return "| \(padded.joined(separator: " | ")) |"
        }
        let rule = "|\(widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|"))|"
        return (header.map(line) + [rule] + rows.map(line)).joined(separator: "\n") + "\n"
    }
}
