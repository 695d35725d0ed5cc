import Distillation
import Foundation
import LanguageModel
import ModelFiles
import Schemas
import StageSupport
import TestSupport
import Testing

@testable import RunTraining

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite("Engines that meet a fault")
struct EngineFaultTests {
    @Test("a checkpoint that cannot be stored is tried again, one that is no model is not")
    func store() async throws {
        try await StageBench.with { bench in
            let job = EngineJob(folder: bench.workFolder.appending(path: "r1,keys.engine"))
            let checkpoint = job.folder.appending(path: "checkpoint")
            try FileManager.default.createDirectory(at: job.folder, withIntermediateDirectories: true)
            try FileManager.default.copyItem(at: bench.student.folder, to: checkpoint)
            let student = bench.run(stages: [.templates()]).student

            let root = bench.workFolder.appending(path: "other")
            let broken = try ModelStore(root: root)
            try FileManager.default.removeItem(at: root)
            // As root a folder without permissions would be written all the same; a file is no folder for anybody.
            try Data().write(to: root)
            let passing = #expect(throws: ModelFileError.self) {
                try job.trained(student: student, seconds: 1, store: broken)
            }
            #expect(passing.map(StageTrainer.isFinal) == false)
            let trained = try job.trained(student: student, seconds: 1, store: bench.store)
            #expect(trained.stored.hash == bench.student.hash)

            try FileManager.default.removeItem(at: checkpoint.appending(path: "config.json"))
            let lasting = #expect(throws: DistillationError.self) {
                try job.trained(student: student, seconds: 1, store: bench.store)
            }
            #expect(lasting.map(StageTrainer.isFinal) == true)
        }
    }

    @Test("a program that could not be started for want of something is tried again, one that is none is not")
    func spawning() {
        for cause in [EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY] {
            #expect(EngineProcess.mayPass(spawning: cause), "errno \(cause)")
        }
        #expect(EngineProcess.mayPass(spawning: nil))
        for cause in [ENOENT, EACCES, ENOEXEC] { #expect(!EngineProcess.mayPass(spawning: cause), "errno \(cause)") }
    }

    /// A process that ignores SIGTERM and lives for a minute at most, its number in the file `child`.
    private static let stubborn = "sh -c 'trap \"\" TERM; echo $$ > child.new; mv child.new child; exec sleep 60' &"

    private func withJob(_ body: (EngineJob) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "errata-engine-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let job = EngineJob(folder: folder)
        do {
            try await body(job)
        } catch {
            clear(job)
            throw error
        }
        clear(job)
    }

    private func clear(_ job: EngineJob) {
        if let process = child(job) { _ = kill(process, SIGKILL) }
        try? FileManager.default.removeItem(at: job.folder)
    }

    private func child(_ job: EngineJob) -> pid_t? {
        let text = try? String(contentsOf: job.folder.appending(path: "child"), encoding: .utf8)
        return text.flatMap { pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    private func engine(_ script: String, on job: EngineJob) -> EngineProcess {
        EngineProcess(
            engine: EngineCatalog.Engine(command: ["/bin/sh", "-c", script], environment: nil),
            job: job,
            interval: .milliseconds(20),
            grace: .milliseconds(500)
        )
    }

    @Test("what a shell started ends with the engine, also where the shell itself ends at once when it is told to")
    func members() async throws {
        try await withJob { job in
            let process = engine("\(Self.stubborn) wait", on: job)
            let running = Task { try await process.run { _ in } }
            try await eventually("the child") { child(job) != nil }
            let number = try #require(child(job))
            #expect(EngineProcess.isRunning(number))
            running.cancel()
            await #expect(throws: (any Error).self) { try await running.value }
            #expect(!EngineProcess.isRunning(number))
        }
    }

    @Test("what an engine leaves running when it ends by itself is ended before its folder is used again")
    func leftBehind() async throws {
        try await withJob { job in
            let process = engine("\(Self.stubborn) while [ ! -e child ]; do :; done; mkdir checkpoint", on: job)
            try await process.run { _ in }
            let number = try #require(child(job))
            #expect(!EngineProcess.isRunning(number))
        }
    }

    @Test("of an engine whose trainer was killed the members are ended also where its first process is gone")
    func leftover() async throws {
        try await withJob { job in
            let shell = Process()
            shell.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            let script = "\(Self.stubborn) while [ ! -e child ]; do :; done; echo \"$$ 1\" > engine.pid"
            shell.arguments = ["setsid", "--wait", "sh", "-c", script]
            shell.currentDirectoryURL = job.folder
            try shell.run()
            // Foundation waits for all who have inherited its descriptors, the member too.
            try await eventually("the end of the shell alone") {
                let note = try? String(contentsOf: job.folder.appending(path: "engine.pid"), encoding: .utf8)
                guard let first = note?.split(separator: " ").first else { return false }
                return !FileManager.default.fileExists(atPath: "/proc/\(first)")
            }
            let number = try #require(child(job))
            #expect(EngineProcess.isRunning(number))
            try await engine("mkdir checkpoint", on: job).run { _ in }
            // It was sent SIGKILL before the second engine began, which the system may be slow to carry out.
            try await eventually("the end of the member") { !EngineProcess.isRunning(number) }
        }
    }
}
