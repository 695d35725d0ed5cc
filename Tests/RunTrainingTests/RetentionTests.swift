import Distillation
import Foundation
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import RunTraining

@Suite("Models that nothing needs")
struct RetentionTests {
    private static let life = Duration.seconds(10 * 86_400)

    /// Stores a made-up model.
    private func store(_ name: String, parent: String? = nil, in bench: StageBench) throws -> String {
        let stored = try bench.store.make { folder in
            try Data(name.utf8).write(to: folder.appending(path: "model.safetensors"))
        }
        try bench.store.note(ModelRecord.Origin(source: name, parent: parent), of: stored.hash)
        return stored.hash
    }

    private func end(_ run: String, daysAgo: Int, _ bench: StageBench) async throws {
        try await bench.pool.execute(
            """
            UPDATE runs SET state = 'finished', ended_at = now() - make_interval(days => \(daysAgo)::int) WHERE id = \(run)
            """
        )
    }

    @Test(
        "of a run that ended long ago the student, the last candidate and what it was trained from stay, the others go"
    )
    func endedRun() async throws {
        try await StageBench.with { bench in
            let parent = try store("parent", parent: bench.student.hash, in: bench)
            let last = try store("last", parent: parent, in: bench)
            let side = try store("side", parent: bench.student.hash, in: bench)
            let run = bench.run(stages: [.templates("a"), .templates("side"), .templates("b", parent: "a")])
            try await bench.insert(run)
            try await bench.insert(bench.checkpoint("a", of: run, modelHash: parent))
            try await bench.insert(bench.checkpoint("side", of: run, modelHash: side))
            try await bench.insert(bench.checkpoint("b", of: run, parent: "a", modelHash: last))
            let collection = ModelCollection(pool: bench.pool, store: bench.store)
            let later = Date(timeIntervalSinceNow: 11 * 86_400)
            func unneeded() async throws -> [String] { try await collection.unneeded(life: Self.life, now: later) }
            #expect(try await unneeded() == [], "the run is active")
            try await end("r1", daysAgo: 9, bench)
            #expect(try await unneeded() == [], "it ended not long ago")
            try await end("r1", daysAgo: 11, bench)
            #expect(try await unneeded() == [side])
            #expect(try await collection.unneeded(life: Self.life) == [], "what came into the store just now stays")
            try bench.store.setName("kept", for: side)
            #expect(try await unneeded() == [], "it has a name")
            try bench.store.removeName("kept")
            #expect(try await collection.remove(try await unneeded(), life: Self.life, now: later) == [side])
            #expect(try Set(bench.store.hashes()) == [bench.student.hash, parent, last])
        }
    }

    @Test("candidates that were promoted and champions of rounds stay, whatever came after them")
    func champions() async throws {
        try await StageBench.with { bench in
            let run = bench.run(
                stages: [.templates()],
                suites: [.ofTen()],
                rounds: RunRounds(),
                gate: .on("templates")
            )
            try await bench.insert(run)
            var models: [String] = []
            for round in 1...4 {
                models.append(try store("round-\(round)", parent: bench.student.hash, in: bench))
                let checkpoint = bench.checkpoint("templates", of: run, round: round, modelHash: models[round - 1])
                if round > 1 {
                    try await bench.startRound(
                        round,
                        of: run,
                        champion: bench.checkpoint("templates", of: run, round: round == 4 ? 3 : 1),
                        from: bench.checkpoint(RunStage.initial, of: run)
                    )
                }
                try await bench.insert(checkpoint)
            }
            try await end("r1", daysAgo: 11, bench)
            let collection = ModelCollection(pool: bench.pool, store: bench.store)
            let later = Date(timeIntervalSinceNow: 11 * 86_400)
            // The first and third were champions of later rounds, the fourth is the last; the second was neither.
            #expect(try await collection.unneeded(life: Self.life, now: later) == [models[1]])
            let verdict = VerdictEvent(
                id: "v2",
                runId: run.id,
                round: 2,
                decision: .promote,
                by: .operator,
                reasons: ["planted"],
                candidateCheckpointId: CheckpointEvent.id(run: run.id, round: 2, stage: "templates"),
                championCheckpointId: CheckpointEvent.id(run: run.id, round: 1, stage: "templates")
            )
            try await bench.pool.withTransaction { try await RoundStore.insert(verdict, in: $0) }
            #expect(try await collection.unneeded(life: Self.life, now: later) == [])
        }
    }

    @Test("a model that is stored again, or that a run comes for, after it was found unneeded is left")
    func wantedMeanwhile() async throws {
        try await StageBench.with { bench in
            try bench.store.setName("student", for: bench.student.hash)
            let stored = try store("stored again", in: bench)
            let asked = try store("asked for", in: bench)
            let idle = try store("idle", in: bench)
            let collection = ModelCollection(pool: bench.pool, store: bench.store)
            let later = Date(timeIntervalSinceNow: 11 * 86_400)
            let found = try await collection.unneeded(life: Self.life, now: later)
            #expect(found == [stored, asked, idle].sorted())
            try FileManager.default.setAttributes(
                [.modificationDate: later],
                ofItemAtPath: bench.store.folder(stored).path
            )
            var run = bench.run(stages: [.templates()])
            run.student.modelHash = asked
            try await bench.insert(run, initial: false)
            let removed = try await collection.remove(found, life: Self.life, now: later)
            #expect(removed == [idle])
            let left = try Set(bench.store.hashes())
            #expect(left == [bench.student.hash, stored, asked])
            let record = try bench.store.record(of: stored)
            #expect(record?.origins.first?.source == "stored again")
        }
    }

    @Test("models of no run go with those that were trained from them, the latter first")
    func chains() async throws {
        try await StageBench.with { bench in
            let first = try store("first", in: bench)
            let second = try store("second", parent: first, in: bench)
            let third = try store("third", parent: second, in: bench)
            try bench.store.setName("student", for: bench.student.hash)
            let collection = ModelCollection(pool: bench.pool, store: bench.store)
            let later = Date(timeIntervalSinceNow: 11 * 86_400)
            func unneeded() async throws -> [String] { try await collection.unneeded(life: Self.life, now: later) }
            try bench.store.setName("end", for: third)
            #expect(try await unneeded() == [], "all are what a named one was trained from")
            try bench.store.removeName("end")
            #expect(try await unneeded() == [first, second, third].sorted())
            #expect(
                try await collection.remove(try await unneeded(), life: Self.life, now: later) == [
                    third, second, first,
                ]
            )
            #expect(try bench.store.hashes() == [bench.student.hash])
        }
    }

    @Test("a collection takes away what a look tells of, in as many batches as it takes, and says so in the log")
    func collection() async throws {
        try await StageBench.with { bench in
            for number in 0..<5 {
                try await bench.pool.execute(
                    """
                    INSERT INTO inbox (consumer, event_id, topic, source, partition, "offset", received_at)
                    VALUES ('c', \("e-\(number)"), 't', '/s', 0, 1, now() - interval '2 days')
                    """
                )
            }
            try await bench.insertTemplates(0..<3)
            try await bench.pool.execute("UPDATE traces SET body = jsonb_set(body, '{grader}', '\"another\"')")
            let retention = Retention(
                pool: bench.pool,
                store: bench.store,
                policy: RetentionPolicy(inboxDays: 1, outboxDays: 1, modelDays: 1),
                batch: 2
            )
            let found = try await retention.look()
            #expect(found.inboxRows == 5 && found.outboxBodies == 0 && found.models.isEmpty && found.leftovers.isEmpty)
            #expect(found.rowVersions == 3, "no stage began with them")
            let log = LogBook()
            #expect(try await retention.collect(logger: log.logger) == found)
            #expect(log.count("inbox-rows=5") == 1 && log.count("row-versions=3") == 1)
            #expect(try await retention.collect(logger: log.logger).isEmpty)
            #expect(log.count("collected") == 1, "nothing is said of nothing")
        }
    }
}
