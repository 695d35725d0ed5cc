import Distillation
import Foundation
import LanguageModel
import ModelFiles
import Schemas
import StageSupport
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@testable import RunTraining

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
            let final = #expect(throws: DistillationError.self) {
                try job.trained(student: student, seconds: 1, store: bench.store)
            }
            #expect(final.map(StageTrainer.isFinal) == true)
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
}
