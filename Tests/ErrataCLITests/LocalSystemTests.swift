import Foundation
import StageSupport
import TestSupport
import Testing

@testable import ErrataCLICore

@Suite("What errata up runs")
struct LocalSystemTests {
    @Test("the waits between restarts in a row grow and end; a program that ran for a while begins anew")
    func restarts() {
        let policy = RestartPolicy(limit: 7, steadyAfter: .seconds(60), firstWait: .milliseconds(200))
        let waits = (0...7).map { policy.wait(afterRestarts: $0) }
        let expected: [Duration?] = [
            .milliseconds(200), .milliseconds(400), .milliseconds(800), .milliseconds(1_600), .milliseconds(3_200),
            .milliseconds(6_400), .milliseconds(6_400), nil,
        ]
        #expect(waits == expected)
        let slower = RestartPolicy(firstWait: .milliseconds(200), leastWait: .seconds(1))
        #expect(slower.wait(afterRestarts: 0) == .seconds(1))
        #expect(slower.wait(afterRestarts: 3) == .milliseconds(1_600))
        #expect(policy.counted(6, ranFor: .seconds(59)) == 6)
        #expect(policy.counted(6, ranFor: .seconds(60)) == 0)
    }

    @Test("a program that dies at once each time is left dead after so many restarts in a row, and named")
    func diesAtOnce() async throws {
        let policy = RestartPolicy(limit: 3, steadyAfter: .seconds(3_600), firstWait: .milliseconds(1))
        try await withStub("echo started; exit 3", policy) { supervisor, starts in
            try await eventually("the stub is given up") { supervisor.failed == ["stub"] }
            #expect(starts() == 4)
        }
    }

    @Test("a program that runs for a while each time is restarted however often it dies")
    func diesLater() async throws {
        let policy = RestartPolicy(limit: 2, steadyAfter: .zero, firstWait: .milliseconds(1))
        try await withStub("echo started; exit 3", policy) { supervisor, starts in
            try await eventually("more restarts than may come in a row") { starts() > 6 }
            #expect(supervisor.failed.isEmpty)
        }
    }

    @Test("a program that cannot be started again is named")
    func cannotBeStarted() async throws {
        let policy = RestartPolicy(firstWait: .milliseconds(1))
        try await withStub("echo started; rm \"$0\"", policy) { supervisor, starts in
            try await eventually("the stub is given up") { supervisor.failed == ["stub"] }
            #expect(starts() == 1)
        }
    }

    /// Keeps a shell script running; the body is given how often it was started, by the lines that it wrote.
    private func withStub(
        _ script: String,
        _ policy: RestartPolicy,
        _ body: (ProcessSupervisor, @escaping () -> Int) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "errata-up-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // A name of the shell's own, which a script knows as $0.
        let program = folder.appending(path: "stub")
        try FileManager.default.createSymbolicLink(at: program, withDestinationURL: URL(fileURLWithPath: "/bin/sh"))
        let log = folder.appending(path: "stub.log")
        let supervisor = ProcessSupervisor(logger: LogBook().logger, policy: policy)
        try supervisor.start(
            ProcessSupervisor.Program(
                name: "stub",
                executable: program,
                arguments: ["-c", script, program.path],
                environment: ["PATH": "/usr/bin:/bin"],
                log: log
            )
        )
        do {
            try await body(supervisor) {
                (try? String(contentsOf: log, encoding: .utf8))?.split(separator: "\n").count ?? 0
            }
        } catch {
            await supervisor.stop()
            throw error
        }
        await supervisor.stop()
    }

    @Test("of Errata's keys in the environment a service gets those that are its own, and no addresses")
    func handedOn() {
        let environment = [
            "ERRATA_CONCURRENCY": "64", "ERRATA_LOG_LEVEL": "debug", "ERRATA_THREADS": "2",
            "ERRATA_TEACHERS": "t.json", "ERRATA_TEACHER_CONCURRENCY": "3", "ERRATA_PROMPTS": "p",
            "ERRATA_RETENTION_INBOX_DAYS": "7", "ERRATA_KAFKA_BOOTSTRAP_SERVERS": "other:9092",
            "ERRATA_POSTGRES_URL": "postgresql://other/db", "ERRATA_POSTGRES_STATEMENT_TIMEOUT": "9m", "HOME": "/h",
        ]
        func taken(_ service: String) -> [String] {
            HandedOnKeys.taken(by: service, of: environment).keys.map { String($0.dropFirst("ERRATA_".count)) }.sorted()
        }
        #expect(taken("teacher-simulator") == ["LOG_LEVEL"])
        #expect(taken("key-step-locator") == ["CONCURRENCY", "LOG_LEVEL", "POSTGRES_STATEMENT_TIMEOUT"])
        #expect(taken("evaluator") == ["CONCURRENCY", "LOG_LEVEL", "POSTGRES_STATEMENT_TIMEOUT", "THREADS"])
        #expect(taken("dpo-trainer") == ["LOG_LEVEL", "POSTGRES_STATEMENT_TIMEOUT", "THREADS"])
        #expect(
            taken("template-distiller") == [
                "CONCURRENCY", "LOG_LEVEL", "POSTGRES_STATEMENT_TIMEOUT", "RETENTION_INBOX_DAYS", "THREADS",
            ]
        )
        #expect(
            taken("teacher-ingestion") == [
                "CONCURRENCY", "LOG_LEVEL", "POSTGRES_STATEMENT_TIMEOUT", "PROMPTS", "TEACHERS", "TEACHER_CONCURRENCY",
            ]
        )
    }
}
