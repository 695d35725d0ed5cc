import Foundation
import PostgresClient
import Reasoning
import Schemas
import Synchronization
import Teaching
import TestSupport
import Testing

@testable import TeacherIngestionCore

/// A teacher that takes a while, as real ones do, and until so many calls are with it at once.
private final class SlowTeacher: Teacher {
    let model = "slow"
    private let delay: Duration
    private let together: Int
    private let calls = Mutex(0)

    init(delay: Duration = .milliseconds(500), together: Int = 1) {
        self.delay = delay
        self.together = together
    }

    var callCount: Int { calls.withLock { $0 } }

    func complete(_ request: ChatRequest) async throws -> ChatReply {
        let call = calls.withLock { calls in
            calls += 1
            return calls
        }
        try await Task.sleep(for: delay)
        try await eventually("\(together) calls at once") { callCount >= together }
        return reply("answer \(call)")
    }
}

/// Each ledger stands for a process of its own: its flights and its connection for locks are not shared.
@Suite("One question is with the teacher once, whoever asks")
struct SingleFlightTests {
    private static func ask(_ ledger: StoredTeacherLedger, attempt: Int = 0) async throws -> TeacherAnswer {
        let request = TeacherRequest.chainOfThought(question: problem().question)
        return try await ledger.ask(request, subject: "p1", temperature: 0.2, attempt: attempt)
    }

    @Test("processes that ask the same at the same moment pay once, and have the same answer")
    func processes() async throws {
        try await TestDatabase.withPool { pool in
            let teacher = SlowTeacher()
            let answers = try await withThrowingTaskGroup(of: TeacherAnswer.self) { group in
                for _ in 0..<4 {
                    let ledger = StoredTeacherLedger(teacher: teacher, pool: pool, logger: quiet)
                    for _ in 0..<2 { group.addTask { try await Self.ask(ledger) } }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(teacher.callCount == 1)
            #expect(Set(answers.map(\.reply.text)) == ["answer 1"])
            #expect(answers.count { !$0.isRecalled } == 1)
            let spent = try await pool.value("SELECT sum(calls)::bigint FROM teacher_spending", as: Int.self)
            #expect(spent == 1)
        }
    }

    @Test("other questions do not wait for one another")
    func others() async throws {
        try await TestDatabase.withPool { pool in
            // One after the other they would wait in vain.
            let teacher = SlowTeacher(delay: .zero, together: 8)
            let ledger = StoredTeacherLedger(teacher: teacher, pool: pool, logger: quiet)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for attempt in 0..<8 { group.addTask { _ = try await Self.ask(ledger, attempt: attempt) } }
                try await group.waitForAll()
            }
            #expect(teacher.callCount == 8)
        }
    }

    @Test("a question whose process was killed is asked by the next one, which has not waited for an expiry")
    func killed() async throws {
        try await TestDatabase.withPool { pool in
            let teacher = SlowTeacher(delay: .seconds(600))
            let first = StoredTeacherLedger(teacher: teacher, pool: pool, logger: quiet)
            let second = StoredTeacherLedger(teacher: teacher, pool: pool, logger: quiet)
            let lost = Task { try await Self.ask(first) }
            try await eventually("the first call") { teacher.callCount == 1 }
            let next = Task { try await Self.ask(second) }
            try await Task.sleep(for: .milliseconds(500))
            #expect(teacher.callCount == 1)
            // What the database sees of a killed process; the call itself is still under way.
            await first.locks.close()
            try await eventually("the next one's call", limit: .seconds(30)) { teacher.callCount == 2 }
            for task in [lost, next] {
                task.cancel()
                _ = try? await task.value
            }
        }
    }

    @Test("a call that fails gives its question free")
    func failed() async throws {
        try await TestDatabase.withPool { pool in
            let refusing = ScriptedTeacher(identity: "one") { _, _, _ in throw TeacherError(.unavailable, "503") }
            let first = StoredTeacherLedger(teacher: refusing, pool: pool, logger: quiet)
            await #expect(throws: TeacherError.self) { try await Self.ask(first) }
            let answering = ScriptedTeacher(identity: "one") { _, _, _ in reply("later") }
            let second = StoredTeacherLedger(teacher: answering, pool: pool, logger: quiet)
            let answer = try await Self.ask(second)
            #expect(answer.reply.text == "later")
        }
    }
}
