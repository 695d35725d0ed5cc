import Foundation
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ErrataCLICore
@testable import ServiceRuntime

@Suite("errata trace, lineage and replay")
struct StoryTests {
    private static let run = RunEvent(
        id: "run-1",
        name: "first",
        dataset: "d",
        seed: 7,
        student: StudentReference(modelHash: "m-0", tokenizerFingerprint: "t"),
        stages: [
            RunStage(
                name: "hsft",
                supervised: SupervisedMethod([ExampleSource("templates")]),
                start: StageStart(examples: 1)
            )
        ],
        suites: []
    )

    /// A problem that was submitted, taught, learned from in a run's stage and attempted; and another that was only stored.
    private func withStory(_ body: (PostgresPool) async throws -> Void) async throws {
        try await TestDatabase.withPool { pool in
            let problem = ProblemEvent(id: "p-1", dataset: "d", split: .train, question: "What is p-1?", answer: "2")
            let eventID = try ProblemLines.eventID(of: problem)
            try await pool.execute(
                """
                INSERT INTO inbox (consumer, event_id, topic, partition, "offset")
                VALUES ('teacher-ingestion', \(eventID), \(Topic.problems.rawValue), 3, 41)
                """
            )
            for id in ["p-1", "p-2"] { try await StoredTraces.insert(problem: id, answer: "2", in: pool) }
            for (key, subject) in [("k-1", "p-1"), ("k-2", "a-1"), ("k-3", "p-2")] {
                try await pool.execute(
                    """
                    INSERT INTO teacher_calls (key, problem_id, prompt_id, prompt_version, model, temperature, seed, response,
                                               finish_reason, prompt_tokens, completion_tokens, cost, latency_ms)
                    VALUES (\(key), \(subject), 'chain-of-thought', '1', 'm', 0, 1, 'x', 'stop', 10, 5, 0.25, 9)
                    """
                )
            }
            try await StoredTraces.insert("t-1", of: "p-1", StoredTraces.chain("2", correct: true), in: pool)
            try await StoredTraces.insert(
                "t-2",
                of: "p-1",
                StoredTraces.chain("3", correct: false),
                failure: "the answer 3 is not 2",
                failureKind: "wrong-answer",
                in: pool
            )
            let initial = CheckpointEvent.initial(of: Self.run, path: "m-0")
            let trained = CheckpointEvent(
                id: CheckpointEvent.id(run: "run-1", round: 1, stage: "hsft"),
                runId: "run-1",
                stage: "hsft",
                round: 1,
                parentCheckpointId: initial.id,
                modelHash: "m-1",
                path: "m-1",
                tokensTrained: 100,
                steps: 4,
                finalLoss: 0.5,
                trainSeconds: 2,
                examples: ["templates": 1]
            )
            try await pool.withTransaction { transaction in
                try await RunStore.insert(Self.run, in: transaction)
                try await RunStore.insert(initial, in: transaction)
                _ = try await JobStore.start(
                    StageID(run: "run-1", round: 1, stage: "hsft"),
                    inputs: JobStore.Inputs(problems: ["p-1"]),
                    in: transaction
                )
                try await RunStore.insert(trained, in: transaction)
                let attempt = AttemptEvent(
                    id: "a-1",
                    runId: "run-1",
                    checkpointId: trained.id,
                    problemId: "p-1",
                    sample: 0,
                    output: "3",
                    answer: "3",
                    correct: false,
                    promptFormat: "chain-of-thought"
                )
                try await EvaluationStore.insert([attempt], in: transaction)
                try await transaction.execute(
                    """
                    INSERT INTO dead_letters (id, consumer, topic, partition, "offset", key, payload, headers, cause_code,
                                              cause_message, attempts)
                    VALUES ('l-1', 'key-step-locator', 'errata.traces.v1', 0, 5, \(Data("p-1".utf8)), NULL, '[]', 'bad', 'so',
                            1),
                           ('l-2', 'teacher-ingestion', 'errata.problems.v1', 0, 6, NULL, \(Data("{p-1}".utf8)), '[]', 'bad',
                            'so', 1),
                           ('l-3', 'teacher-ingestion', 'errata.problems.v1', 0, 7, \(Data("p-3".utf8)), NULL, '[]', 'bad',
                            'so', 1)
                    """
                )
            }
            try await body(pool)
        }
    }

    @Test("a problem's story has each thing that names it, in order of time, and what only names others is not in it")
    func story() async throws {
        try await withStory { pool in
            let events = try await TraceCommand.events(of: "p-1", from: pool)
            #expect(
                Set(events.map(\.kind))
                    == [.received, .stored, .teacherCall, .trace, .trained, .attempt, .deadLetter]
            )
            #expect(events.map(\.at) == events.map(\.at).sorted())
            let received = try #require(events.first { $0.kind == .received })
            #expect(received.details["partition"] == 3 && received.details["offset"] == 41)
            #expect(events.filter { $0.kind == .teacherCall }.map { $0.details["for"] } == ["p-1", "a-1"])
            #expect(Set(events.filter { $0.kind == .deadLetter }.map { $0.details["id"] }) == ["l-1", "l-2"])
            let text = StoryText.text(of: events)
            for part in [
                "errata.problems.v1/3/41", "by now ingested", "refused for wrong-answer: the answer 3 is not 2",
                "hsft of run first", "wrong, answer 3", "2 answers, tokens sent 20, received 10, cost 0.5000",
            ] {
                #expect(text.contains(part), "\(part) in \(text)")
            }
            for event in events {
                let line = try EventCoding.decodeJSON(JSONValue.self, from: Data(StoryText.line(of: event).utf8))
                #expect(line.objectValue?["event"] == .string(event.kind.rawValue))
            }
            #expect(try await TraceCommand.events(of: "nobody", from: pool).isEmpty)
        }
    }

    @Test("a message that another program sent is found where it alone was taken in with the problem")
    func foreignMessage() async throws {
        try await withStory { pool in
            try await pool.execute(
                """
                INSERT INTO inbox (consumer, event_id, topic, partition, "offset", received_at)
                SELECT 'teacher-ingestion', 'own-id', \(Topic.problems.rawValue), 1, 8, created_at
                FROM problems WHERE id = 'p-2'
                """
            )
            let received = try await TraceCommand.events(of: "p-2", from: pool).filter { $0.kind == .received }
            #expect(received.map { $0.details["event"] } == ["own-id"])
        }
    }

    @Test("a lineage goes to the initial student, and has what its stages learned from and cost")
    func lineage() async throws {
        try await withStory { pool in
            let found = try await RunStore.checkpoints(matching: "m-1", from: pool)
            let lineage = try await Lineage.of(try #require(found.first), from: pool)
            #expect(lineage.links.map(\.checkpoint.stage) == ["hsft", "initial"])
            #expect(lineage.links.map(\.problems) == [1, 0])
            #expect(lineage.datasets == [Lineage.Dataset(name: "d", problems: 1)])
            #expect(lineage.traces.map(\.count) == [1], "what was refused, and what others learned from, is not in it")
            let ids = try #require(lineage.traces.first?.ids)
            let known = try await TraceStore.traces(ids: ids, from: pool)
            #expect(known.map(\.problemId) == ["p-1"] && known.allSatisfy { $0.verified })
            let json = String(decoding: try EventCoding.encodeJSON(lineage), as: UTF8.self)
            #expect(json.contains("\"ids\":[\"\(ids[0])\"]"))
            #expect(!LineageText.text(of: lineage).contains("\n  \(ids[0])"))
            #expect(LineageText.text(of: lineage, listingTraces: true).contains("\n  \(ids[0])"))
            #expect(lineage.calls.map(\.answers) == [1] && lineage.calls.map(\.cost) == [0.25])
            let text = LineageText.text(of: lineage)
            for part in [
                "hsft, round 1 of run first", "model m-1", "from initial", "problems learned from: d 1", "cost 0.2500",
            ] {
                #expect(text.contains(part), "\(part) in \(text)")
            }
        }
    }

    @Test("a run whose student is another run's checkpoint goes on to that run")
    func across() async throws {
        try await withStory { pool in
            var second = Self.run
            second.id = "run-2"
            second.student.modelHash = "m-1"
            let run = second
            try await pool.withTransaction { transaction in
                try await RunStore.insert(run, in: transaction)
                try await RunStore.insert(CheckpointEvent.initial(of: run, path: "m-1"), in: transaction)
            }
            let initial = try await RunStore.checkpoint(run: "run-2", round: 1, stage: "initial", from: pool)
            let lineage = try await Lineage.of(try #require(initial), from: pool)
            #expect(lineage.links.map(\.run) == ["run-2", "run-1", "run-1"])
        }
    }

    @Test("what was published goes out again under its id, by topic, key and time; what is stored is added once")
    func replayed() async throws {
        try await withStory { pool in
            let trace = TraceEvent(
                id: "t-9",
                problemId: "p-1",
                verified: true,
                body: StoredTraces.chain("2", correct: true),
                teacher: StoredTraces.teacher
            )
            try await pool.withTransaction { transaction in
                try await transaction.send([try OutgoingEvent(trace, source: "/errata/x", time: Date())])
            }
            try await pool.execute("UPDATE outbox SET published_at = now()")
            func waiting() async throws -> Int {
                try await pool.value("SELECT count(*) FROM outbox WHERE published_at IS NULL")
            }
            for filter in [
                PublishedFilter(topics: [Topic.runs.rawValue]), PublishedFilter(key: "p-2"),
                PublishedFilter(since: Date() + 3_600), PublishedFilter(until: Date() - 3_600),
            ] {
                #expect(try await Republishing.start(filter, in: pool) == 0)
            }
            let filter = PublishedFilter(topics: Topic.allCases.map(\.rawValue))
            #expect(try await Republishing.counts(filter, from: pool).map(\.count) == [1])
            #expect(try await Republishing.start(filter, in: pool) == 1)
            #expect(try await waiting() == 1)

            let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            try await pool.execute("UPDATE problems SET trace_context = \(parent) WHERE id = 'p-1'")
            let told = try await TraceCommand.events(of: "p-1", from: pool).first { $0.kind == .stored }
            #expect(told?.details["traceId"] == .string("0af7651916cd43dd8448eb211c80319c"))
            let stored = StoredEvents(topics: Set(Topic.allCases), filter: filter, pool: pool)
            #expect(try await stored.counts() == [.problems: 2, .runs: 1])
            #expect(try await stored.send() == 3)
            #expect(try await stored.send() == 0)
            #expect(try await waiting() == 4)
            let problem = ProblemEvent(id: "p-1", dataset: "d", split: .train, question: "What is p-1?", answer: "2")
            let eventID = try ProblemLines.eventID(of: problem)
            let payload: String = try await pool.value("SELECT payload FROM outbox WHERE event_id = \(eventID)")
            #expect(Data(payload.utf8) == (try EventCoding.encode(problem)))
            let runEventID = try RunSubmission.eventID(of: Self.run)
            let runs = try await pool.value("SELECT count(*) FROM outbox WHERE event_id = \(runEventID)", as: Int.self)
            #expect(runs == 1, "the run goes out under the id that `errata runs submit` gave it")
            let carried: String? = try await pool.value("SELECT trace_context FROM outbox WHERE event_id = \(eventID)")
            #expect(carried == parent)

            // Published long ago and pruned, they are made from what is stored once more.
            try await pool.execute("UPDATE outbox SET published_at = now(), payload = '' WHERE source = '/errata/cli'")
            #expect(try await Republishing.counts(filter, from: pool).isEmpty)
            #expect(try await stored.counts() == [.problems: 2, .runs: 1])
            #expect(try await stored.send() == 3)
            #expect(try await stored.send() == 0)
            #expect(try await waiting() == 4)
            let again: String = try await pool.value("SELECT payload FROM outbox WHERE event_id = \(eventID)")
            #expect(again == payload)
        }
    }

    @Test("another run under the same id is another event, and the same one again is the same event")
    func runEventIDs() throws {
        var other = Self.run
        other.seed += 1
        let id = try RunSubmission.eventID(of: Self.run)
        #expect(try RunSubmission.eventID(of: Self.run) == id)
        #expect(try RunSubmission.eventID(of: other) != id)
    }

    @Test("the status tells of open dead letters, of what waits and why, and of money, and no body of a trace is in it")
    func status() async throws {
        try await withStory { pool in
            var second = Self.run
            second.id = "run-2"
            second.name = "second"
            second.teacherBudget = RunTeacherBudget(tokens: 900)
            let run = second
            try await pool.withTransaction { try await RunStore.insert(run, in: $0) }
            try await pool.execute(
                """
                INSERT INTO teacher_spending (scope, calls, tokens, cost)
                VALUES ('day:' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 3, 45, 0.75), ('run:run-2', 1, 15, 0.25)
                """
            )
            let environment = ["ERRATA_TEACHER_DAY_TOKENS": "1000"]
            let text = StatusText.text(of: try await StatusFigures.read(from: pool), environment: environment)
            for part in [
                "today (UTC): 3 answers, 45 of 1000 tokens, cost 0.7500", "run run-2: 15 of 900 tokens, cost 0.2500",
                "outbox: empty", "bad", "stage hsft of second (run-2) waits for its parent, initial", "largest tables",
                "attempts  ", "inbox  ", "outbox  ", "teacher_calls  ",
            ] {
                #expect(text.contains(part), "\(part) in \(text)")
            }
            try await pool.execute(
                "UPDATE training_jobs SET state = 'running', started_at = now(), step = 3, total_steps = 9 WHERE run_id = 'run-2'"
            )
            let running = StatusText.text(of: try await StatusFigures.read(from: pool))
            #expect(
                running.contains("second (run-2)") && running.contains("3/9")
                    && !running.contains("waits for its parent")
            )
        }
    }

    @Test("the status as JSON has the documented keys and no others, each of them always")
    func statusAsJSON() async throws {
        try await withStory { pool in
            let time = Date(timeIntervalSince1970: 0)
            func paths(_ lags: [ConsumerLag]?) async throws -> Set<String> {
                let object = try StatusReport.object(of: try await StatusFigures.read(from: pool), lags: lags, at: time)
                let written = try EventCoding.encodeJSON(object)
                return Self.paths(of: try EventCoding.decodeJSON(JSONValue.self, from: written))
            }
            let documented = Set(StatusReport.keys.map(\.path))
            let lags = [ConsumerLag(group: "g", topics: [.runs], messages: 3)]
            // Lists that are empty show none of their elements' keys.
            let first = try await paths(nil)
            let unseen = documented.subtracting(first)
            #expect(first.isSubset(of: documented) && unseen.allSatisfy { $0.contains("[]") })

            var second = Self.run
            second.id = "run-2"
            second.teacherBudget = RunTeacherBudget(tokens: 900)
            var third = Self.run
            third.id = "run-3"
            let runs = [second, third]
            try await pool.withTransaction { transaction in
                for run in runs { try await RunStore.insert(run, in: transaction) }
                try await EvaluationJobStore.insertRollout(checkpoint: "c", run: "run-2", round: 1, in: transaction)
            }
            try await pool.execute(
                """
                UPDATE training_jobs SET state = 'running', started_at = now(), loss = 'NaN' WHERE run_id = 'run-2'
                """
            )
            try await pool.execute("INSERT INTO teacher_pauses (server, reason) VALUES ('http://t', 'away')")
            try await pool.execute(
                """
                INSERT INTO parked_messages (consumer, topic, partition, "offset", headers, first_seen, tries, next_try, reason,
                                             on_arrival)
                VALUES ('evaluator', 'errata.checkpoints.v1', 0, 1, '[]', now(), 1, now(), 'so', false),
                       ('teacher-ingestion', 'errata.problems.v1', 0, 1, '[]', NULL, 0, now(), 'so', true)
                """
            )
            #expect(try await paths(lags).union(["consumers"]) == documented)
        }
    }

    /// The keys of a value, as the documentation writes them.
    private static func paths(of value: JSONValue, at path: String = "") -> Set<String> {
        if let members = value.objectValue {
            return members.reduce(into: []) { paths, member in
                paths.formUnion(Self.paths(of: member.value, at: path.isEmpty ? member.key : "\(path).\(member.key)"))
            }
        }
        guard let elements = value.arrayValue, !elements.contains(where: { $0.objectValue == nil }) else {
            return [path]
        }
        return elements.reduce(into: []) { $0.formUnion(Self.paths(of: $1, at: "\(path)[]")) }
    }
}
