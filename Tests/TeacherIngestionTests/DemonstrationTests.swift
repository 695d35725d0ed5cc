import Foundation
import Logging
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Synchronization
import Teaching
import TestSupport
import Testing

@testable import TeacherIngestionCore

@Suite("The examples that CCP shows")
struct DemonstrationTests {
    /// Problems whose id begins with `w` get a wrong chain first, so that it is rectified.
    private func bench(_ pool: PostgresPool) -> Bench {
        Bench(pool) { prompt, _, request in
            prompt == PromptID.chainOfThought.rawValue
                && request.messages.contains { $0.content.contains("Ben has") }
                ? reply(Good.wrong.replacingOccurrences(of: "Ann", with: "Ben")) : Good.answer(prompt)
        }
    }

    private func wrong(_ id: String, dataset: String = "test") -> ProblemEvent {
        var problem = problem(id: id)
        problem.dataset = dataset
        problem.question = "Ben has 3 baskets of 4 pears and eats 2. How many are left in \(id)?"
        return problem
    }

    private func shown(_ bench: Bench) throws -> String {
        try #require(bench.teacher.requests(.corrupt).last?.messages.last?.content)
    }

    @Test("they are the dataset's rectified pairs, filled up with the shipped ones while there are fewer than three")
    func drawn() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.run(problem(id: "first"))
            let none = try shown(bench)
            #expect(none.components(separatedBy: "### Wrong response").count == 5)
            #expect(none.contains("ferry") && none.contains("rope"))
            try await bench.run(wrong("w1"))
            try await bench.run(wrong("elsewhere", dataset: "other"))
            try await bench.run(problem(id: "second"))
            let one = try shown(bench)
            #expect(one.contains("left in w1?") && one.contains("ferry") && one.contains("Mira"))
            #expect(!one.contains("rope") && !one.contains("elsewhere"))
            for id in ["w2", "w3", "w4", "w5", "w6"] { try await bench.run(wrong(id)) }
            var questions: Set<Set<String>> = []
            for id in ["third", "fourth", "fifth", "sixth", "seventh"] {
                try await bench.run(problem(id: id))
                let lines = Set(
                    try shown(bench).split(separator: "\n").map(String.init).filter { $0.hasPrefix("Ben has 3 b") }
                )
                #expect(lines.count == 3)
                questions.insert(lines)
            }
            #expect(questions.count > 1)
        }
    }

    @Test("what was drawn for a problem stays when its message comes again and other pairs are there")
    func redelivered() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.run(wrong("w1"))
            let first = try await bench.processor.process(try received(problem()))
            let calls = bench.teacher.calls
            let text = try shown(bench)
            for id in ["w2", "w3", "w4"] { try await bench.run(wrong(id)) }
            let before = bench.teacher.requests(.corrupt).count
            let second = try await bench.processor.process(try received(problem()))
            #expect(bench.teacher.requests(.corrupt).count == before)
            #expect(first.events.map(\.payload) == second.events.map(\.payload))
            #expect(calls.contains(PromptID.corrupt.rawValue) && text.contains("left in w1?"))
        }
    }

    @Test("a folder of prompts is used, and its fault is told by --check with the file and the cure")
    func configured() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "prompts-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func check() async -> (ExitCode, String) {
            let text = Mutex("")
            let sink = LogSink { line in text.withLock { $0 += line } }
            let code = await ServiceMain.run(
                TeacherIngestionService.definition,
                arguments: ["--check"],
                environment: [
                    "ERRATA_KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
                    "ERRATA_POSTGRES_URL": "postgresql://localhost/x",
                    "ERRATA_TEACHER_URL": "http://localhost/v1", "ERRATA_TEACHER_MODEL": "m",
                    "ERRATA_PROMPTS": folder.path(percentEncoded: false),
                ],
                output: sink,
                complaints: sink
            )
            return (code, text.withLock { $0 })
        }
        let file = folder.appending(path: "rectify.md")
        try Data("version: 7\n[user]\n{{question}} {{answer}}".utf8).write(to: file)
        let (fine, shown) = await check()
        #expect(fine == .success, "\(shown)")
        #expect(shown.contains("ERRATA_PROMPTS="))
        try Data("version: 7\n[user]\n{{question}} {{anwser}}".utf8).write(to: file)
        let (faulty, told) = await check()
        #expect(faulty == .configuration)
        #expect(told.contains("ERRATA_PROMPTS"))
        #expect(told.contains("rectify.md: the prompt rectify has the unknown place {{anwser}}; its places are"))
    }

    @Test("a user's prompt is what the teacher is asked with, and its version stands in the trace")
    func used() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "prompts-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("version: 7\n[user]\nTask: corrupt\n{{question}} {{chain}}".utf8)
            .write(to: folder.appending(path: "corrupt.md"))
        let prompts = try PromptLibrary(folder: folder)
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool, prompts: prompts) { prompt, _, _ in Good.answer(prompt) }
            let dual = try #require(try await bench.run(problem()).last)
            #expect(dual.verified)
            #expect(dual.teacher.promptVersion.hasPrefix("7+"))
            #expect(try shown(bench) == "Task: corrupt\n\(problem().question) \(Good.chain)")
        }
    }
}
