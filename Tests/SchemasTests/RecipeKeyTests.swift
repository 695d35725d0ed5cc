import Foundation
import Schemas
import Testing

@Suite("Keys that no type of a run knows")
struct RecipeKeyTests {
    private static func member(
        _ name: String,
        _ rest: SchemaValidator.JSONPathStep...
    ) -> [SchemaValidator.JSONPathStep] { [.member(name)] + rest }

    /// Where a key is planted, and the key.
    private static let places: [([SchemaValidator.JSONPathStep], String)] = [
        ([], "sft"), ([], "round"), (member("student"), "name"), (member("prompt"), "template"),
        (member("stages", .element(0)), "supervisd"), (member("stages", .element(5)), "thresholds"),
        (member("stages", .element(0), .member("supervised")), "weight"),
        (member("stages", .element(0), .member("supervised"), .member("sources"), .element(1)), "wieght"),
        (member("stages", .element(0), .member("data")), "split"),
        (member("stages", .element(0), .member("start")), "pairs"),
        (member("stages", .element(0), .member("training")), "lr"),
        (member("stages", .element(0), .member("training"), .member("lora")), "r"),
        (member("stages", .element(1), .member("keySteps")), "bate"),
        (member("stages", .element(1), .member("keySteps"), .member("mix"), .element(0)), "styles"),
        (member("stages", .element(2), .member("preferences")), "supervisedWeight"),
        (member("stages", .element(2), .member("preferences"), .member("mix"), .element(1)), "kinds"),
        (member("rollout"), "seed"), (member("suites", .element(1)), "n"), (member("decoding"), "stopp"),
        (member("rounds"), "every"), (member("gate"), "suites"),
    ]

    @Test("an option that nothing reads is refused with its place, and left alone where it was checked before")
    func unknown() throws {
        let run = try EventCoding.encode(Samples.run)
        let value: JSONValue = try EventCoding.decodeJSON(from: run)
        let schema = try SchemaValidator.of(.run)
        for (path, name) in Self.places {
            let more = value.changing(path[...], name, to: ["x": 1])
            let data = try EventCoding.encodeJSON(more)
            let error = #expect(throws: SchemasError.self) { try EventCoding.decode(RunEvent.self, from: data) }
            let start = "errata.run.v1: \(path.text).\(name) is not known; known there are "
            #expect(error?.message.hasPrefix(start) == true, "\(error?.message ?? "") is not \(start)")
            #expect(error?.code == .invalidPayload)
            #expect(!schema.faults(more).isEmpty, "\(start)")
            let read = try EventCoding.decode(RunEvent.self, from: data, isStored: true)
            #expect(try EventCoding.encode(read) == run)
        }
    }

    @Test("the message names the keys that are known there")
    func known() throws {
        let value: JSONValue = try EventCoding.decodeJSON(from: EventCoding.encode(Samples.run))
        let more = value.changing([.member("stages"), .element(0), .member("start")], "pairs", to: 3)
        let error = #expect(throws: SchemasError.self) {
            try EventCoding.decode(RunEvent.self, from: EventCoding.encodeJSON(more))
        }
        #expect(
            error?.message
                == "errata.run.v1: $.stages[0].start.pairs is not known; known there are examples, waitSeconds"
        )
    }

    @Test("an order to a run refuses them too")
    func orders() throws {
        let value: JSONValue = try EventCoding.decodeJSON(from: EventCoding.encode(Samples.runControl))
        let more = value.changing([], "stage", to: "keys")
        let error = #expect(throws: SchemasError.self) {
            try EventCoding.decode(RunControlEvent.self, from: EventCoding.encodeJSON(more))
        }
        #expect(
            error?.message
                == "errata.run-control.v1: $.stage is not known; known there are action, by, id, reason, round, runId, teacherBudget"
        )
        #expect(try SchemaValidator.of(.runControl).faults(more) == ["$.stage: not allowed"])
    }
}
