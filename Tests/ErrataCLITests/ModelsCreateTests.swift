import ArgumentParser
import DataSupport
import Foundation
import LanguageModel
import PracticeDomain
import Reasoning
import Schemas
import Testing
import Tokenization

@testable import ErrataCLICore

@Suite("A student from nothing")
struct ModelsCreateTests {
    private func problems(_ count: Int) throws -> [String] {
        try ProblemGenerator(seed: 3, stepRange: 2...3).generate(count: count, split: .train).map(GSM8K.format)
    }

    private func create(_ lines: [String], in folder: URL, _ more: String...) throws {
        let file = folder.appending(path: "problems.jsonl")
        try Data(lines.joined(separator: "\n").utf8).write(to: file)
        try ModelsCreateCommand.parse([file.path, "--state", folder.path] + more).run()
    }

    @Test("has its name and a tokenizer of the texts, and the same file and seed make the same one")
    func same() throws {
        try withTemporaryFolder { folder in
            let lines = try problems(60)
            try create(lines, in: folder, "--name", "tiny")
            let store = try ModelStore(root: folder.appending(path: "models"))
            let first = try store.resolve("tiny")
            let tokenizer = try Tokenizer(folder: first.folder)
            let question = try ProblemLines.event(of: Substring(lines[0]), dataset: "d", split: .train).question
            // Bytes alone would be a token each.
            #expect(tokenizer.encode(question).count < question.utf8.count * 3 / 4)
            try create(lines, in: folder, "--name", "again")
            #expect(try store.resolve("again").hash == first.hash)
            try create(lines, in: folder, "--name", "other", "--seed", "2")
            #expect(try store.resolve("other").hash != first.hash)
        }
    }

    @Test("a line that is no problem is named, and nothing is made of no problems")
    func refused() throws {
        try withTemporaryFolder { folder in
            let lines = try problems(1)
            let bad = #expect(throws: CLIError.self) { try create(lines + ["{"], in: folder) }
            #expect(bad?.description.contains("problems.jsonl:2: ") == true)
            let empty = #expect(throws: CLIError.self) { try create([""], in: folder) }
            #expect(empty?.description.contains("holds no problems") == true)
            let models = folder.appending(path: "models").path
            #expect(!FileManager.default.fileExists(atPath: models))
        }
    }
}
