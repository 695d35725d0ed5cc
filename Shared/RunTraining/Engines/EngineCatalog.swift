import Foundation
import ServiceRuntime

/// The engines other than Errata's own that stages may name: programs of this service's own configuration.
///
/// A program never comes from a message: whoever may write to the topic of runs must not run programs.
public struct EngineCatalog: Sendable {
    /// A program that trains a stage.
    public struct Engine: Sendable, Hashable, Codable {
        /// The program and its arguments; the folder of the work is added.
        public var command: [String]
        /// What is set in its environment beside this service's own.
        public var environment: [String: String]?
    }

    /// The engines by name.
    public let engines: [String: Engine]

    /// Reads a JSON file of engines; an empty path is none.
    ///
    /// - Throws: `ConfigurationError` that names the file and the cure.
    public init(file: String) throws {
        engines = try NamedEntries.read(file: file, key: ExternalEngineKeys.file.name)
        for (name, engine) in engines.sorted(by: { $0.key < $1.key }) where engine.command.first?.isEmpty ?? true {
            throw ConfigurationError("ERRATA_ENGINES: \(file): the engine \(name) has no command")
        }
    }

    /// What to say of a name that is none.
    func unknown(_ name: String) -> String {
        let known = engines.keys.sorted().joined(separator: ", ")
        return "engine: '\(name)' is not among the engines of this trainer's ERRATA_ENGINES"
            + (known.isEmpty ? ", which has none" : ": \(known)")
    }
}
