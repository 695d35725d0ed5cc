import Foundation
import Synchronization
import TestSupport
import Testing

@testable import PostgresClient

/// Counts the runs of a closure that runs again.
final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}

struct ServerTests {
    struct Note: Codable, Hashable, Sendable {
        var text: String
        var numbers: [Int]
    }

    @Test("values of every type come back as they went")
    func types() async throws {
        try await TestServer.withPool { pool in
            let text = "'; DROP TABLE x; -- \\ \" \n\t ü 😀"
            let large = String(repeating: "ä", count: 524_288)
            let bytes = Data((0..<1_048_576).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            let date = Date(timeIntervalSinceReferenceDate: 812_345_678.123456)
            let id = UUID()
            let none: Int? = nil
            let note = Note(text: text, numbers: [1, 2])
            let sql: SQL =
                """
                SELECT \(Int.min) a, \(Int32.max) b, \(Double.pi) c, \(Float(0.1)) d, \(true) e, \(text)::text f,
                \(large)::text g, \(bytes) h, \(date) i, \(id) j, \(json: note) k, \(none) l,
                \(["a", text, "NULL", ""]) m, \([1, nil, -3]) n, \([0.5, Double.infinity]) o, \(Int64(7)) p
                """
            let row = try #require(try await pool.first(sql))
            #expect(try row["a"].as(Int.self) == Int.min)
            #expect(try row.get("b") == Int32.max)
            #expect(try row.get("c") == Double.pi)
            #expect(try row.get("d") == Float(0.1))
            #expect(try row.get("e") == true)
            #expect(try row.get("f") == text)
            #expect(try row.get("g") == large)
            #expect(try row.get("h") == bytes)
            #expect(abs(try row.get("i", as: Date.self).timeIntervalSince(date)) < 1e-6)
            #expect(try row.get("j") == id)
            #expect(try row.get("k", json: Note.self) == note)
            #expect(try row.get("l", as: Int?.self) == nil)
            #expect(try row.get("m") == ["a", text, "NULL", ""])
            #expect(try row.get("n") == [1, nil, -3])
            #expect(try row.get("o") == [0.5, Double.infinity])
            #expect(try row.get("p") == Int64(7))
            let error = #expect(throws: PostgresError.self) { try row.get("f", as: Int.self) }
            #expect(error?.description.contains("column \"f\" (text) of row 0") ?? false)
            #expect(throws: PostgresError.self) { try row.get("l", as: Int.self) }
            #expect(throws: PostgresError.self) { try row.get("absent", as: Int.self) }
            await #expect(throws: PostgresError.self) { try await pool.query("SELECT \("a\0b")::text") }
            #expect(try await pool.value("SELECT 2 = ANY(\([1, 2]))", as: Bool.self))
        }
    }

    @Test("fifty tasks share four connections")
    func concurrency() async throws {
        try await TestServer.withPool { pool in
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<50 { group.addTask { try await pool.value("SELECT \(index)") } }
                return try await group.reduce(0, +)
            }
            #expect(sum == 1_225)
            #expect(pool.statistics.connections <= 4)
            #expect(try await pool.value("SELECT count(*) FROM pg_prepared_statements", as: Int.self) >= 1)
        }
    }

    @Test("a transaction that loses against another one runs again")
    func serialization() async throws {
        try await TestServer.withPool { pool in
            try await pool.execute("CREATE TABLE t (n bigint)")
            try await pool.execute("INSERT INTO t VALUES (0)")
            let runs = Counter()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await pool.withTransaction(
                            isolation: .repeatableRead,
                            retries: RetryPolicy(maximumAttempts: 100)
                        ) { tx in
                            _ = runs.next()
                            let n: Int = try await tx.value("SELECT n FROM t")
                            try await tx.execute("UPDATE t SET n = \(n + 1)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await pool.value("SELECT n FROM t", as: Int.self) == 4)
            let forced = Counter()
            try await pool.withTransaction(isolation: .repeatableRead) { tx in
                _ = try await tx.value("SELECT n FROM t", as: Int.self)
                let first = forced.next() == 1
                if first { try await pool.execute("UPDATE t SET n = n + 10") }
                try await tx.execute("UPDATE t SET n = n + 1")
            }
            #expect(forced.value == 2)
            #expect(try await pool.value("SELECT n FROM t", as: Int.self) == 15)
        }
    }

    @Test("a throw rolls back, and what was done before stays")
    func rollback() async throws {
        struct Stop: Error {}
        try await TestServer.withPool { pool in
            try await pool.execute("CREATE TABLE t (n int PRIMARY KEY)")
            await #expect(throws: Stop.self) {
                try await pool.withTransaction { tx in
                    try await tx.execute("INSERT INTO t VALUES (1)")
                    throw Stop()
                }
            }
            try await pool.withTransaction { tx in
                try await tx.execute("INSERT INTO t VALUES (2)")
                try await tx.execute("INSERT INTO t VALUES (3)")
            }
            #expect(try await pool.values("SELECT n FROM t ORDER BY n") == [2, 3])
        }
    }

    @Test("the pool recovers when its server process is ended")
    func recovery() async throws {
        try await TestServer.withPool(.init(maximumConnections: 2)) { pool in
            let runs = Counter()
            let answer: Int = try await pool.withTransaction { tx in
                let pid: Int = try await tx.value("SELECT pg_backend_pid()")
                let first = runs.next() == 1
                if first { try await pool.query("SELECT pg_terminate_backend(\(pid)::int)") }
                return try await tx.value("SELECT 7")
            }
            #expect(answer == 7)
            #expect(runs.value == 2)
        }
    }

    @Test("a statement that takes too long is given up, unless its transaction says that it may")
    func statementTimeout() async throws {
        try await TestServer.withPool { server in
            var configuration = server.configuration
            configuration.statementTimeout = .seconds(1)
            let pool = PostgresPool(configuration: configuration, maximumConnections: 1)
            defer { pool.close() }
            let error = await #expect(throws: PostgresError.self) { try await pool.execute("SELECT pg_sleep(60)") }
            #expect(error?.sqlState == "57014")
            try await pool.withTransaction { transaction in
                try await transaction.allowLongStatements()
                try await transaction.execute("SELECT pg_sleep(1.5)")
            }
            let again = await #expect(throws: PostgresError.self) { try await pool.execute("SELECT pg_sleep(60)") }
            #expect(again?.sqlState == "57014", "the next transaction is bounded again")
            // Migrations are not, and leave the bound in force.
            let slow = Migration(version: 1, name: "slow", sql: "SELECT pg_sleep(1.5)")
            #expect(try await pool.migrate([slow]) == [slow])
            #expect(try await pool.value("SHOW statement_timeout", as: String.self) == "1s")
            configuration.statementTimeout = nil
            configuration.options["options"] = "-c statement_timeout=7s"
            let own = PostgresPool(configuration: configuration, maximumConnections: 1)
            defer { own.close() }
            #expect(try await own.value("SHOW statement_timeout", as: String.self) == "7s")
        }
    }

    @Test("a cancelled task ends its statement on the server, and no other one of its connection")
    func cancellation() async throws {
        try await TestServer.withPool(.init(maximumConnections: 1)) { pool in
            let observer = PostgresPool(configuration: pool.configuration, maximumConnections: 1)
            defer { observer.close() }
            for _ in 0..<5 {
                let task = Task { try await pool.execute("SELECT pg_sleep(60)") }
                var isRunning = false
                while !isRunning {
                    isRunning = try await observer.value(
                        """
                        SELECT EXISTS (SELECT 1 FROM pg_stat_activity
                                       WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%' AND datname = current_database())
                        """
                    )
                }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                for number in 0..<20 {
                    let answer: Int = try await pool.value("SELECT \(number)::int")
                    #expect(answer == number)
                }
            }
        }
    }

    @Test("COPY is refused with the way out, and the connection goes on")
    func copy() async throws {
        try await TestServer.withPool(.init(maximumConnections: 1)) { pool in
            try await pool.execute("CREATE TABLE t (n bigint)")
            try await pool.execute("INSERT INTO t VALUES (7)")
            for statement: SQL in ["COPY t FROM STDIN", "COPY t TO STDOUT"] {
                let error = await #expect(throws: PostgresError.self) { try await pool.execute(statement) }
                #expect(error?.kind == .usage && error?.message.contains("unnest") == true)
                let values: [Int] = try await pool.values("SELECT n FROM t")
                #expect(values == [7])
            }
        }
    }

    @Test("awkward texts, bytes and arrays come back as they went")
    func awkward() async throws {
        try await TestServer.withPool { pool in
            try await pool.execute("CREATE TABLE t (n bigint, s text, b bytea, a text[])")
            let texts = ["\\N", "\t\n\r\\", "", "ü😀", "\\.", "a\u{8}b", "\"',;"]
            for (index, text) in texts.enumerated() {
                let absent: String? = index == 2 ? nil : text
                try await pool.execute("INSERT INTO t VALUES (\(index), \(absent), \(Data(text.utf8)), \([text]))")
            }
            let rows = try await pool.query("SELECT * FROM t ORDER BY n")
            #expect(rows.count == texts.count)
            for (row, (index, text)) in zip(rows, texts.enumerated()) {
                #expect(try row.get("s", as: String?.self) == (index == 2 ? nil : text))
                #expect(try row.get("b") == Data(text.utf8))
                #expect(try row.get("a") == [text])
            }
        }
    }

    @Test("arrays of texts and bytes come back with their nulls, and one element that cannot be sent refuses them")
    func arrays() async throws {
        try await TestServer.withPool { pool in
            let texts: [String?] = ["", nil, "NULL", "{\"a\\", "ü😀", String(repeating: "x", count: 100_000)]
            let blobs: [Data?] = [Data(), nil, Data([0, 255, 92]), Data(repeating: 7, count: 70_000)]
            let row = try #require(
                try await pool.first(
                    """
                    SELECT \(texts)::text[] AS texts, \(blobs)::bytea[] AS blobs, \([String]())::text[] AS none,
                           cardinality(\(["a", "b"])) AS size, 'b' = ANY(\(["a", "b"])) AS isThere, (\(["a", "b"]))[1] AS first
                    """
                )
            )
            #expect(try row.get("texts", as: [String?].self) == texts)
            #expect(try row.get("blobs", as: [Data?].self) == blobs)
            #expect(try row.get("none", as: [String].self).isEmpty)
            #expect(try row.get("size", as: Int.self) == 2 && row.get("isthere", as: Bool.self))
            #expect(try row.get("first", as: String.self) == "a")
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query("SELECT \(["a", "b\0"])")
            }
            #expect(error?.kind == .encoding && error?.message.contains("in an array") == true)
        }
    }

    @Test("what uses a connection stays on its thread between statements, unless it belongs to an actor")
    func threads() async throws {
        try await TestServer.withPool { pool in
            try await pool.withTransaction { transaction in
                let own = transaction.connection.executor.user.asUnownedTaskExecutor()
                for _ in 0..<3 {
                    #expect(withUnsafeCurrentTask { $0?.unownedTaskExecutor } == own)
                    _ = try await transaction.value("SELECT 1", as: Int.self)
                }
            }
            #expect(withUnsafeCurrentTask { $0?.unownedTaskExecutor } == nil)
            let main = try await Task { @MainActor in
                try await pool.withTransaction { transaction in
                    _ = try await transaction.value("SELECT 1", as: Int.self)
                    MainActor.assertIsolated()
                    return true
                }
            }.value
            #expect(main)
        }
    }

    @Test("migrations apply once from two pools, and changed or newer ones are refused by name")
    func migrations() async throws {
        try await TestServer.withPool { pool in
            let other = PostgresPool(configuration: pool.configuration, maximumConnections: 2)
            defer { other.close() }
            let list = [
                Migration(version: 1, name: "first", sql: "CREATE TABLE a (n int); INSERT INTO a VALUES (1)"),
                Migration(version: 2, name: "second", sql: "INSERT INTO a VALUES (2)"),
            ]
            async let one = pool.migrate(list)
            async let two = other.migrate(list)
            let applied = try await one.count + two.count
            #expect(applied == 2)
            #expect(try await pool.values("SELECT n FROM a ORDER BY n") == [1, 2])
            var changed = list
            changed[1].sql += " "
            let edited = await #expect(throws: PostgresError.self) { try await pool.migrate(changed) }
            #expect(edited?.message.contains("\"second\" was changed") ?? false)
            let newer = await #expect(throws: PostgresError.self) { try await pool.migrate([list[0]]) }
            #expect(newer?.message.contains("\"second\"") ?? false)
        }
    }

    @Test("a server starts again over its folder, also after kill -9")
    func restart() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("errata-pg-restart-\(UUID().uuidString.prefix(8))")
            .appendingPathComponent(String(repeating: "long", count: 25))
        defer { try? FileManager.default.removeItem(at: folder.deletingLastPathComponent()) }
        try FileManager.default.createDirectory(
            at: folder.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        let server = EmbeddedPostgres(stateFolder: folder)
        var configuration = try await server.start()
        let first = PostgresPool(configuration: configuration, maximumConnections: 1)
        try await first.execute("CREATE TABLE t AS SELECT 5 AS n")
        first.close()
        let pid = try #require(await server.processID)
        kill(pid, SIGKILL)
        configuration = try await server.start()
        let second = PostgresPool(configuration: configuration, maximumConnections: 1)
        #expect(try await second.value("SELECT n FROM t", as: Int.self) == 5)
        second.close()
        await server.stop()
        #expect(await server.processID == nil)
        configuration = try await server.start()
        let third = PostgresPool(configuration: configuration, maximumConnections: 1)
        #expect(try await third.value("SELECT n FROM t", as: Int.self) == 5)
        third.close()
        await server.stop()
    }
}
