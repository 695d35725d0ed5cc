import Foundation
import ServiceRuntime
import Testing

@testable import EvaluatorCore

@Suite("Students behind a server")
struct EndpointTests {
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
