import ArgumentParser
import Foundation
import Schemas
import ServiceRuntime

/// `errata schema`: prints the contracts of the events and of the metrics.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract:
            "Print the JSON Schema of an event type, the AsyncAPI document of all topics, or a list of all metrics."
    )

    @Flag(help: "List the event types.")
    var list = false

    @Argument(help: "An event type such as errata.evaluation.v1, asyncapi, or metrics.")
    var name: String?

    func run() throws {
        if list {
            for type in EventType.allCases { Terminal.out(type.rawValue) }
            return
        }
        guard let name else { throw ValidationError("name an event type, asyncapi, metrics, or --list") }
        Terminal.out(String(decoding: try Self.document(name), as: UTF8.self))
    }

    /// The document of an event type, the AsyncAPI document, or the page of metrics.
    static func document(_ name: String) throws -> Data {
        if name == "asyncapi" { return SchemaDocuments.asyncAPI }
        if name == "metrics" { return Data(MetricsPage.markdown.utf8) }
        guard let type = EventType(rawValue: name) else {
            throw ValidationError("unknown event type '\(name)'; `errata schema --list` names them")
        }
        return SchemaDocuments.schema(for: type)
    }
}
