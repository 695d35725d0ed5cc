import Distillation
import Foundation
import Subprocess

#if canImport(System)
import System
#else
import SystemPackage
#endif

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Runs an engine on a job's folder.
struct EngineProcess: Sendable {
    let engine: EngineCatalog.Engine
    let job: EngineJob
    /// How often the metrics are looked at.
    var interval = Duration.milliseconds(500)
    /// How long an engine that is told to end, and what it leaves running, may take to save and go.
    var grace = Duration.seconds(20)

    /// An engine that failed in a way that another try may mend.
    struct Interrupted: Error, CustomStringConvertible {
        let description: String
    }

    /// The exit status that asks for another try, BSD's EX_TEMPFAIL.
    private static let tryAgain: Int32 = 75

    /// Runs the engine to its end.
    ///
    /// It runs in a process group of its own, which ends with this task: first SIGTERM, after ``grace`` SIGKILL. So does
    /// what outlives the group's first process, for example the trainer that a shell script started: when this returns or
    /// throws, nothing works on the folder any more. What a trainer that was killed left running is ended before another
    /// engine begins on the same folder.
    ///
    /// - Parameters:
    ///   - check: Asked at each look, whether or not the engine has said anything since; throwing ends the engine.
    ///   - report: Told of what the metrics say; throwing ends the engine.
    /// - Throws: ``DistillationError`` with the engine's last words when it failed for good, ``Interrupted`` when another try
    ///   may help.
    func run(
        check: @Sendable @escaping () throws -> Void = {},
        _ report: @Sendable @escaping (EngineJob.Line) throws -> Void
    ) async throws {
        endLeftover()
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await runOnce(check, report))
        } catch {
            outcome = .failure(error)
        }
        await endGroup()
        do {
            try outcome.get()
        } catch let interrupted as Interrupted {
            guard try job.countTry() < Self.maximumTries else {
                throw DistillationError("\(interrupted), \(Self.maximumTries) times without an update more")
            }
            throw interrupted
        }
    }

    /// A cause that comes back each time, such as too little memory, passes with no number of tries.
    private static let maximumTries = 5

    private func runOnce(
        _ check: @Sendable @escaping () throws -> Void,
        _ report: @Sendable @escaping (EngineJob.Line) throws -> Void
    ) async throws {
        let log = job.folder.appending(path: "output.log")
        let output = try FileDescriptor.open(
            FilePath(log.path),
            .writeOnly,
            options: [.append, .create],
            permissions: [.ownerReadWrite, .groupRead]
        )
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: grace),
            .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1)),
        ]
        var updates: [Environment.Key: String?] = [:]
        for (name, value) in engine.environment ?? [:] { updates[Environment.Key(stringLiteral: name)] = value }
        let result: ExecutionResult<Void, FileDescriptorOutput, CombinedErrorOutput>
        do {
            result = try await Subprocess.run(
                executable,
                arguments: Arguments(Array(engine.command.dropFirst()) + [job.folder.path]),
                environment: .inherit.updating(updates),
                workingDirectory: FilePath(job.folder.path),
                platformOptions: options,
                input: .none,
                output: .fileDescriptor(output, closeAfterSpawningProcess: true),
                error: .combinedWithOutput
            ) { execution in
                let process = execution.processIdentifier.value
                try note(process)
                try await follow(process, check, report)
            }
        } catch let error as SubprocessError {
            if error.code == .spawnFailed, Self.mayPass(spawning: error.underlyingError?.rawValue) {
                throw Interrupted(description: "the engine \(engine.command[0]) could not be started: \(error)")
            }
            throw DistillationError("the engine \(engine.command[0]) cannot be run: \(error)")
        }
        switch result.terminationStatus {
        case .exited(0) where job.isDone: return
        case .exited(0): throw DistillationError("the engine ended without a checkpoint; its output is in \(log.path)")
        case .exited(Self.tryAgain):
            throw Interrupted(description: "the engine asks for another try: \(Self.lastWords(log))")
        case .exited(let status):
            throw DistillationError("the engine ended with status \(status): \(Self.lastWords(log))")
        case .signaled(let signal):
            throw Interrupted(description: "the engine was ended by signal \(signal): \(Self.lastWords(log))")
        }
    }

    /// Whether another try may start a program that could not be started, for example as there were too many processes.
    ///
    /// Arguments:
    ///   - cause: what the system said, an `errno`; nil where it said nothing.
    static func mayPass(spawning cause: Int32?) -> Bool {
        // Of a program that is not there, may not be run, or is none, the operator has to hear at once.
        ![ENOENT, ENOTDIR, EACCES, EPERM, ENOEXEC].contains(cause)
    }

    private var executable: Executable {
        engine.command[0].contains("/") ? .path(FilePath(engine.command[0])) : .name(engine.command[0])
    }

    /// Looks at the metrics until the process is gone.
    private func follow(
        _ process: pid_t,
        _ check: () throws -> Void,
        _ report: (EngineJob.Line) throws -> Void
    ) async throws {
        var metrics = job.metrics
        var last = -1
        while Self.isRunning(process) {
            try await Task.sleep(for: interval)
            try check()
            if let line = metrics.latest(), line.step != last {
                last = line.step
                try report(line)
            }
        }
    }

    /// The last lines of the engine's output; of a long one only the end is read.
    static func lastWords(_ log: URL) -> String {
        let nothing = "it wrote nothing"
        guard let handle = try? FileHandle(forReadingFrom: log) else { return nothing }
        defer { try? handle.close() }
        guard let size = try? handle.seekToEnd(), (try? handle.seek(toOffset: size - min(size, 4_000))) != nil,
            let data = try? handle.read(upToCount: 4_000)
        else { return nothing }
        let text = String(decoding: data, as: UTF8.self)
        let lines = text.split(separator: "\n").suffix(3).map { $0.trimmingCharacters(in: .whitespaces) }
        return lines.isEmpty ? nothing : String(lines.joined(separator: " | ").suffix(600))
    }

    // MARK: What was left running

    private var noteFile: URL { job.folder.appending(path: "engine.pid") }

    /// Writes down which process works on the folder: its group and when it began, as numbers of processes come again.
    private func note(_ process: pid_t) throws {
        let began = Self.startTime(of: process) ?? ""
        try Data("\(process) \(began)\n".utf8).write(to: noteFile, options: .atomic)
    }

    private func forget() { try? FileManager.default.removeItem(at: noteFile) }

    /// What was written down.
    private func noted() -> (process: pid_t, began: String?)? {
        guard let text = try? String(contentsOf: noteFile, encoding: .utf8) else { return nil }
        let parts = text.split(whereSeparator: \.isWhitespace).map(String.init)
        // A group of 0 or 1 would be this process's own, or everybody's.
        guard let process = parts.first.flatMap({ pid_t($0) }), process > 1 else { return nil }
        return (process, parts.count > 1 ? parts[1] : nil)
    }

    /// Ends the engine of a trainer that was killed on this machine.
    private func endLeftover() {
        defer { forget() }
        guard let (process, began) = noted() else { return }
        let isOurs: Bool
        if let now = Self.startTime(of: process) {
            isOurs = now == began
        } else {
            // Its first process has ended. Numbers of groups come again too, so one that works here must be among it.
            isOurs = Self.members(of: process).contains { isHere($0) }
        }
        if isOurs { _ = kill(-process, SIGKILL) }
    }

    /// Waits until the engine's group is gone, and ends what is left of it after ``grace``, whatever became of this task.
    ///
    /// Its first process has ended by now, so that nobody else looks after the others.
    private func endGroup() async {
        defer { forget() }
        guard let (group, _) = noted() else { return }
        // Unstructured, as nothing sleeps in a task that is cancelled.
        await Task { [interval, grace] in
            func isGone(within limit: Duration) async -> Bool {
                let end = ContinuousClock.now + limit
                while !Self.members(of: group).isEmpty {
                    guard ContinuousClock.now < end else { return false }
                    try? await Task.sleep(for: min(interval, limit))
                }
                return true
            }
            guard await !isGone(within: grace) else { return }
            _ = kill(-group, SIGKILL)
            _ = await isGone(within: .seconds(1))
        }.value
    }

    /// Whether a process works in the job's folder.
    private func isHere(_ process: pid_t) -> Bool {
        let place = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/cwd")
        return place == job.folder.resolvingSymlinksInPath().path
    }

    /// The running processes of a group; those that have ended and are not waited for yet are not among them.
    private static func members(of group: pid_t) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { process in
            guard let found = fields(of: process), found.count > 2 else { return false }
            return found[2] == String(group) && isRunning(found)
        }
    }

    /// When a process began, in clock ticks since the machine's start; nil where there is none.
    private static func startTime(of process: pid_t) -> String? {
        fields(of: process).flatMap { $0.count > 19 ? $0[19] : nil }
    }

    static func isRunning(_ process: pid_t) -> Bool { fields(of: process).map(isRunning) ?? false }

    private static func isRunning(_ fields: [String]) -> Bool {
        // A process that has ended and is not waited for yet is no longer running.
        fields.first != "Z" && fields.first != "X"
    }

    /// The fields of /proc/PID/stat after the program's name, which may hold anything.
    private static func fields(of process: pid_t) -> [String]? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        return text[text.index(after: end)...].split(separator: " ").map(String.init)
    }
}
