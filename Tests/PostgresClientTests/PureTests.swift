import Foundation
import Testing

@testable import PostgresClient

struct PoolStateMachineTests {
    @Test("the pool connects up to its bound and serves waiters in order")
    func bound() {
        var machine = PoolStateMachine(maximumConnections: 2)
        #expect(machine.lease(1) == [.connect(1)])
        #expect(machine.lease(2) == [.connect(2)])
        #expect(machine.lease(3) == [])
        #expect(machine.connected(2, now: .now) == [.hand(2, to: 1, rested: false)])
        #expect(machine.connected(1, now: .now) == [.hand(1, to: 2, rested: false)])
        #expect(machine.release(1, isHealthy: true, now: .now) == [.hand(1, to: 3, rested: false)])
        #expect(machine.totalCount == 2)
    }

    @Test("a waiter that gave up is skipped, and one that was served cannot give up")
    func cancellation() {
        var machine = PoolStateMachine(maximumConnections: 1)
        _ = machine.lease(1)
        _ = machine.connected(1, now: .now)
        _ = machine.lease(2)
        _ = machine.lease(3)
        let waiting = machine.cancel(2)
        let served = machine.cancel(1)
        #expect(waiting)
        #expect(!served)
        #expect(machine.release(1, isHealthy: true, now: .now) == [.hand(1, to: 3, rested: false)])
    }

    @Test("a broken connection is closed and replaced for those who wait")
    func broken() {
        var machine = PoolStateMachine(maximumConnections: 1)
        _ = machine.lease(1)
        _ = machine.connected(1, now: .now)
        _ = machine.lease(2)
        #expect(machine.release(1, isHealthy: false, now: .now) == [.close(1), .connect(2)])
        #expect(machine.connectFailed(2) == [.fail(2, .connectFailed)])
        #expect(machine.totalCount == 0)
    }

    @Test("a connection that died at rest puts its waiter in front")
    func replaced() {
        var machine = PoolStateMachine(maximumConnections: 1)
        _ = machine.lease(1)
        _ = machine.connected(1, now: .now)
        _ = machine.release(1, isHealthy: true, now: .now)
        #expect(machine.lease(2) == [.hand(1, to: 2, rested: true)])
        _ = machine.lease(3)
        #expect(machine.replace(1, for: 2) == [.close(1), .connect(2)])
        #expect(machine.connected(2, now: .now) == [.hand(2, to: 2, rested: false)])
    }

    @Test("a closed pool refuses, fails its waiters and closes what comes back")
    func closing() {
        var machine = PoolStateMachine(maximumConnections: 1)
        _ = machine.lease(1)
        _ = machine.connected(1, now: .now)
        _ = machine.lease(2)
        #expect(machine.close() == [.fail(2, .closed)])
        #expect(machine.lease(3) == [.fail(3, .closed)])
        #expect(machine.release(1, isHealthy: true, now: .now) == [.close(1)])
    }
}

struct TextFormTests {
    @Test("a password shows in no description, dump or error")
    func secrets() throws {
        let configuration = try PostgresConfiguration(url: "postgres://me:s3cr%20et@db:6000/x?sslmode=require")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] { #expect(!text.contains("s3cr")) }
        #expect(configuration.port == 6_000)
        #expect(configuration.options["sslmode"] == "require")
        #expect(try PostgresConfiguration(url: configuration.url(includingPassword: true)) == configuration)
        let socket = try PostgresConfiguration(url: "postgres:///x?host=/run/postgresql")
        #expect(socket.host == "/run/postgresql")
        let error = #expect(throws: PostgresError.self) {
            try PostgresConfiguration(url: "postgres://me:s3cret%zz@db/x")
        }
        #expect(error.map { !$0.debugDescription.contains("s3cret") } ?? false)
    }

    @Test("a server that is gone is noticed within a minute, and a statement ends, unless the URL says otherwise")
    func timeouts() throws {
        func keywords(_ url: String) throws -> [String: String] {
            Dictionary(try PostgresConfiguration(url: url).keywords.map { ($0.key, $0.value) }) { first, _ in
                "\(first), and another"
            }
        }
        let standard = try keywords("postgres://db/x")
        #expect(standard["keepalives_idle"] == "30" && standard["keepalives_interval"] == "10")
        #expect(standard["keepalives_count"] == "3" && standard["tcp_user_timeout"] == "30000")
        let own = try keywords("postgres://db/x?keepalives_idle=7&tcp_user_timeout=0&connect_timeout=3")
        #expect(own["keepalives_idle"] == "7" && own["keepalives_count"] == "3" && own["tcp_user_timeout"] == "0")
        var configuration = try PostgresConfiguration(url: "postgres://db/x?connect_timeout=3")
        #expect(configuration.connectTimeout == .seconds(3) && configuration.statementTimeout == .seconds(300))
        #expect(configuration.statementTimeoutText == "SET statement_timeout TO 300000")
        configuration = try PostgresConfiguration(url: "postgres://db/x?options=-c%20statement_timeout%3D7s")
        #expect(
            configuration.statementTimeout == nil && configuration.statementTimeoutText == "RESET statement_timeout"
        )
        #expect(configuration.keywords.contains { $0.key == "options" && $0.value == "-c statement_timeout=7s" })
    }

    @Test("array literals read back, and nested ones are refused")
    func arrays() {
        let values: [String?] = ["", "NULL", nil, "a\"b\\c", "{,}", "ü😀"]
        #expect(ArrayText.parse(ArrayText.format(values)) == values)
        #expect(ArrayText.parse("{}") == [])
        #expect(ArrayText.parse("{{1},{2}}") == nil)
        #expect(ArrayText.parse("{\"a") == nil)
    }

    @Test("values become parameters and identifiers are quoted")
    func interpolation() {
        let sql: SQL = "SELECT \(identifier: "a\"b", "c") FROM t WHERE x = \(1)5 AND y = \("'; DROP TABLE t")"
        #expect(sql.description == "SELECT \"a\"\"b\".\"c\" FROM t WHERE x = $1 5 AND y = $2")
    }

    @Test("the least recently used statement is forgotten first")
    func statements() {
        var cache = StatementCache(capacity: 2)
        cache.insert(name: "a", text: "A", types: [])
        cache.insert(name: "b", text: "B", types: [])
        #expect(cache.name(text: "A", types: []) == "a")
        cache.insert(name: "c", text: "C", types: [])
        #expect(cache.takeEvicted() == ["b"])
        #expect(cache.name(text: "B", types: []) == nil)
    }
}
