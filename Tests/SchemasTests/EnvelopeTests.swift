import Foundation
import Schemas
import Testing

@Suite("CloudEvents, codec, ids and times")
struct EnvelopeTests {
    private let event = CloudEvent(
        id: "e-1",
        source: "/errata/test",
        time: Date(timeIntervalSince1970: 1_700_000_000.25),
        payload: Samples.problem,
        trace: TraceContext(traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=1")
    )

    private func code(_ body: () throws -> Void) -> SchemasError? {
        #expect(throws: SchemasError.self) { try body() }
    }

    @Test("headers come back as the same event")
    func roundTrip() throws {
        var event = event
        event.extensions = ["partner": "x"]
        let headers = try event.headers()
        #expect(headers.map(\.0).prefix(4) == ["ce_specversion", "ce_id", "ce_source", "ce_type"])
        #expect(headers.contains { $0 == ("ce_time", Data("2023-11-14T22:13:20.250Z".utf8)) })
        #expect(headers.contains { $0 == ("content-type", Data("application/json".utf8)) })
        #expect(try CloudEvent(headers: headers + [("unrelated", Data([0xFF]))]) == event)
    }

    @Test("a missing attribute is named", arguments: ["ce_specversion", "ce_id", "ce_source", "ce_type"])
    func missing(header: String) throws {
        let headers = try event.headers().filter { $0.0 != header }
        let error = code { _ = try CloudEvent(headers: headers) }
        #expect(error?.code == .missingAttribute)
        #expect(error?.message.contains(header) == true)
    }

    @Test(
        "a bad header is refused for its reason",
        arguments: [
            ("ce_specversion", "2.0", SchemasError.Code.unknownSpecVersion), ("ce_id", "", .missingAttribute),
            ("ce_time", "yesterday", .malformedAttribute), ("content-type", "text/plain", .contentType),
            ("content-type", "application/cloudevents+json", .contentType),
            ("content-type", "application/json; charset=latin1", .contentType),
        ]
    )
    func bad(header: String, value: String, expected: SchemasError.Code) throws {
        let headers = try event.headers().map { ($0.0, $0.0 == header ? Data(value.utf8) : $0.1) }
        #expect(code { _ = try CloudEvent(headers: headers) }?.code == expected)
    }

    @Test("an optional attribute without a value is not there")
    func empty() throws {
        let headers = try event.headers().map { header in
            ["ce_time", "ce_subject", "ce_traceparent"].contains(header.0) ? (header.0, Data()) : header
        }
        let read = try CloudEvent(headers: headers + [("ce_partner", Data()), ("other", Data())])
        #expect(read.id == event.id && read.type == event.type)
        #expect(read.time == nil && read.subject == nil && read.trace == nil)
        #expect(read.extensions.isEmpty)
    }

    @Test("a doubled, an overlong and a non-UTF-8 attribute are refused")
    func malformed() throws {
        let headers = try event.headers()
        for extra in [("ce_id", Data("x".utf8)), ("ce_a", Data(count: 3000)), ("ce_b", Data([0xFF]))] {
            #expect(code { _ = try CloudEvent(headers: headers + [extra]) }?.code == .malformedAttribute)
        }
        let without = headers.filter { $0.0 != "content-type" }
        #expect(code { _ = try CloudEvent(headers: without) }?.code == .contentType)
        let spelled = without + [("Content-Type", Data("application/json; charset=UTF-8".utf8))]
        #expect(try CloudEvent(headers: spelled) == event)
    }

    @Test("an unknown version of a type is refused with the versions that are read")
    func unknownType() {
        var event = event
        #expect(throws: Never.self) { try event.requireType(oneOf: [.problem]) }
        event.type = "errata.problem.v9"
        let error = code { _ = try event.requireType(oneOf: [.problem]) }
        #expect(error?.code == .unknownType)
        #expect(error?.message.contains("errata.problem.v9") == true)
        #expect(error?.message.contains("errata.problem.v1") == true)
    }

    @Test("ids are derived, tell their parts apart and never change")
    func identifiers() {
        let id = DeterministicID.make(cause: "p-1", parts: "trace", "0")
        #expect(id == DeterministicID.make(cause: "p-1", parts: ["trace", "0"]))
        #expect(id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
        let all = [
            id, DeterministicID.make(cause: "p-1", parts: "trac", "e0"), DeterministicID.make(cause: "p-1"),
            DeterministicID.make(cause: "p-1", parts: "", "trace0"),
            DeterministicID.make(cause: "p-1trace", parts: "0"),
        ]
        #expect(Set(all).count == all.count)
    }

    @Test(
        "malformed bodies are refused with the path",
        arguments: [
            ("", SchemasError.Code.emptyMessage, "empty"), ("{", .malformedPayload, "not valid JSON"),
            ("[1]", .malformedPayload, "$"), (#"{"id":7}"#, .malformedPayload, "$.id is not text"),
            (
                #"{"id":"a","dataset":"d","split":"all","question":"q","answer":"1"}"#, .malformedPayload, "$.split"
            ),
            (
                #"{"id":"a","dataset":"d","split":"test","question":" \n","answer":"1"}"#, .invalidPayload,
                "$.question must not be empty"
            ),
            (
                #"{"id":"a b","dataset":"d","split":"test","question":"q","answer":"1"}"#, .invalidPayload, "$.id must"
            ),
            (
                #"{"id":"a","dataset":"d","split":"test","question":"q","answer":"1","steps":0}"#, .invalidPayload,
                "$.steps"
            ),
        ]
    )
    func badBodies(body: String, expected: SchemasError.Code, part: String) {
        let error = code { _ = try EventCoding.decode(ProblemEvent.self, from: Data(body.utf8)) }
        #expect(error?.code == expected)
        #expect(error?.message.contains(part) == true, "\(String(describing: error))")
    }

    @Test("a body beyond the limit is refused on both ways")
    func size() {
        var problem = Samples.problem
        problem.question = String(repeating: "x", count: 2 << 20)
        #expect(code { _ = try EventCoding.encode(problem) }?.code == .tooLarge)
        #expect(code { _ = try EventCoding.decode(ProblemEvent.self, from: Data(count: 2 << 20)) }?.code == .tooLarge)
    }

    @Test("a number that is not finite is refused with its path")
    func finite() {
        var checkpoint = Samples.checkpoint
        checkpoint.options = ["rate": .number(.nan)]
        let error = code { _ = try EventCoding.encode(checkpoint) }
        #expect(error?.code == .unencodable)
        #expect(error?.message.contains("$.options.rate") == true)
        checkpoint.finalLoss = .infinity
        #expect(code { _ = try EventCoding.encode(checkpoint) }?.code == .invalidPayload)
    }

    @Test("inconsistent figures are refused")
    func consistency() throws {
        var evaluation = Samples.evaluation
        evaluation.accuracy = 0.6
        #expect(code { try evaluation.validate() }?.message.contains("$.accuracy") == true)
        var keySteps = Samples.keySteps
        keySteps.right.weights = []
        #expect(code { try keySteps.validate() }?.message.contains("$.right.weights") == true)
        keySteps = Samples.keySteps
        keySteps.wrong.spans[0].end = 99
        #expect(code { try keySteps.validate() }?.message.contains("$.wrong.spans[0].end") == true)
        var trace = Samples.unverified
        trace.failure = nil
        #expect(code { try trace.validate() }?.message.contains("$.failure") == true)
        var checkpoint = Samples.checkpoint
        checkpoint.stage = RunStage.initial
        #expect(code { try checkpoint.validate() }?.message.contains("$.parentCheckpointId must not") == true)
        checkpoint = Samples.checkpoint
        checkpoint.parentCheckpointId = nil
        #expect(code { try checkpoint.validate() }?.message.contains("must be there for stage corrections") == true)
    }

    @Test("a checkpoint's id is that of its run, stage and round, and the first round's is that of runs without rounds")
    func checkpoints() throws {
        let first = CheckpointEvent.id(run: "r-1", round: 1, stage: "dpo")
        #expect(first == DeterministicID.make(cause: "r-1", parts: "checkpoint", "dpo"))
        #expect(
            CheckpointEvent.id(run: "r-1", round: 2, stage: "dpo")
                == DeterministicID.make(cause: "r-1", parts: "checkpoint", "dpo", "2")
        )
        let initial = CheckpointEvent.initial(of: Samples.run, path: "ab/abc")
        #expect(throws: Never.self) { try initial.validate() }
        #expect(initial.id == CheckpointEvent.id(run: "r-1", round: 1, stage: "initial"))
        #expect(initial.stage == "initial")
        #expect(initial.round == nil)
        #expect(initial.parentCheckpointId == nil)
        #expect(initial.modelHash == "abc")
        #expect(initial.tokenizerFingerprint == "def")
        #expect(initial.path == "ab/abc")
    }

    @Test("groups and comparisons of an evaluation fit its problems")
    func groups() throws {
        let changes: [(String, (inout EvaluationEvent) -> Void)] = [
            (
                "$.groups[0].by must be one of family, difficulty, steps, length, is 'weekday'",
                { $0.groups?[0].by = "weekday" }
            ),
            ("$.groups[0].value must not be empty", { $0.groups?[0].value = "" }),
            ("$.groups[0].problems must be 1 to 200, is 201", { $0.groups?[0].problems = 201 }),
            ("$.groups[0].correct must be 0 to 40, is 41", { $0.groups?[0].correct = 41 }),
            ("$.groups[0].interval does not hold the accuracy", { $0.groups?[0].correct = 30 }),
            ("$.truncated must be 0 to 200, is 201", { $0.truncated = 201 }),
            ("$.round must be at least 1, is 0", { $0.round = 0 }),
            (
                "$.comparisons[0].againstStage must be 1 to 200 letters, digits or . _ : @ / + -, and begin with a letter "
                    + "or digit", { $0.comparisons[0].againstStage = "a b" }
            ),
            ("$.comparisons[0].againstRound must be at least 1, is 0", { $0.comparisons[0].againstRound = 0 }),
            ("$.comparisons[0].problems must be 0 to 200, is -1", { $0.comparisons[0].problems = -1 }),
            ("$.comparisons[0].problems must be 0 to 200, is 201", { $0.comparisons[0].problems = 201 }),
            ("$.comparisons[0].onlyThis must be 0 to 100, is 101", { $0.comparisons[0].onlyThis = 101 }),
        ]
        for (message, change) in changes {
            var evaluation = Samples.evaluation
            change(&evaluation)
            let found = code { try evaluation.validate() }?.message
            #expect(found == "errata.evaluation.v1: \(message)")
        }
    }

    @Test("a verdict says why, promotes only a candidate, and its figures fit")
    func verdicts() throws {
        let changes: [(String, (inout VerdictEvent) -> Void)] = [
            ("$.candidateCheckpointId must be there for a promotion", { $0.candidateCheckpointId = nil }),
            ("$.reasons must say why", { $0.reasons = [] }),
            ("$.reasons[1] must not be empty", { $0.reasons = ["x", " "] }),
            ("$.look must be at least 1, is 0", { $0.look = 0 }),
            ("$.level must be 0.0 to 1.0, is 2.0", { $0.level = 2 }),
            (
                "$.comparison.onlyCandidate does not fit the numbers that each solves",
                { $0.comparison?.onlyCandidate = 11 }
            ),
            ("$.comparison.onlyChampion must be 0 to 94, is 95", { $0.comparison?.onlyChampion = 95 }),
            ("$.guards[0].candidateCorrect must be 0 to 50, is 51", { $0.guards[0].candidateCorrect = 51 }),
        ]
        for (message, change) in changes {
            var verdict = Samples.verdict
            change(&verdict)
            let found = code { try verdict.validate() }?.message
            #expect(found == "errata.verdict.v1: \(message)")
        }
        #expect(try #require(Samples.verdict.comparison).gain == 0.03)
        #expect(Samples.verdict.guards[0].gain == 0)
        // Without a candidate a round can still be told to be over.
        var hold = Samples.verdict
        (hold.decision, hold.candidateCheckpointId, hold.candidateModelHash) = (.hold, nil, nil)
        #expect(throws: Never.self) { try hold.validate() }
    }

    @Test("an order has a round only where it reads one", arguments: RunControlEvent.Action.allCases)
    func orders(action: RunControlEvent.Action) throws {
        var order = Samples.runControl
        order.action = action
        let schema = try SchemaValidator.of(.runControl)
        let json: JSONValue = try EventCoding.decodeJSON(from: EventCoding.encodeJSON(order))
        if [.promote, .reject].contains(action) {
            #expect(throws: Never.self) { try order.validate() }
            #expect(schema.faults(json) == [])
        } else {
            let error = code { try order.validate() }
            #expect(error?.message == "errata.run-control.v1: $.round is read with promote and reject; leave it out")
            #expect(schema.faults(json) == ["$.round: not allowed"])
        }
    }

    @Test("runs and orders to them stand on one topic under the run's id, verdicts on another")
    func topics() {
        #expect(Topic.runs.eventTypes == [.run, .runControl])
        #expect(Samples.run.key == "r-1")
        #expect(Samples.runControl.key == "r-1")
        #expect(Topic.verdicts.eventTypes == [.verdict])
        #expect(Topic.verdicts.keyMeaning == .run)
        #expect(Samples.verdict.key == "r-1")
        #expect(EventType.allCases.allSatisfy { $0.topic.eventTypes.contains($0) })
    }

    @Test("weights are kept in runs and come back")
    func weights() {
        let weights: [Float] = [0, 0, 1, -0.025, -0.025, 0]
        let side = KeyStepSide(text: "x", spans: [], tokenWeights: weights)
        #expect(side.weights.map(\.count) == [2, 1, 2, 1])
        #expect(side.tokenWeights == weights)
    }

    @Test("a dead letter of a large message fits an event and says that it was cut")
    func deadLetterIsCut() throws {
        let letter = DeadLetterEvent(
            id: "d",
            topic: "t",
            partition: 0,
            offset: 1,
            recordKey: Data([0xFF]),
            consumer: "c",
            cause: DeadLetterCause(code: "too-large", message: String(repeating: "m", count: 10_000)),
            payload: Data(count: 2 << 20),
            headers: (0..<100).map { ("h\($0)", Data(count: 4096)) },
            failedAt: Date(timeIntervalSince1970: 0),
            attempts: 1
        )
        #expect(letter.isPayloadCut)
        #expect(letter.payloadSize == 2 << 20)
        let data = try EventCoding.encode(letter)
        #expect(data.count < EventCoding.defaultSizeLimit)
        #expect(try EventCoding.decode(DeadLetterEvent.self, from: data) == letter)
    }

    @Test(
        "times are written and read",
        arguments: [
            ("1970-01-01T00:00:00.000Z", 0.0), ("2023-11-14T22:13:20.250Z", 1_700_000_000.25),
            ("2000-02-29T23:59:59.999Z", 951_868_799.999), ("1969-12-31T23:59:59.500Z", -0.5),
            ("0001-01-01T00:00:00.000Z", -62_135_596_800.0),
        ]
    )
    func times(text: String, seconds: Double) throws {
        let date = Date(timeIntervalSince1970: seconds)
        #expect(try Timestamp.format(date) == text)
        #expect(abs(try #require(Timestamp.parse(text)).timeIntervalSince1970 - seconds) < 1e-5)
    }

    @Test("offsets count and what is no time is refused")
    func oddTimes() {
        #expect(Timestamp.parse("1970-01-01T01:00:00+01:00") == Date(timeIntervalSince1970: 0))
        #expect(Timestamp.parse("1969-12-31T23:30:00.000000000-00:30") == Date(timeIntervalSince1970: 0))
        for text in [
            "", "2023", "2023-02-29T00:00:00Z", "2023-01-01 00:00:00Z", "2023-01-01T24:00:00Z", "2023-01-01T00:00:00",
            "2023-01-01T00:00:00.Z", "2023-01-01T00:00:00ZZ", "2023-13-01T00:00:00Z",
        ] {
            #expect(Timestamp.parse(text) == nil, "\(text)")
        }
        #expect(throws: SchemasError.self) { try Timestamp.format(Date(timeIntervalSince1970: .infinity)) }
    }
}
