import Foundation
import Reasoning
import Schemas
import Testing

@testable import ErrataCLICore

@Suite("Submissions")
struct SubmissionTests {
    private func submission(limit: Int? = nil, sizeLimit: Int = 1 << 20, stops: Bool = false) -> Submission {
        Submission(
            reader: ProblemReader(),
            dataset: "mine",
            split: .train,
            place: "f.jsonl",
            limit: limit,
            recordSizeLimit: sizeLimit,
            stopsAtError: stops
        )
    }

    private func items(_ lines: String...) throws -> [ProblemSource.Item] {
        var source = ProblemSource()
        return try source.append(Data(lines.joined(separator: "\n").utf8)) + source.finish()
    }

    private func line(_ question: String) -> String { #"{"question":"\#(question)","answer":"2"}"# }

    @Test("a bad line is named with its number and reason, and the rest goes on")
    func badLine() throws {
        var submission = submission()
        let messages = try items(line("a"), "nonsense", line("b"), #"{"question":"c"}"#).compactMap {
            submission.add($0)
        }
        #expect(messages.count == 2 && submission.rejected == 2 && !submission.isOver)
        #expect(messages[0].hasPrefix("f.jsonl:2: the line is not a JSON object"))
        #expect(messages[1].hasPrefix("f.jsonl:4: \"answer\" is missing"))
        #expect(submission.takeBatch().map(\.event.question) == ["a", "b"])
        #expect(!submission.hasBatch)
    }

    @Test("it is over at the limit, and at the first bad line where that is asked for")
    func over() throws {
        var limited = submission(limit: 2)
        for item in try items(line("a"), "x", line("b"), line("c")) where !limited.isOver { _ = limited.add(item) }
        #expect(limited.takeBatch().count == 2 && limited.rejected == 1)
        var strict = submission(stops: true)
        for item in try items(line("a"), "x", line("b")) where !strict.isOver { _ = strict.add(item) }
        #expect(strict.takeBatch().map(\.event.question) == ["a"])
    }

    @Test("a problem that the broker would refuse is refused with the cure")
    func tooLarge() throws {
        var submission = submission(sizeLimit: 200)
        let message = try items(line("a")).compactMap { submission.add($0) }.first
        #expect(message?.contains("max.message.bytes") == true)
    }

    @Test("the problems of a document are named by their number")
    func document() throws {
        var submission = submission()
        let messages = try items("[\(line("a")),7]").compactMap { submission.add($0) }
        #expect(messages == ["f.jsonl problem 2: the line is not a JSON object"])
    }

    @Test("bytes are given as they come, and their end")
    func bytes() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "errata-\(UUID().uuidString).jsonl")
        let text = String(repeating: line("a") + "\n", count: 5_000)
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let input = try ByteInput(file.path)
        var read = Data()
        reading: while true {
            switch try await input.next(waits: true) {
            case .bytes(let bytes): read += bytes
            case .nothing: continue
            case .end: break reading
            }
        }
        #expect(read == Data(text.utf8))
        let error = #expect(throws: CLIError.self) { try ByteInput("/no/such/file") }
        #expect(error?.description.contains("/no/such/file cannot be read") == true)
    }
}
