import Foundation
import ServiceRuntime
import Teaching

/// What the teacher's tokens cost, by role.
enum TeacherPrices {
    /// Reads the prices of a file of settings by role: the one that is given, else that of ERRATA_TEACHERS; none without one.
    ///
    /// The servers that the file names are not looked at.
    ///
    /// - Throws: `ConfigurationError` or ``CLIError`` that names the file and what is wrong with it.
    static func read(
        file: String?,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> [TeacherRole: TeacherSettings.Price] {
        let key = file == nil ? "ERRATA_TEACHERS" : "--teachers"
        let path = file ?? environment["ERRATA_TEACHERS"] ?? ""
        let entries = try NamedEntries.read(TeacherSettings.self, file: path, key: key)
        if let (name, known) = TeacherSettings.unknownName(in: entries) {
            throw CLIError("\(key): \(path): '\(name)' is no role; the roles are \(known)")
        }
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            guard entry.price?.isPossible != false else {
                throw CLIError("\(key): \(path): \(name).price must not be negative")
            }
        }
        return TeacherSettings.byRole(entries).compactMapValues(\.price)
    }
}
