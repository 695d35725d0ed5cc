import Foundation
import Logging
import Subprocess
import Synchronization

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// Runs programs as child processes, restarts those that end by themselves, and ends only what it started.
///
/// A program that ends again and again is left alone at last (see ``RestartPolicy``), as is one that cannot be started;
/// ``failed`` names both.
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

    private struct State {
        var tasks: [Task<Void, Never>] = []
        var identifiers: [String: Int32] = [:]
        var failed: Set<String> = []
    }

    private let state = Mutex(State())
    private let logger: Logger
    private let policy: RestartPolicy
    private let grace: Duration

    /// Creates a supervisor.
    ///
    /// - Parameters:
    ///   - logger: For deaths.
    ///   - policy: How often a program is started again.
    ///   - grace: How long a child may take to end after SIGTERM, before SIGKILL.
    init(logger: Logger, policy: RestartPolicy = RestartPolicy(), grace: Duration = .seconds(25)) {
        self.logger = logger
        self.policy = policy
        self.grace = grace
    }

    /// Starts a program, and starts it again each time it has ended.
    ///
    /// - Throws: where its log cannot be written.
    func start(_ program: Program) throws {
        try openLog(of: program).close()
        state.withLock { $0.tasks.append(Task { await keepRunning(program) }) }
    }

    /// The process ids by program name; of one that has just died still the old one.
    var processIdentifiers: [String: Int32] { state.withLock(\.identifiers) }

    /// Programs that are not started again.
    var failed: [String] { state.withLock { $0.failed.sorted() } }

    /// Ends all children: SIGTERM, then SIGKILL for those that are still there after the grace time.
    func stop() async {
        let tasks = state.withLock { state in
            defer { state.tasks = [] }
            return state.tasks
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func keepRunning(_ program: Program) async {
        var restarts = 0
        while !Task.isCancelled {
            let begun = ContinuousClock.now
            let status: TerminationStatus
            do {
                status = try await runOnce(program)
            } catch {
                if !Task.isCancelled { giveUp(program, "process cannot be started", cause: "\(error)") }
                return
            }
            if Task.isCancelled { return }
            restarts = policy.counted(restarts, ranFor: begun.duration(to: .now))
            guard let wait = policy.wait(afterRestarts: restarts) else {
                return giveUp(program, "process died too often", cause: "\(status)")
            }
            logger.warning(
                "process died and is restarted",
                metadata: ["program": "\(program.name)", "status": "\(status)"]
            )
            // Cancellation ends the loop at its head.
            try? await Task.sleep(for: wait)
            restarts += 1
        }
    }

    private func giveUp(_ program: Program, _ message: Logger.Message, cause: String) {
        state.withLock { _ = $0.failed.insert(program.name) }
        logger.error(message, metadata: ["program": "\(program.name)", "cause": "\(cause)"])
    }

    /// Runs a program to its end; a cancelled task ends it.
    private func runOnce(_ program: Program) async throws -> TerminationStatus {
        let log = try openLog(of: program)
        var options = PlatformOptions()
        // Ctrl-C in a terminal is for this process alone, which ends its children in order.
        options.processGroupID = 0
        options.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: grace)]
        var environment: [Environment.Key: String] = [:]
        for (name, value) in program.environment { environment[Environment.Key(stringLiteral: name)] = value }
        let result: ExecutionResult<Void, FileDescriptorOutput, CombinedErrorOutput> = try await Subprocess.run(
            .path(FilePath(program.executable.path)),
            arguments: Arguments(program.arguments),
            environment: .custom(environment),
            platformOptions: options,
            input: .none,
            output: .fileDescriptor(log, closeAfterSpawningProcess: true),
            error: .combinedWithOutput
        ) { execution in
            state.withLock { $0.identifiers[program.name] = execution.processIdentifier.value }
        }
        return result.terminationStatus
    }

    private func openLog(of program: Program) throws -> FileDescriptor {
        try FileDescriptor.open(
            FilePath(program.log.path),
            .writeOnly,
            options: [.append, .create],
            permissions: [.ownerReadWrite, .groupRead, .otherRead]
        )
    }
}
