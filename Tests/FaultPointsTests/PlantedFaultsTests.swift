#if ERRATA_FAULTS
import Foundation
import Testing

@testable import FaultPoints

struct PlantedFaultsTests {
    private func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "faults-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test("a fault happens once, to its program, at its place, at the passing that it names")
    func once() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("fail 3\n".utf8).write(to: folder.appending(path: "one@relay.sent"))
        let one = PlantedFaults(folder: folder.path, program: "one")
        let other = PlantedFaults(folder: folder.path, program: "other")
        #expect(one.take(.relayRead) == nil)
        for _ in 0..<4 { #expect(other.take(.relaySent) == nil) }
        #expect((0..<5).map { _ in one.take(.relaySent) } == [nil, nil, .fail, nil, nil])
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(left == ["one@relay.sent.done.\(ProcessInfo.processInfo.processIdentifier)"])
    }

    @Test("of two processes that pass at the same moment one has it")
    func race() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("kill".utf8).write(to: folder.appending(path: "one@stage.step"))
        let both = (0..<2).map { _ in PlantedFaults(folder: folder.path, program: "one") }
        #expect(both.compactMap { $0.take(.stageStep) } == [.kill])
    }

    @Test("words that name no fault are none")
    func unknown() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("explode".utf8).write(to: folder.appending(path: "one@stage.step"))
        #expect(PlantedFaults(folder: folder.path, program: "one").take(.stageStep) == nil)
    }
}
#endif
