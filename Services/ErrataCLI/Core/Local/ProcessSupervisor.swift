import Foundation
import Logging
import Synchronization

/// Runs programs as child processes, restarts those that end by themselves, and ends only what it started.
///
/// A program that ends again and again is left alone at last (see ``RestartPolicy``), as is one that cannot be started
/// again; ``failed`` names both.
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
        let process: Process
        let began = ContinuousClock.now
        /// How often it was restarted in a row.
        var restarts = 0
        /// Whether it is left alone; its log file says why it ended.
        var isGivenUp = false
    }

    private struct State {
        var children: [String: Child] = [:]
        var stopping = false
    }

    private let state = Mutex(State())
    private let logger: Logger
    private let policy: RestartPolicy

    init(logger: Logger, policy: RestartPolicy = RestartPolicy()) {
        self.logger = logger
        self.policy = policy
    }

    /// Starts a program.
    func start(_ program: Program) throws { try start(program, restarts: 0) }

    private func start(_ program: Program, restarts: Int) throws {
        // Under the lock: a program may end before it stands among the children, and its end is looked up there.
        try state.withLock { state in
            guard !state.stopping else { return }
            let process = try spawn(program)
            state.children[program.name] = Child(program: program, process: process, restarts: restarts)
        }
    }

    /// The process ids by program name.
    var processIdentifiers: [String: Int32] {
        state.withLock { $0.children.mapValues(\.process.processIdentifier) }
    }

    /// Programs that are not started again.
    var failed: [String] {
        state.withLock { $0.children.values.filter(\.isGivenUp).map(\.program.name).sorted() }
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
        let restart = state.withLock { state -> (restarts: Int, wait: Duration)? in
            guard !state.stopping, let child = state.children[program.name], child.process === process else {
                return nil
            }
            let restarts = policy.counted(child.restarts, ranFor: child.began.duration(to: .now))
            guard let wait = policy.wait(afterRestarts: restarts) else {
                state.children[program.name]?.isGivenUp = true
                return nil
            }
            return (restarts, wait)
        }
        guard let restart else { return }
        logger.warning(
            "process died and is restarted",
            metadata: ["program": "\(program.name)", "status": "\(process.terminationStatus)"]
        )
        Task {
            try? await Task.sleep(for: restart.wait)
            do {
                try start(program, restarts: restart.restarts + 1)
            } catch {
                logger.error("process not restarted", metadata: ["program": "\(program.name)", "error": "\(error)"])
                state.withLock { $0.children[program.name]?.isGivenUp = true }
            }
        }
    }
}
