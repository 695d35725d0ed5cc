import DataSupport
import Distillation
import Foundation
import Schemas
import ServiceRuntime
import Testing

@testable import EvaluatorCore

@Suite("Students behind a server")
struct EndpointTests {
    private static let answers = [
        #"{"choices": [{"text": "4\u0000 + 4", "finish_reason": "stop"}], "usage": {"completion_tokens": 5}}"#,
        #"{"choices": [{"text": "cut", "finish_reason": "length"}], "usage": {"completion_tokens": 3e9}}"#,
        #"{"choices": [{"text": "", "finish_reason": "stop"}], "usage": {"completion_tokens": -7}}"#,
        #"{"choices": [{"text": "x", "finish_reason": "content_filter"}], "usage": null}"#,
    ].map { [UInt8]($0.utf8) }

    @Test("a mutated answer is a text that the database holds, or refused with its place")
    func mutatedAnswers() throws {
        var mutator = ByteMutator(
            seed: 3,
            words: ["\"choices\":[{\"text\":", "\"finish_reason\":\"stop\"", "\"completion_tokens\":", "\\u0000"]
        )
        let rounds = ByteMutator.rounds(3_000)
        var (read, refused) = (0, 0)
        for round in 0..<rounds {
            // The samples themselves first.
            let bytes = round < Self.answers.count ? Self.answers[round] : mutator.mutant(of: Self.answers)
            guard let json = try? EventCoding.decodeForeign(Data(bytes)).objectValue else { continue }
            do {
                let text = try EndpointClient.text(in: json, place: "http://h/completions")
                #expect(!text.text.utf8.contains(0) && (0...Int(Int32.max)).contains(text.tokens))
                read += 1
            } catch let error as StudentCannotAnswer {
                #expect("\(error)".contains("http://h/completions"))
                refused += 1
            }
        }
        #expect(read > 20 && refused > 20)
    }

    @Test(
        "a server that cannot be asked is refused with its place",
        arguments: [
            (#"{"a": {"url": "gpu:8000"}}"#, "a.url is 'gpu:8000'"),
            (#"{"a": {"url": "http://h/v1", "timeoutSeconds": 1e300}}"#, "a.timeoutSeconds must be above 0"),
            (#"{"a": {"url": "http://h/v1", "timeoutSeconds": 0}}"#, "a.timeoutSeconds must be above 0"),
            (#"{"a": {"url": "http://h/v1", "concurrency": 0}}"#, "a.concurrency"),
            (#"{"a": {"url": "http://h/v1", "load": []}}"#, "a.load names no program"),
            (#"{"a": {"url": "http://h/v1", "colour": 1}}"#, "colour is not known"),
            (#"{"a": 1}"#, "a is no object"),
            ("[]", "students.json"),
        ]
    )
    func badFile(text: String, words: String) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "students.json")
        try Data(text.utf8).write(to: file)
        let error = #expect(throws: ConfigurationError.self) { try StudentEndpoint.read(file: file.path) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(words))
    }
}
