import ArgumentParser
import Foundation
import Schemas

/// `errata schema`: prints the contracts of the events.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of an event type, or the AsyncAPI document of all topics."
    )

    @Flag(help: "List the event types.")
    var list = false

    @Argument(help: "An event type such as errata.evaluation.v1, or asyncapi.")
    var name: String?

    func run() throws {
        if list {
            for type in EventType.allCases { Terminal.out(type.rawValue) }
            return
        }
        guard let name else { throw ValidationError("name an event type, asyncapi, or --list") }
        Terminal.out(String(decoding: try Self.document(name), as: UTF8.self))
    }

    /// The document of an event type, or the AsyncAPI document.
    static func document(_ name: String) throws -> Data {
        if name == "asyncapi" { return SchemaDocuments.asyncAPI }
        guard let type = EventType(rawValue: name) else {
            throw ValidationError("unknown event type '\(name)'; `errata schema --list` names them")
        }
        return SchemaDocuments.schema(for: type)
    }
}
