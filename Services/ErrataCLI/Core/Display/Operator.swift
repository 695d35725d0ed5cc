import Foundation

/// Who uses the command, for what is written down of what was done.
enum Operator {
    /// The user's name; nil where the environment has none.
    static func name(environment: [String: String] = ProcessInfo.processInfo.environment) -> String? {
        ["USER", "LOGNAME"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
    }

    /// The user's name, or number where the environment has no name, as in a container.
    static var description: String { name() ?? "uid \(getuid())" }
}
