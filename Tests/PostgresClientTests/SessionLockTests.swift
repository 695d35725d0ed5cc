import TestSupport
import Testing

@testable import PostgresClient

struct SessionLockTests {
    @Test("one process at a time has a lock; many are held at once, and the end of a connection frees them")
    func exclusive() async throws {
        try await TestServer.withPool { pool in
            let first = SessionLocks(configuration: pool.configuration)
            let second = SessionLocks(configuration: pool.configuration)
            #expect(try await first.tryLock("a"))
            #expect(try await first.tryLock("b"))
            #expect(try await second.tryLock("c"))
            #expect(try await second.tryLock("a") == false)
            #expect(try await first.tryLock("c") == false)
            await first.unlock("a")
            #expect(try await second.tryLock("a"))
            #expect(try await second.tryLock("b") == false)
            await first.close()
            // The server notices the end of a session a moment after the client has closed it.
            var isFree = false
            for _ in 0..<200 where !isFree {
                isFree = try await second.tryLock("b")
                if !isFree { try await Task.sleep(for: .milliseconds(10)) }
            }
            #expect(isFree)
            // Opened anew by itself.
            #expect(try await first.tryLock("d"))
            await first.close()
            await second.close()
        }
    }

    @Test("a lock is given back by a task that was cancelled")
    func cancelled() async throws {
        try await TestServer.withPool { pool in
            let first = SessionLocks(configuration: pool.configuration)
            let second = SessionLocks(configuration: pool.configuration)
            let isTaken = try await first.tryLock("a")
            #expect(isTaken)
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                await first.unlock("a")
            }
            await task.value
            let isFree = try await second.tryLock("a")
            #expect(isFree)
            await first.close()
            await second.close()
        }
    }

    @Test("a connection that the server ended is opened again")
    func reconnects() async throws {
        try await TestServer.withPool { pool in
            let locks = SessionLocks(configuration: pool.configuration)
            #expect(try await locks.tryLock("a"))
            try await pool.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                """
            )
            let other = SessionLocks(configuration: pool.configuration)
            var isFree = false
            for _ in 0..<200 where !isFree {
                isFree = try await other.tryLock("a")
                if !isFree { try await Task.sleep(for: .milliseconds(10)) }
            }
            #expect(isFree)
            var isOpen = false
            for _ in 0..<200 where !isOpen {
                isOpen = (try? await locks.tryLock("b")) ?? false
                if !isOpen { try await Task.sleep(for: .milliseconds(10)) }
            }
            #expect(isOpen)
            await locks.close()
            await other.close()
        }
    }
}
