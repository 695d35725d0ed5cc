import Foundation
import Schemas
import Testing

@Suite("What was checked when it came is read by later rules")
struct StoredEventTests {
    /// An event that a rule of today refuses, as it may stand in a database.
    struct Stored: Sendable, CustomTestStringConvertible {
        let payload: any EventPayload
        let message: String

        var testDescription: String { message }

        func check() throws {
            func open<Payload: EventPayload>(_ payload: Payload) throws {
                let json: JSONValue = try EventCoding.decodeJSON(from: EventCoding.encodeJSON(payload))
                let data = try EventCoding.encodeJSON(json.changing([], "anotherVersionsField", to: ["x": 1]))
                let read: Payload = try EventCoding.decode(from: data, isStored: true)
                #expect(try EventCoding.encodeJSON(read) == EventCoding.encodeJSON(payload))
                let error = #expect(throws: SchemasError.self) {
                    try EventCoding.decode(Payload.self, from: EventCoding.encodeJSON(payload))
                }
                #expect(error?.code == .invalidPayload)
                #expect(error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
            }
            try open(payload)
        }
    }

    private static func changed<Payload: EventPayload>(
        _ payload: Payload,
        _ message: String,
        _ change: (inout Payload) -> Void
    ) -> Stored {
        var payload = payload
        change(&payload)
        return Stored(payload: payload, message: "\(Payload.type.rawValue): $.\(message)")
    }

    private static let stored: [Stored] = [
        changed(Samples.problem, "question must not be empty") { $0.question = " " },
        changed(Samples.evaluation, "comparisons[0].againstRound must be at least 1") {
            $0.comparisons[0].againstRound = 0
        },
        changed(Samples.evaluation, "answers must be one of") { $0.answers = "essay" },
        changed(Samples.checkpoint, "parentCheckpointId must be there") { $0.parentCheckpointId = nil },
        changed(Samples.verdict, "reasons must say why") { $0.reasons = [] },
        changed(Samples.runControl, "round is read with promote and reject") { $0.action = .cancel },
        changed(Samples.run, "stages[1].keySteps.tieRule must be one of") { $0.stages[1].keySteps?.tieRule = "coin" },
        changed(Samples.run, "stages are 65; a run has at most 64") { $0.stages = Samples.reversedChain(65) },
    ]

    @Test("an event with an unknown key, and what a rule of today refuses", arguments: Self.stored)
    func refusedByNow(stored: Stored) throws { try stored.check() }

    @Test("a run in the earlier form, with words that were not looked at then")
    func fixedForm() throws {
        let coin = try Samples.fixedForm().changing([.member("stages"), .member("krsl")], "tieRule", to: "coin")
        let json = coin.changing(
            [.member("stages"), .member("hsft"), .member("training")],
            "schedule",
            to: "warmup-stable"
        )
        let error = #expect(throws: SchemasError.self) {
            try EventCoding.decode(RunEvent.self, from: EventCoding.encodeJSON(json))
        }
        #expect(error?.code == .invalidPayload)
        let run: RunEvent = try EventCoding.decode(from: EventCoding.encodeJSON(json), isStored: true)
        #expect(run.stages[0].training?.schedule == "warmup-stable")
        #expect(run.stages[1].keySteps?.tieRule == "coin")
    }

    @Test(
        "what is no event of the type is refused all the same",
        arguments: [
            (Data(), SchemasError.Code.emptyMessage), (Data("{".utf8), .malformedPayload),
            (Data("{}".utf8), .malformedPayload), (Data(count: EventCoding.defaultSizeLimit + 1), .tooLarge),
        ]
    )
    func malformed(body: Data, code: SchemasError.Code) {
        for error in [
            #expect(throws: SchemasError.self) {
                try EventCoding.decode(RunEvent.self, from: body, isStored: true)
            },
            #expect(throws: SchemasError.self) {
                try EventCoding.decode(ProblemEvent.self, from: body, isStored: true)
            },
        ] {
            #expect(error?.code == code)
        }
    }
}
