import Foundation
import Logging
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("Leases and jobs")
struct JobsLeaseTests {
    private static func expire(_ name: String, in pool: PostgresPool) async throws {
        try await pool.execute("UPDATE leases SET expires_at = now() - interval '1 second' WHERE name = \(name)")
    }

    private static func acquire(
        _ holder: String,
        lifetime: Duration = .seconds(60),
        from pool: PostgresPool
    ) async throws -> JobLease {
        try #require(try await JobLease.acquire("job", holder: holder, lifetime: lifetime, from: pool))
    }

    /// Waits until the task is cancelled.
    private static func waitForCancellation() async throws {
        let (never, continuation) = AsyncStream.makeStream(of: Void.self)
        for await _ in never {}
        continuation.finish()
        throw CancellationError()
    }

    @Test("of many that want a lease at once one gets it, and the next when it is given back")
    func exclusion() async throws {
        try await TestDatabase.withPool { pool in
            let leases = try await withThrowingTaskGroup(of: JobLease?.self) { group in
                for index in 0..<20 {
                    group.addTask { try await JobLease.acquire("job", holder: "h-\(index)", from: pool) }
                }
                var held: [JobLease] = []
                for try await lease in group { if let lease { held.append(lease) } }
                return held
            }
            #expect(leases.count == 1)
            let lease = try #require(leases.first)
            #expect(try await JobLease.acquire("job", holder: "next", from: pool) == nil)
            #expect(try await JobLease.acquire("other job", holder: "next", from: pool) != nil)
            try await lease.release(in: pool)
            #expect(try await JobLease.acquire("job", holder: "next", from: pool) != nil)
        }
    }

    @Test("a lease lives as long as it says, to the fraction of a second")
    func lifetime() async throws {
        try await TestDatabase.withPool { pool in
            // Held against the database's clock before and after, however long the statements take.
            let before: Date = try await pool.value("SELECT clock_timestamp()")
            _ = try await Self.acquire("first", lifetime: .milliseconds(90_900), from: pool)
            let fits: Bool = try await pool.value(
                """
                SELECT expires_at BETWEEN \(before)::timestamptz + interval '90.899 s'
                                      AND clock_timestamp() + interval '90.9 s' FROM leases
                """
            )
            #expect(fits)
        }
    }

    @Test(
        "a renewal that waited for the lease's row counts from when it had it, so that nobody takes over what is held"
    )
    func renewedLate() async throws {
        try await TestDatabase.withPool { pool in
            // Long enough that a busy machine comes to hold it in time.
            let lease = try await Self.acquire("first", lifetime: .seconds(6), from: pool)
            /// Waits until so many sessions of this database wait for a lock.
            @Sendable func waiting(_ count: Int) async throws {
                try await eventually("\(count) sessions that wait") {
                    let now: Int = try await pool.value(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                    )
                    return now >= count
                }
            }
            try await lease.hold(in: pool, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) {
                let other = try await pool.withTransaction { transaction in
                    try await lease.verify(in: transaction)
                    // The renewal comes first, and waits for longer than the lease lives.
                    try await waiting(1)
                    try await transaction.execute("SELECT pg_sleep(6.5)")
                    let asked = Task { try await JobLease.acquire("job", holder: "second", from: pool) }
                    try await waiting(2)
                    return asked
                }
                let taken = try await other.value
                #expect(taken == nil)
            }
        }
    }

    @Test("an expired lease is taken over with a higher token, and its former holder fails and writes nothing")
    func takeOver() async throws {
        try await TestDatabase.withPool { pool in
            let first = try await Self.acquire("first", from: pool)
            try await pool.withTransaction { try await first.verify(in: $0) }
            try await Self.expire("job", in: pool)
            let second = try await Self.acquire("second", from: pool)
            #expect(second.token > first.token)
            await #expect(throws: LeaseLost.self) {
                try await pool.withTransaction { try await first.verify(in: $0) }
            }
            let event = try DeliveryBench.attempt(at: "p-1", cause: "e-1")
            try await pool.execute("CREATE TABLE results (holder text NOT NULL)")
            func effects(_ holder: String) -> Effects {
                Effects(events: [event]) { transaction in
                    try await transaction.execute("INSERT INTO results VALUES (\(holder))")
                }
            }
            await #expect(throws: LeaseLost.self) { try await first.commit(effects("first"), in: pool) }
            #expect(try await pool.value("SELECT count(*) FROM results", as: Int.self) == 0)
            #expect(try await pool.value("SELECT count(*) FROM outbox", as: Int.self) == 0)
            // What the former holder gives back is not the new holder's.
            try await first.release(in: pool)
            try await second.commit(effects("second"), in: pool)
            #expect(try await pool.values("SELECT holder FROM results", as: String.self) == ["second"])
            #expect(try await pool.value("SELECT count(*) FROM outbox", as: Int.self) == 1)
        }
    }

    @Test("a lease that was given back comes with a new token, also for the same holder, so that a sleeper fails")
    func tokens() async throws {
        try await TestDatabase.withPool { pool in
            var tokens: [Int64] = []
            var leases: [JobLease] = []
            for _ in 0..<3 {
                let lease = try await Self.acquire("first", from: pool)
                tokens.append(lease.token)
                leases.append(lease)
                try await lease.release(in: pool)
            }
            let held = try await Self.acquire("first", from: pool)
            #expect(tokens == tokens.sorted() && Set(tokens + [held.token]).count == 4 && held.token > tokens[2])
            for sleeper in leases {
                await #expect(throws: LeaseLost.self) {
                    try await pool.withTransaction { try await sleeper.verify(in: $0) }
                }
            }
            try await pool.withTransaction { try await held.verify(in: $0) }
        }
    }

    @Test("what no transaction fences is fenced by the clock: a lease that may have run out is not held any more")
    func clock() async throws {
        try await TestDatabase.withPool { pool in
            let long = try await Self.acquire("first", lifetime: .seconds(60), from: pool)
            try long.checkHeld()
            let over = try await JobLease.acquire("another", holder: "first", lifetime: .zero, from: pool)
            let lease = try #require(over)
            #expect(throws: LeaseLost.self) { try lease.checkHeld() }
        }
    }

    @Test("a lease is renewed while its work goes on and given back afterwards, also when the work throws")
    func renewal() async throws {
        try await TestDatabase.withPool { pool in
            // Long enough that a busy machine renews in time.
            let lease = try await Self.acquire("first", lifetime: .seconds(6), from: pool)
            func expiry() async throws -> Date { try await pool.value("SELECT expires_at FROM leases") }
            let before = try await expiry()
            let result = try await lease.hold(in: pool, logger: quiet) {
                try await eventually("two renewals") {
                    try await pool.value("SELECT expires_at FROM leases", as: Date.self) > before + 3.6
                }
                #expect(try await JobLease.acquire("job", holder: "second", from: pool) == nil)
                return 42
            }
            #expect(result == 42)
            #expect(try await pool.value("SELECT count(*) FROM leases", as: Int.self) == 0)
            let again = try await Self.acquire("first", from: pool)
            await #expect(throws: PlantedError.self) {
                try await again.hold(in: pool, logger: quiet) { throw PlantedError() }
            }
            #expect(try await pool.value("SELECT count(*) FROM leases", as: Int.self) == 0)
        }
    }

    @Test("work is cancelled when its lease is lost, and the new holder keeps it")
    func loss() async throws {
        try await TestDatabase.withPool { pool in
            // Long enough that a busy machine does not lose it before it is taken.
            let first = try await Self.acquire("first", lifetime: .seconds(6), from: pool)
            let cancelled = Gate()
            await #expect(throws: LeaseLost.self) {
                try await first.hold(in: pool, logger: quiet) {
                    try await eventually("the take-over") {
                        try await Self.expire("job", in: pool)
                        return try await JobLease.acquire("job", holder: "second", from: pool) != nil
                    }
                    defer { cancelled.open() }
                    try await Self.waitForCancellation()
                }
            }
            #expect(cancelled.isOpen)
            #expect(try await pool.values("SELECT holder FROM leases", as: String.self) == ["second"])
        }
    }

    // MARK: The runner

    /// A table of jobs to do and one of work done.
    private static func withJobs(_ names: [String], _ body: (PostgresPool) async throws -> Void) async throws {
        try await TestDatabase.withPool { pool in
            try await pool.execute("CREATE TABLE jobs (name text PRIMARY KEY, done boolean NOT NULL DEFAULT false)")
            try await pool.execute("CREATE TABLE results (job text NOT NULL, holder text NOT NULL)")
            for name in names { try await pool.execute("INSERT INTO jobs VALUES (\(name))") }
            try await body(pool)
        }
    }

    private static func ready(_ pool: PostgresPool) async throws -> [String] {
        try await pool.values("SELECT name FROM jobs WHERE NOT done ORDER BY name", as: String.self)
    }

    private static func finish(_ job: String, _ lease: JobLease, in pool: PostgresPool) async throws {
        let effects = Effects { transaction in
            try await transaction.execute("INSERT INTO results VALUES (\(job), \(lease.holder))")
            try await transaction.execute("UPDATE jobs SET done = true WHERE name = \(job)")
        }
        try await lease.commit(effects, in: pool)
    }

    private static func runner(
        _ holder: String,
        in pool: PostgresPool,
        ready: @escaping @Sendable () async throws -> [String],
        work: @escaping @Sendable (String, JobLease) async throws -> Void
    ) -> JobRunner<String> {
        JobRunner(
            pool: pool,
            holder: holder,
            logger: quiet,
            interval: .milliseconds(5),
            leaseName: { "job/\($0)" },
            ready: ready,
            work: work
        )
    }

    @Test("two runners do each ready job once")
    func once() async throws {
        try await Self.withJobs(["a", "b", "c"]) { pool in
            let looks = Tally()
            let works = Tally()
            let runners = ["first", "second"].map { holder in
                Self.runner(holder, in: pool) {
                    looks.add(holder)
                    return try await Self.ready(pool)
                } work: { job, lease in
                    works.add(job)
                    // The other runner has its chance to do the same job meanwhile.
                    let other = holder == "first" ? "second" : "first"
                    let seen = looks[other]
                    if job == "a" { try await eventually("the other's look") { looks[other] > seen + 1 } }
                    try await Self.finish(job, lease, in: pool)
                }
            }
            try await withServices(runners) {
                try await eventually("the jobs") { try await Self.ready(pool).isEmpty }
            }
            for job in ["a", "b", "c"] { #expect(works[job] == 1) }
            #expect(try await pool.values("SELECT job FROM results ORDER BY 1", as: String.self) == ["a", "b", "c"])
            #expect(try await pool.value("SELECT count(*) FROM leases", as: Int.self) == 0)
        }
    }

    @Test("a runner looks twice for what has come, then not until more comes, or it was passed over often enough")
    func looks() async throws {
        try await Self.withJobs([]) { pool in
            let tally = Tally()
            func runner(passedOver: Int) -> JobRunner<String> {
                JobRunner(
                    pool: pool,
                    holder: "first",
                    logger: quiet,
                    interval: .milliseconds(1),
                    changes: {
                        tally.add("asked")
                        return tally["changes"]
                    },
                    passedOver: passedOver,
                    leaseName: { $0 },
                    ready: {
                        tally.add("looks")
                        return []
                    },
                    work: { _, _ in }
                )
            }
            try await withServices([runner(passedOver: .max)]) {
                for changes in 0..<3 {
                    let asked = tally["asked"]
                    try await eventually("some questions") { tally["asked"] > asked + 20 }
                    #expect(tally["looks"] == 2 * (changes + 1), "\(changes) changes")
                    tally.add("changes")
                }
            }
            let before = tally["looks"]
            try await withServices([runner(passedOver: 3)]) {
                let asked = tally["asked"]
                try await eventually("many questions") { tally["asked"] > asked + 40 }
            }
            #expect(tally["looks"] >= before + 10)
        }
    }

    @Test("what may make a job ready is noted by the database, with no note of a progress or a renewed lease")
    func changes() async throws {
        try await TestDatabase.withPool { pool in
            var last = try await JobChanges.latest(from: pool)
            func isNoted(_ statement: SQL) async throws -> Bool {
                try await pool.execute(statement)
                let latest = try await JobChanges.latest(from: pool)
                defer { last = latest }
                return latest > last
            }
            let statements: [SQL] = [
                "INSERT INTO runs (id, name, dataset, body) VALUES ('r', 'r', 'd', '{}')",
                """
                INSERT INTO rounds (run_id, number, champion_checkpoint_id, start_checkpoint_id, reason)
                VALUES ('r', 1, 'c', 'c', 'test')
                """,
                "INSERT INTO training_jobs (run_id, round, stage) VALUES ('r', 1, 's')",
                "UPDATE training_jobs SET state = 'running'",
                "INSERT INTO evaluation_jobs (id, run_id, checkpoint_id, round) VALUES ('e', 'r', 'c', 1)",
                "INSERT INTO evaluation_pieces (job_id, piece, problem_ids) VALUES ('e', 0, '{p}')",
                "UPDATE evaluation_pieces SET finished_at = now()",
                "INSERT INTO rollouts (checkpoint_id, round, run_id, attempted, wrong) VALUES ('c', 1, 'r', 0, 0)",
                """
                INSERT INTO problems (id, dataset, split, question, answer, state)
                VALUES ('p', 'd', 'train', '?', '1', 'registered')
                """,
                "UPDATE problems SET state = 'ingested'",
                "INSERT INTO traces (id, problem_id, kind, verified, body) VALUES ('t', 'p', 'dual', true, '{}')",
                "INSERT INTO verdicts (id, run_id, round, decision, decider, body) VALUES ('v', 'r', 1, 'hold', 'gate', '{}')",
                "UPDATE rounds SET ended_at = now()",
                "UPDATE runs SET state = 'finished'",
            ]
            for statement in statements { #expect(try await isNoted(statement), "\(statement)") }
            #expect(try await !isNoted("UPDATE training_jobs SET step = 1, tokens = 2"))
            #expect(try await !isNoted("UPDATE evaluation_jobs SET reason = 'x'"))
            #expect(try await !isNoted("INSERT INTO leases (name, holder, expires_at) VALUES ('l', 'h', now())"))
            #expect(try await !isNoted("UPDATE leases SET expires_at = now()"))
            #expect(try await isNoted("DELETE FROM leases"))
        }
    }

    @Test("a job that another runner did between the look and the lease is not done again")
    func staleLook() async throws {
        try await Self.withJobs(["a"]) { pool in
            let looks = Tally()
            let works = Tally()
            let late = Self.runner("late", in: pool) {
                let jobs = try await Self.ready(pool)
                // The first look goes stale: the other runner does the job before this one asks for the lease.
                if looks.add("late") == 1 {
                    try await eventually("the other's work") {
                        guard try await Self.ready(pool).isEmpty else { return false }
                        return try await pool.value("SELECT count(*) FROM leases", as: Int.self) == 0
                    }
                }
                return jobs
            } work: { job, lease in
                works.add("late")
                try await Self.finish(job, lease, in: pool)
            }
            let quick = Self.runner("quick", in: pool) {
                looks["late"] > 0 ? try await Self.ready(pool) : []
            } work: { job, lease in
                works.add("quick")
                try await Self.finish(job, lease, in: pool)
            }
            try await withServices([late, quick]) {
                try await eventually("another look") { looks["late"] > 2 }
            }
            #expect(works["quick"] == 1)
            #expect(works["late"] == 0)
        }
    }

    @Test(
        "a job that fails is tried again and holds up no other; one in progress is cancelled and given back at shutdown"
    )
    func failureAndShutdown() async throws {
        try await Self.withJobs(["a", "b"]) { pool in
            let works = Tally()
            let runner = Self.runner("first", in: pool) {
                try await Self.ready(pool)
            } work: { job, lease in
                if job == "a" {
                    if works.add(job) == 1 { throw PlantedError() }
                    try await Self.waitForCancellation()
                } else {
                    works.add(job)
                }
                try await Self.finish(job, lease, in: pool)
            }
            try await withServices([runner]) {
                try await eventually("the job that does not end") { works["a"] == 2 }
                #expect(try await pool.values("SELECT name FROM leases", as: String.self) == ["job/a"])
            }
            #expect(works["a"] == 2)
            #expect(works["b"] == 1)
            #expect(try await pool.values("SELECT job FROM results", as: String.self) == ["b"])
            #expect(try await pool.value("SELECT count(*) FROM leases", as: Int.self) == 0)
        }
    }

    @Test("a dedicated thread returns its result, throws its error and hears of the cancellation")
    func dedicatedThread() async throws {
        #expect(try await DedicatedThread.run(name: "t") { _ in 6 * 7 } == 42)
        await #expect(throws: PlantedError.self) {
            try await DedicatedThread.run(name: "t") { _ in throw PlantedError() }
        }
        let running = Gate()
        let task = Task {
            try await DedicatedThread.run(name: "t") { isCancelled in
                running.open()
                while !isCancelled() { Thread.sleep(forTimeInterval: 0.001) }
                throw CancellationError()
            }
        }
        try await eventually("the thread") { running.isOpen }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
