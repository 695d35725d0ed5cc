import Foundation
import ServiceRuntime
import StageSupport
import Testing

@testable import RunTraining

@Suite("The folder of trainings in progress")
struct WorkFolderTests {
    @Test("the files of a training have a name that a file can have, and no other training's")
    func workNames() {
        func name(_ run: String, _ stage: String, _ round: Int = 1) -> String {
            WorkFolder.name(of: StageID(run: run, round: round, stage: stage))
        }
        #expect(name("r1", "templates") == "r1,templates")
        #expect(name("team/r1", "templates", 2) == "team%2Fr1,templates,2")
        let long = String(repeating: "a/", count: 100)
        let names = [
            name(long, "templates"), name(long, "templates", 2), name(long + "b", "templates"), name(long, "keys"),
            name(String(repeating: "a", count: 200), String(repeating: "s", count: 200)),
        ]
        #expect(Set(names).count == names.count)
        // With what is added to it while it is written: a dot before, ".state.unused", a dot and a UUID.
        #expect(names.allSatisfy { $0.utf8.count + 51 <= 255 && !$0.contains("/") })
    }

    @Test("what is left of trainings that are over goes after a day, and what can be gone on from stays")
    func finished() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "errata-work-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(
            at: folder.appending(path: "r1,c.engine"),
            withIntermediateDirectories: true
        )
        let files = ["r1,a.state", "r1,b.state", "r1,b.state.unused", "r1,a,2.state", "reference-0.jsonl", "mine.txt"]
        for file in files { try Data().write(to: folder.appending(path: file)) }
        let unfinished = [StageID(run: "r1", round: 1, stage: "a")]
        let work = WorkFolder(folder: folder)
        #expect(work.removeFinished(unfinished: unfinished) == [], "they may be just done")
        let tomorrow = Date(timeIntervalSinceNow: 86_400 + 60)
        #expect(
            work.removeFinished(unfinished: unfinished, now: tomorrow)
                == ["r1,a,2.state", "r1,b.state", "r1,b.state.unused", "r1,c.engine"]
        )
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(left == ["mine.txt", "r1,a.state", "reference-0.jsonl"])
        let nextMonth = Date(timeIntervalSinceNow: 30 * 86_400 + 60)
        #expect(work.removeFinished(unfinished: unfinished, now: nextMonth) == ["reference-0.jsonl"])
    }
}
