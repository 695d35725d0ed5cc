import CompletionClient
import DataSupport
import Foundation
import Schemas
import Teaching
import Testing

@testable import TeacherIngestionCore

@Suite("Any teacher's answers", .timeLimit(.minutes(5)))
struct AnswerFuzzTests {
    private static let answered = [
        """
        {"id": "x", "model": "served", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant",
         "content": "<think>hm</think>The answer is 10.", "refusal": null, "reasoning_content": "hm"}}],
         "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}
        """,
        """
        {"choices": [{"message": {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
         {"type": "text", "text": {"value": "10"}}, "more"]}}], "usage": {"prompt_tokens": 1e15, "completion_tokens": -1}}
        """,
    ].map { [UInt8]($0.utf8) }

    @Test("a mutated answer is read, with counts that the ledger holds, or malformed")
    func answers() throws {
        var mutator = ByteMutator(
            seed: 1,
            words: ["\"message\":", "\"content\":[{\"type\":\"thinking\",\"thinking\":", "\"usage\":", "</think>"]
        )
        let rounds = ByteMutator.rounds(3_000)
        var read = 0
        for _ in 0..<rounds {
            let data = Data(mutator.mutant(of: Self.answered))
            guard let json = try? EventCoding.decodeForeign(data).objectValue else { continue }
            do {
                let answer = CompletionServer.Answer(json: json, pause: nil, milliseconds: 1)
                let reply = try ChatWire.reply(answer, model: "m", place: "h")
                for count in [reply.promptTokens, reply.completionTokens] {
                    // What the ledger's columns hold.
                    #expect((0...Int(Int32.max)).contains(count))
                }
                read += 1
            } catch let error as ServerError {
                #expect(error.kind == .malformed || error.kind == .tooLarge)
            }
        }
        #expect(read > 20 && read < rounds)
    }

    @Test("a text that no event can hold is too large, and its thoughts do not count")
    func longTexts() throws {
        func reply(_ text: String, thoughts: String) throws -> Int {
            let message: JSONValue = ["content": .string(text), "reasoning_content": .string(thoughts)]
            let json: [String: JSONValue] = ["choices": [["message": message]]]
            let answer = CompletionServer.Answer(json: json, pause: nil, milliseconds: 1)
            return try ChatWire.reply(answer, model: "m", place: "h").text.utf8.count
        }
        let long = String(repeating: "x", count: ChatWire.maximumText)
        #expect(try reply(long, thoughts: long + long) == ChatWire.maximumText)
        let error = #expect(throws: ServerError.self) { try reply(long + "x", thoughts: "") }
        #expect(error?.kind == .tooLarge && error?.mayBeBilled == true)
    }

    private static let lines = [
        #"{"custom_id": "a", "response": {"status_code": 200, "body": {"choices": [{"message": {"content": "1"}}]}}}"#,
        #"{"custom_id": "b", "response": {"status_code": 429, "body": {"error": {"message": "busy"}}}, "error": null}"#,
        #"{"custom_id": "c", "response": null, "error": {"code": "batch_expired", "message": "over"}}"#,
        #"{"custom_id": "d", "response": {"status_code": 1e300, "body": {}}}"#,
        #"{"custom_id": "e", "response": {"status_code": 3000000000, "body": {"error": "no"}}}"#,
    ]

    @Test("mutated files of results are read line by line, and one bad line costs no other")
    func results() {
        let file = [UInt8](Self.lines.joined(separator: "\n").utf8)
        let samples = [file] + Self.lines.map { [UInt8]($0.utf8) }
        var mutator = ByteMutator(seed: 2, words: ["\n", "\"custom_id\":\"e\"", "\"status_code\":", "\"body\":"])
        for _ in 0..<ByteMutator.rounds(2_000) {
            let mutant = mutator.mutant(of: samples)
            let own = [UInt8](Self.lines[0].utf8)
            let found = BatchWire.results(in: Data(own + [0x0A] + mutant), model: "m", place: "h")
            let most = 2 + mutant.filter { $0 == 0x0A }.count
            let text = String(decoding: mutant, as: UTF8.self).debugDescription
            #expect(found.first?.key == "a" && found.first?.status == 200 && found.count <= most, "\(text)")
        }
    }

    private static let told = [
        """
        {"id": "batch_1", "status": "failed", "input_file_id": "f", "output_file_id": null, "created_at": 1714508499,
         "metadata": {"errata_batch": "n"}, "errors": {"object": "list", "data": [{"code": "token_limit_exceeded",
         "message": "Enqueued token limit reached", "line": 3}]}}
        """,
        #"{"id": "b", "status": "COMPLETED", "errors": [{"code": 5, "message": {}}], "created_at": 1e308}"#,
    ].map { [UInt8]($0.utf8) }

    @Test("a mutated job is one with an id and a status, or none")
    func jobs() {
        var mutator = ByteMutator(seed: 3, words: ["\"errors\":", "\"data\":[]", "\"metadata\":"])
        for _ in 0..<ByteMutator.rounds(2_000) {
            let data = Data(mutator.mutant(of: Self.told))
            guard let json = try? EventCoding.decodeForeign(data).objectValue, let job = BatchJob(json) else {
                continue
            }
            #expect(!job.id.isEmpty)
            _ = job.isFinal
            _ = job.rest(place: "h")
        }
    }
}
