import Foundation
import Logging
import ServiceRuntime
import TestSupport
import Testing

@testable import ErrataCLICore

@Suite("The children of errata up")
struct ProcessSupervisorTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "errata-children-\(UUID().uuidString)")

    private func program(_ executable: String, _ arguments: [String] = []) -> ProcessSupervisor.Program {
        ProcessSupervisor.Program(
            name: "child",
            executable: URL(fileURLWithPath: executable),
            arguments: arguments,
            environment: ["WORD": "begun", "PATH": "/usr/bin:/bin"],
            log: folder.appending(path: "child.log")
        )
    }

    private func withSupervisor(
        grace: Duration = .seconds(25),
        _ body: (ProcessSupervisor) async throws -> Void
    ) async throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let supervisor = ProcessSupervisor(
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            grace: grace
        )
        try await attempting {
            try await body(supervisor)
        } finally: {
            await supervisor.stop()
        }
    }

    private func lines() -> [Substring] {
        let text = (try? String(contentsOf: folder.appending(path: "child.log"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n")
    }

    /// The id of the child, which may write before the supervisor is told its id.
    private func identifier(_ supervisor: ProcessSupervisor, besides old: Int32? = nil) async throws -> Int32 {
        try await eventually("the child's id") { supervisor.processIdentifiers["child"] != old }
        return try #require(supervisor.processIdentifiers["child"])
    }

    @Test("a child that is killed is started again under a new id, and ended in order with its own last words")
    func restart() async throws {
        try await withSupervisor { supervisor in
            let script = "trap 'echo ended; exit 0' TERM; echo $WORD; while :; do sleep 0.02; done"
            try supervisor.start(program("/bin/sh", ["-c", script]))
            try await eventually("the child") { lines() == ["begun"] }
            let first = try await identifier(supervisor)
            kill(first, SIGKILL)
            try await eventually("the second child") { lines() == ["begun", "begun"] }
            let second = try await identifier(supervisor, besides: first)
            await supervisor.stop()
            #expect(lines() == ["begun", "begun", "ended"])
            #expect(kill(second, 0) == -1)
            #expect(supervisor.failed.isEmpty)
        }
    }

    @Test("a child that does not end is killed after the grace time")
    func stubborn() async throws {
        try await withSupervisor(grace: .milliseconds(200)) { supervisor in
            let script = "trap '' TERM; echo $WORD; while :; do sleep 0.02; done"
            try supervisor.start(program("/bin/sh", ["-c", script]))
            try await eventually("the child") { lines() == ["begun"] }
            let child = try await identifier(supervisor)
            await supervisor.stop()
            #expect(kill(child, 0) == -1)
        }
    }

    @Test("a program that cannot be started is told, and not tried again")
    func missing() async throws {
        try await withSupervisor { supervisor in
            try supervisor.start(program(folder.appending(path: "nothing").path))
            try await eventually("the failure") { supervisor.failed == ["child"] }
        }
    }
}
