import Schemas
import Testing

/// A change that makes a run one that is refused.
struct Refusal: Sendable, CustomTestStringConvertible {
    /// How the message goes on after the type's name and `$.`: the place and what is wrong there.
    let message: String
    /// Whether the JSON Schema refuses it too: it can, where the rule joins no names of different parts of the run.
    let isInSchema: Bool
    let change: @Sendable (inout RunEvent) -> Void

    init(_ message: String, isInSchema: Bool = true, _ change: @escaping @Sendable (inout RunEvent) -> Void) {
        self.message = message
        self.isInSchema = isInSchema
        self.change = change
    }

    var testDescription: String { message }

    /// Checks that the changed run is refused by its type with this message, and by the schema where that can tell; and
    /// that it is read all the same where it was stored before there was the rule.
    func check(in base: RunEvent = Samples.run) throws {
        var run = base
        change(&run)
        let error = #expect(throws: SchemasError.self) { try run.validate() }
        #expect(error?.code == .invalidPayload)
        let start = "errata.run.v1: $.\(message)"
        #expect(error?.message.hasPrefix(start) == true, "\(error?.message ?? "") is not \(start)")
        let data = try EventCoding.encodeJSON(run)
        let faults = try SchemaValidator.of(.run).faults(EventCoding.decodeJSON(from: data))
        #expect(faults.isEmpty == !isInSchema, "\(faults)")
        #expect(try EventCoding.decode(RunEvent.self, from: data, isStored: true) == run)
    }
}
