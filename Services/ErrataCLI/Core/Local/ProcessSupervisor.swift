import Foundation
import Logging
import Synchronization

/// Runs programs as child processes, restarts those that die, and ends only what it started.
final class ProcessSupervisor: Sendable {
    /// A program to run.
    struct Program: Sendable {
        /// The name for logs and the log file.
        let name: String
        /// The executable.
        let executable: URL
        /// Arguments after the program's name.
        let arguments: [String]
        /// The whole environment of the child.
        let environment: [String: String]
        /// Standard output and error go to the end of this file.
        let log: URL
    }

    private struct Child {
        let program: Program
        var process: Process
        var restarts = 0
    }

    private struct State {
        var children: [String: Child] = [:]
        var stopping = false
    }

    private let state = Mutex(State())
    private let logger: Logger
    /// A child that dies this often in a row is left dead; the log file says why.
    private let maximumRestarts = 20

    init(logger: Logger) {
        self.logger = logger
    }

    /// Starts a program.
    func start(_ program: Program) throws {
        let process = try spawn(program)
        state.withLock { $0.children[program.name] = Child(program: program, process: process) }
    }

    /// The process ids by program name.
    var processIdentifiers: [String: Int32] {
        state.withLock { $0.children.mapValues(\.process.processIdentifier) }
    }

    /// Programs that died too often to be restarted again.
    var failed: [String] {
        state.withLock { state in
            state.children.values.filter { !$0.process.isRunning && $0.restarts >= maximumRestarts }
                .map(\.program.name).sorted()
        }
    }

    /// Ends all children: SIGTERM, then SIGKILL for those that are still there after the grace time.
    func stop(grace: Duration = .seconds(25)) async {
        let processes = state.withLock { state in
            state.stopping = true
            return state.children.mapValues(\.process)
        }
        for process in processes.values where process.isRunning { process.terminate() }
        let deadline = ContinuousClock.now + grace
        while processes.values.contains(where: \.isRunning), ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(50))
        }
        for (name, process) in processes where process.isRunning {
            logger.warning("process did not stop in time", metadata: ["program": "\(name)"])
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    private func spawn(_ program: Program) throws -> Process {
        let files = FileManager.default
        if !files.fileExists(atPath: program.log.path) {
            _ = files.createFile(atPath: program.log.path, contents: nil)
        }
        let log = try FileHandle(forWritingTo: program.log)
        try log.seekToEnd()
        let process = Process()
        process.executableURL = program.executable
        process.arguments = program.arguments
        process.environment = program.environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        process.terminationHandler = { [weak self] process in
            try? log.close()
            self?.ended(program, process: process)
        }
        try process.run()
        return process
    }

    private func ended(_ program: Program, process: Process) {
        let restarts = state.withLock { state -> Int? in
            guard !state.stopping, let child = state.children[program.name], child.process === process,
                child.restarts < maximumRestarts
            else { return nil }
            return child.restarts
        }
        guard let restarts else { return }
        logger.warning(
            "process died and is restarted",
            metadata: ["program": "\(program.name)", "status": "\(process.terminationStatus)"]
        )
        Task {
            try? await Task.sleep(for: .milliseconds(200 * (1 << min(restarts, 5))))
            let stopping = state.withLock(\.stopping)
            guard !stopping else { return }
            do {
                let process = try spawn(program)
                let unwanted = state.withLock { state in
                    state.children[program.name] = Child(program: program, process: process, restarts: restarts + 1)
                    return state.stopping
                }
                if unwanted { process.terminate() }
            } catch {
                logger.error("process not restarted", metadata: ["program": "\(program.name)", "error": "\(error)"])
            }
        }
    }
}
