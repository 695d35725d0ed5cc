import DataSupport
import Foundation
import ModelFiles
import NumericSupport
import Testing

@testable import LanguageModel

private func model(in folder: URL, _ content: String = "weights") throws -> URL {
    let source = folder.appendingPathComponent("source")
    try FileManager.default.createDirectory(at: source, withIntermediateDirectories: true)
    try Data(content.utf8).write(to: source.appendingPathComponent("model.safetensors"))
    try Data("{}".utf8).write(to: source.appendingPathComponent("config.json"))
    return source
}

@Test("a stored model is found by its hash, and storing it again changes nothing")
func storeTwice() throws {
    try withTemporaryFolder { folder in
        let store = try ModelStore(root: folder.appendingPathComponent("store"))
        let source = try model(in: folder)
        let first = try store.add(source)
        #expect(try store.add(source) == first)
        #expect(try store.folder(first.hash) == first.folder)
        #expect(try store.hashes() == [first.hash])
        #expect(try ModelStore.hash(of: first.folder) == first.hash)
        try store.verify(first.hash)
        let names = try FileManager.default.contentsOfDirectory(atPath: store.root.path)
        #expect(names == [first.hash])
    }
}

@Test("names and contents both decide about the hash")
func hashing() throws {
    try withTemporaryFolder { folder in
        let source = try model(in: folder)
        let first = try ModelStore.hash(of: source)
        _ = try model(in: folder, "other weights")
        let second = try ModelStore.hash(of: source)
        try FileManager.default.moveItem(
            at: source.appendingPathComponent("config.json"),
            to: source.appendingPathComponent("config2.json")
        )
        let third = try ModelStore.hash(of: source)
        #expect(Set([first, second, third]).count == 3)
    }
}

@Test("a model that was changed in the store fails verification")
func corruption() throws {
    try withTemporaryFolder { folder in
        let store = try ModelStore(root: folder.appendingPathComponent("store"))
        let stored = try store.add(model(in: folder))
        try Data("tampered".utf8).write(to: stored.folder.appendingPathComponent("model.safetensors"))
        let error = #expect(throws: ModelFileError.self) { try store.verify(stored.hash) }
        #expect(error?.code == .corrupt)
    }
}

@Test("a model that is stored again while its removal is asked about stays, with where it came from")
func storedWhileRemoved() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    let store = try ModelStore(root: folder.appendingPathComponent("store"))
    let source = try model(in: folder)
    let hash = try store.add(source).hash
    try store.note(ModelRecord.Origin(source: "a file"), of: hash)
    for wanted in [true, false] {
        let isGone = try await store.remove(hash) { grave in
            let found = try store.hashes()
            #expect(found.isEmpty && FileManager.default.fileExists(atPath: grave.path))
            let again = try store.add(source).hash
            #expect(again == hash)
            return wanted
        }
        #expect(isGone == !wanted)
        try store.verify(hash)
        let record = try store.record(of: hash)
        #expect(record?.origins.map(\.source) == ["a file"])
        let names = try FileManager.default.contentsOfDirectory(atPath: store.root.path).sorted()
        #expect(names == [hash, "records"].sorted(), "nothing is left of what was renamed")
    }
    struct Interruption: Error {}
    await #expect(throws: Interruption.self) { try await store.remove(hash) { _ in throw Interruption() } }
    try store.verify(hash)
    let isGone = try await store.remove(hash) { _ in false }
    let left = try store.hashes()
    #expect(isGone && left.isEmpty)
}

@Test("an unknown or malformed hash and an empty folder are refused")
func unknownModels() throws {
    try withTemporaryFolder { folder in
        let store = try ModelStore(root: folder.appendingPathComponent("store"))
        let absent = #expect(throws: ModelFileError.self) { try store.folder(String(repeating: "0", count: 64)) }
        #expect(absent?.code == .missing)
        #expect(throws: ModelFileError.self) { try store.folder("../../etc") }
        let empty = folder.appendingPathComponent("empty")
        try FileManager.default.createDirectory(at: empty, withIntermediateDirectories: true)
        #expect(throws: ModelFileError.self) { try store.add(empty) }
        #expect(throws: ModelFileError.self) { try store.add(folder.appendingPathComponent("nowhere")) }
    }
}

@Test("a model is found by its names, its hash and the beginning of its hash")
func references() throws {
    try withTemporaryFolder { folder in
        let store = try ModelStore(root: folder.appendingPathComponent("store"))
        let first = try store.add(model(in: folder))
        let second = try store.add(model(in: folder, "other weights"))
        try store.setName("small", for: first.hash)
        try store.setName("small-again", for: first.hash)
        try store.setName("other-1.0", for: second.hash)
        for reference in ["small", "small-again", first.hash, String(first.hash.prefix(8))] {
            #expect(try store.resolve(reference) == first)
        }
        #expect(try store.names() == ["small": first.hash, "small-again": first.hash, "other-1.0": second.hash])
        try store.rename("small-again", to: "tiny")
        #expect(try store.names(of: first.hash) == ["small", "tiny"])
        try store.removeName("tiny")
        #expect(try store.names(of: first.hash) == ["small"])
        #expect(try store.hashes() == [first.hash, second.hash].sorted())
        for unknown in ["tiny", "smal", String(first.hash.prefix(7)), "../\(first.hash)", "", "names"] {
            let error = #expect(throws: ModelFileError.self) { try store.resolve(unknown) }
            #expect(error?.code == .missing)
        }
    }
}

@Test(
    "what cannot be a file's name, or looks like a hash, is no name",
    arguments: [
        "", ".hidden", "-x", "a/b", "..", "a b", "ä", "12345678", "deadbeef", String(repeating: "x", count: 101),
    ]
)
func badNames(name: String) throws {
    try withTemporaryFolder { folder in
        let store = try ModelStore(root: folder.appendingPathComponent("store"))
        let stored = try store.add(model(in: folder))
        #expect(throws: ModelFileError.self) { try store.setName(name, for: stored.hash) }
        #expect(try store.names().isEmpty)
    }
}

@Test("a name is not taken from another model")
func takenNames() throws {
    try withTemporaryFolder { folder in
        let store = try ModelStore(root: folder.appendingPathComponent("store"))
        let first = try store.add(model(in: folder))
        let second = try store.add(model(in: folder, "other weights"))
        try store.setName("one", for: first.hash)
        try store.setName("one", for: first.hash)
        try store.setName("two", for: second.hash)
        #expect(throws: ModelFileError.self) { try store.setName("one", for: second.hash) }
        #expect(throws: ModelFileError.self) { try store.rename("one", to: "two") }
        #expect(throws: ModelFileError.self) { try store.rename("three", to: "four") }
        #expect(try store.resolve("one") == first)
        #expect(try store.resolve("two") == second)
    }
}

@Test("a name that follows something is pointed to another model, and stays where it is for one that is not there")
func pointedNames() throws {
    try withTemporaryFolder { folder in
        let store = try ModelStore(root: folder.appendingPathComponent("store"))
        let first = try store.add(model(in: folder))
        let second = try store.add(model(in: folder, "other weights"))
        try store.pointName("run.champion", to: first.hash)
        #expect(try store.resolve("run.champion") == first)
        try store.pointName("run.champion", to: second.hash)
        try store.pointName("run.champion", to: second.hash)
        #expect(try store.resolve("run.champion") == second)
        #expect(try store.names() == ["run.champion": second.hash])

        let absent = #expect(throws: ModelFileError.self) {
            try store.pointName("run.champion", to: String(repeating: "0", count: 64))
        }
        #expect(absent?.code == .missing)
        #expect(try store.resolve("run.champion") == second)
        for name in ["", ".hidden", "a/b", "deadbeef"] {
            #expect(throws: ModelFileError.self) { try store.pointName(name, to: first.hash) }
        }
        #expect(try store.names() == ["run.champion": second.hash])
        // Names that people set are still not taken.
        #expect(throws: ModelFileError.self) { try store.setName("run.champion", for: first.hash) }
    }
}

@Test("a model is removed with its names, but not while another was trained from it")
func removal() throws {
    try withTemporaryFolder { folder in
        let store = try ModelStore(root: folder.appendingPathComponent("store"))
        let parent = try store.add(model(in: folder))
        let child = try store.add(model(in: folder, "trained weights"))
        let date = Date(timeIntervalSince1970: 1_800_000_000)
        let origin = ModelRecord.Origin(source: "training r1-hsft", parent: parent.hash)
        try store.note(origin, of: child.hash, at: date)
        try store.note(origin, of: child.hash, at: date.addingTimeInterval(5))
        try store.note(ModelRecord.Origin(source: "training r2-hsft", parent: parent.hash), of: child.hash)
        #expect(try store.record(of: child.hash)?.addedAt == date)
        #expect(try store.record(of: child.hash)?.origins.count == 2)
        #expect(try store.record(of: child.hash)?.parents == [parent.hash])
        #expect(try store.record(of: parent.hash) == nil)
        #expect(try store.descendants(of: parent.hash) == [child.hash])
        try store.setName("parent", for: parent.hash)
        try store.setName("child", for: child.hash)
        let error = #expect(throws: ModelFileError.self) { try store.remove(parent.hash) }
        #expect(error?.message.contains(child.hash.prefix(12)) == true)
        #expect(try store.resolve("parent") == parent)
        try store.remove(child.hash)
        try store.remove(parent.hash)
        #expect(try store.hashes().isEmpty)
        #expect(try store.names().isEmpty)
        #expect(try store.record(of: child.hash) == nil)
        #expect(throws: ModelFileError.self) { try store.remove(parent.hash) }
    }
}

@Test("a model that is made in the store leaves nothing behind when making it fails")
func makingFails() throws {
    struct Failure: Error {}
    try withTemporaryFolder { folder in
        let store = try ModelStore(root: folder.appendingPathComponent("store"))
        #expect(throws: Failure.self) {
            try store.make { folder in
                try Data("half".utf8).write(to: folder.appendingPathComponent("model.safetensors"))
                throw Failure()
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.root.path).isEmpty)
    }
}

@Test(
    "what killed processes left unfinished is collected when it is a day old and nobody holds it, and nothing else is"
)
func leftovers() throws {
    try withTemporaryFolder { folder in
        let store = try ModelStore(root: folder.appendingPathComponent("store"))
        let stored = try store.add(model(in: folder))
        try store.setName("kept", for: stored.hash)
        let identifier = UUID().uuidString
        let half = store.root.appendingPathComponent(".adding-\(identifier)")
        try FileManager.default.createDirectory(at: half, withIntermediateDirectories: true)
        try Data("half".utf8).write(to: half.appendingPathComponent("model.safetensors"))
        let name = store.root.appendingPathComponent("names/.best.\(identifier)")
        try Data("0".utf8).write(to: name)
        for file in [".adding-something", ".notes", ".\(identifier)"] {
            try Data("mine".utf8).write(to: store.root.appendingPathComponent(file))
        }
        #expect(store.leftovers() == [], "they may be in the making")
        let tomorrow = Date(timeIntervalSinceNow: 86_400 + 60)
        func names(_ urls: [URL]) -> [String] { urls.map(\.lastPathComponent) }
        #expect(names(store.leftovers(now: tomorrow)) == [half.lastPathComponent, name.lastPathComponent])
        Leftovers.whileHolding(half) {
            #expect(names(store.leftovers(now: tomorrow)) == [name.lastPathComponent], "it is being written")
        }
        var unfinished = try AtomicFile(url: store.root.appendingPathComponent("names/next"))
        #expect(store.leftovers(now: tomorrow).count == 2, "so is the file")
        try unfinished.finish()
        #expect(names(store.removeLeftovers(now: tomorrow)) == [half.lastPathComponent, name.lastPathComponent])
        #expect(store.leftovers(now: tomorrow) == [])
        #expect(try store.resolve("kept").hash == stored.hash)
        try store.verify(stored.hash)
        #expect(store.size() > 0)
        let left = try FileManager.default.contentsOfDirectory(atPath: store.root.path)
        #expect(Set(left) == [".adding-something", ".notes", ".\(identifier)", "names", stored.hash])
    }
}
