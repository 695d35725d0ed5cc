import CompletionClient
import Foundation
import Schemas
import ServiceRuntime
import Teaching

/// What this service wants of the settings: a server and a model for every role, within bounds.
extension TeacherSettings {
    /// Where the server is.
    ///
    /// - Throws: ``ConfigurationError`` where the address is none.
    func address(in place: String) throws -> ServerAddress {
        guard let url else {
            throw ConfigurationError("\(place): no address; set url, or ERRATA_TEACHER_URL")
        }
        guard let address = ServerAddress(url) else {
            throw ConfigurationError("\(place): url is '\(url)'; it must be like http://HOST:8000/v1")
        }
        return address
    }

    /// Checks what is said.
    ///
    /// - Throws: ``ConfigurationError`` that names the place and the bound.
    func check(_ place: String) throws {
        func refuse(_ reason: String) -> ConfigurationError { ConfigurationError("\(place).\(reason)") }
        if let temperature, !(0...2).contains(temperature) { throw refuse("temperature must be 0 to 2") }
        if let topP, !(topP > 0 && topP <= 1) { throw refuse("topP must be above 0 and at most 1") }
        if let maximumTokens, !(1...1_000_000).contains(maximumTokens) {
            throw refuse("maximumTokens must be 1 to 1000000")
        }
        for (name, value) in [
            ("timeoutSeconds", timeoutSeconds), ("silenceSeconds", silenceSeconds),
            ("firstByteSeconds", firstByteSeconds), ("connectSeconds", connectSeconds),
        ] {
            if let value, !(value > 0 && value <= 86_400) { throw refuse("\(name) must be above 0 and at most 86400") }
        }
        if let seed, !(0...Int64(Int32.max)).contains(seed) { throw refuse("seed must be 0 to \(Int32.max)") }
        if let apiKeyFile { try Self.checkKey(apiKeyFile) { refuse("apiKeyFile \($0)") } }
        for name in (headers ?? [:]).keys.sorted() where !Self.isHeaderName(name) {
            throw refuse("headers has '\(name)', which is no name of a header")
        }
        for (name, value) in headers ?? [:] where !value.utf8.allSatisfy({ $0 == 9 || ($0 >= 32 && $0 != 127) }) {
            throw refuse("headers.\(name) has a control character in its value")
        }
        if let concurrency, !(1...1000).contains(concurrency) { throw refuse("concurrency must be 1 to 1000") }
        if let price, !price.isPossible { throw refuse("price must not be negative") }
        for name in ["model", "messages", "stream"] where body?[name] != nil {
            throw refuse(
                "body.\(name) is not merged; \(name == "messages" ? "prompts make them" : "set \(name) itself")"
            )
        }
        if let n = body?["n"], n != .null, n != .integer(1), n != .number(1) {
            throw refuse("body.n must be 1: further choices would be paid for and thrown away")
        }
        try batch?.check("\(place).batch")
        if url != nil { _ = try address(in: place) }
    }

    /// Whether a name may stand in a request (RFC 9110, 5.1).
    private static func isHeaderName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    private static func checkKey(_ file: String, _ refuse: (String) -> ConfigurationError) throws {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw refuse("names \(file), which cannot be read; give the path of a file with the key in it")
        }
        let key = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !key.isEmpty, key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw refuse("names \(file), in which stands no key: it must hold one line of printable ASCII")
        }
    }

    /// The file's entries, merged and checked, by role.
    ///
    /// - Parameters:
    ///   - file: The path; nil or empty for none.
    ///   - keys: What the keys `ERRATA_TEACHER_…` say.
    /// - Returns: The settings of each role.
    /// - Throws: ``ConfigurationError`` that names file, entry and cure.
    static func read(file: String?, keys: TeacherSettings) throws -> [TeacherRole: TeacherSettings] {
        let key = TeacherIngestionService.Keys.teachers.name
        let entries = try NamedEntries.read(TeacherSettings.self, file: file ?? "", key: key)
        let place = file.map { "\(key): \($0): " } ?? ""
        if let (name, known) = TeacherSettings.unknownName(in: entries) {
            throw ConfigurationError("\(place)'\(name)' is no role; the roles are \(known)")
        }
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) { try entry.check(place + name) }
        let roles = TeacherSettings.byRole(entries, keys: keys)
        for (role, settings) in roles.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            _ = try settings.address(in: place + role.rawValue)
            guard settings.model?.isEmpty == false else {
                throw ConfigurationError("\(place)\(role.rawValue): no model; set model, or ERRATA_TEACHER_MODEL")
            }
        }
        return roles
    }
}
