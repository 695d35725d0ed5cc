import CompletionClient
import ServiceRuntime
import Synchronization
import Teaching
import Testing

@testable import TeacherIngestionCore

@Suite("The gate before a teacher's server")
struct TeacherGateTests {
    private func gate(
        _ limit: Int = 4,
        trial: Duration = .seconds(60),
        onChange: @escaping @Sendable (TeacherGate.Closure?) async -> Void = { _ in }
    ) -> TeacherGate {
        TeacherGate(limit: limit, trials: Backoff(base: trial, cap: trial), onChange: onChange)
    }

    private static func failure(_ reason: String = "down", closes: Bool = false) -> TeacherGate.Outcome {
        .failed(reason: reason, isBusy: false, pause: nil, closesAtOnce: closes)
    }

    @Test("no more calls than allowed are under way at the same time")
    func bounded() async throws {
        let gate = gate(3)
        let gauge = Gauge()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await gate.enter()
                    gauge.enter()
                    await Task.yield()
                    gauge.leave()
                    await gate.leave(.answered(pause: nil))
                }
            }
            try await group.waitForAll()
        }
        #expect(gauge.most == 3)
    }

    @Test("a call that is given up while it waits goes at once, and its place is not lost", .timeLimit(.minutes(5)))
    func cancelled() async throws {
        let gate = gate(1)
        try await gate.enter()
        let waiting = Task { try await gate.enter() }
        let next = Task { try await gate.enter() }
        waiting.cancel()
        // The first call is still under way: nothing but the cancellation can have ended it.
        await #expect(throws: CancellationError.self) { try await waiting.value }
        await gate.leave(.answered(pause: nil))
        try await next.value
        await gate.leave(.answered(pause: nil))
        try await gate.enter()
    }

    /// Counts what runs at the same time.
    private final class Gauge: Sendable {
        private let state = Mutex((running: 0, most: 0))

        var most: Int { state.withLock { $0.most } }

        func enter() {
            state.withLock {
                $0.running += 1
                $0.most = max($0.most, $0.running)
            }
        }

        func leave() { state.withLock { $0.running -= 1 } }
    }

    @Test("a server that is too busy gets half of the calls, and each answer gives a part of one back")
    func adapts() async throws {
        let gate = gate(8)
        for _ in 0..<8 { try await gate.enter() }
        await gate.leave(.failed(reason: "429", isBusy: true, pause: .zero, closesAtOnce: false))
        // The others that were under way then say the same; it is one fact.
        await gate.leave(.failed(reason: "429", isBusy: true, pause: .zero, closesAtOnce: false))
        #expect(await gate.room == 4)
        for _ in 0..<6 { await gate.leave(.answered(pause: nil)) }
        #expect(await gate.room == 5)
    }

    @Test("a time-out is a sign of too many calls too, and a refusal of one prompt opens a gate that is closed")
    func outcomes() async throws {
        let gate = gate(8)
        for _ in 0..<2 { try await gate.enter() }
        await gate.leave(HTTPTeacher.outcome(of: ServerError(.timeout, "silent", mayBeBilled: true)))
        #expect(await gate.room == 4)
        await gate.leave(Self.failure("401", closes: true))
        #expect(await gate.closure != nil)
        try await gate.enter(isProbe: true)
        await gate.leave(HTTPTeacher.outcome(of: ServerError(.refusedRequest, "flagged", requestFault: .certain)))
        #expect(await gate.closure == nil)
    }

    @Test("a refusal for all closes it at once; then one trial at a time is let in, and an answer opens it")
    func closes() async throws {
        let told = Mutex<[String?]>([])
        let gate = gate(trial: .milliseconds(1)) { closure in told.withLock { $0.append(closure?.reason) } }
        try await gate.enter()
        await gate.leave(Self.failure("401", closes: true))
        try await Task.sleep(for: .milliseconds(5))
        try await gate.enter()
        // The trial is under way.
        let error = await #expect(throws: TeacherError.self) { try await gate.enter() }
        #expect(error?.code == .paused)
        #expect(error?.message == "401")
        await gate.leave(.answered(pause: nil))
        try await gate.enter()
        await gate.leave(.answered(pause: nil))
        #expect(told.withLock { $0 } == ["401", nil])
    }

    @Test("failures in a row close it, and an answer between them does not let them add up")
    func rows() async throws {
        let gate = gate()
        for _ in 0..<4 {
            try await gate.enter()
            await gate.leave(Self.failure())
        }
        try await gate.enter()
        await gate.leave(.answered(pause: nil))
        for _ in 0..<5 {
            #expect(await gate.closure == nil)
            try await gate.enter()
            await gate.leave(Self.failure())
        }
        #expect(await gate.closure?.reason == "down")
        await #expect(throws: TeacherError.self) { try await gate.enter() }
    }

    @Test("a server that names a time is waited for by all, and is no failing server")
    func pauses() async throws {
        let gate = gate()
        for _ in 0..<20 {
            try await gate.enter()
            await gate.leave(.failed(reason: "429", isBusy: true, pause: .milliseconds(1), closesAtOnce: false))
        }
        #expect(await gate.closure == nil)
        let start = ContinuousClock.now
        try await gate.enter()
        await gate.leave(.answered(pause: .milliseconds(40)))
        try await gate.enter()
        #expect(ContinuousClock.now - start >= .milliseconds(40))
    }
}
