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
