import Foundation

/// The file that holds a secret in place of its variable: `<key>_FILE` names it.
public enum SecretFile {
    /// The largest such file, in bytes.
    static let largest = 64 * 1024

    /// The key that names the file.
    static func key(of name: String) -> String { name + "_FILE" }

    /// The value of a key, or what its file holds; nil where neither is given.
    ///
    /// - Throws: ``ConfigurationError`` where both are given, or the file cannot be read.
    public static func value(of name: String, in environment: [String: String]) throws -> String? {
        guard let path = environment[key(of: name)] else { return environment[name] }
        guard environment[name] == nil else { throw doubled(name) }
        return try read(path, for: name)
    }

    /// What the file of a key holds, without the newlines at its end.
    static func read(_ path: String, for name: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path), data.count <= largest,
            var text = String(validating: data, as: UTF8.self)
        else {
            throw ConfigurationError(
                "\(key(of: name)) names \(path), which cannot be read as UTF-8 text of at most 64 KiB"
            )
        }
        while let last = text.unicodeScalars.last, last == "\n" || last == "\r" { text.unicodeScalars.removeLast() }
        return text
    }

    /// Says that both the key and its file are given.
    static func doubled(_ name: String) -> ConfigurationError {
        ConfigurationError("\(name) and \(key(of: name)) are both given; keep one")
    }
}
