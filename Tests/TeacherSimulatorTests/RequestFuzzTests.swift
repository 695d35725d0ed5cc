import CompletionAPI
import DataSupport
import Foundation
import Testing

@testable import TeacherSimulatorCore

@Suite("Requests of anyone to the simulator", .timeLimit(.minutes(5)))
struct RequestFuzzTests {
    private static let sent = [
        #"{"model": "m", "temperature": 0.5, "seed": 7, "n": 2, "max_tokens": 100, "messages": [{"role": "system", "#
            + #""content": "s"}, {"role": "user", "content": [{"type": "text", "text": "What is 1 + 1?"}]}]}"#,
        #"{"model": "m", "stream": true, "stream_options": {"include_usage": true}, "max_completion_tokens": 5, "#
            + #""messages": [{"role": "user", "content": "x"}]}"#,
    ].map { [UInt8]($0.utf8) }

    @Test("a mutated request is read within its bounds or refused as one")
    func requests() throws {
        var mutator = ByteMutator(seed: 1, words: ["\"role\":\"user\"", "\"content\":null", "\"n\":", "\"seed\":"])
        let rounds = ByteMutator.rounds(4_000)
        var read = 0
        for _ in 0..<rounds {
            do throws(APIError) {
                let request = try ChatCompletionRequest(json: Data(mutator.mutant(of: Self.sent)))
                #expect((0...2).contains(request.temperature) && (1...16).contains(request.choices))
                #expect(request.maximumTokens.map { $0 >= 1 } ?? true)
                read += 1
            } catch {
                #expect(error.status == 400 && !error.body.isEmpty)
            }
        }
        #expect(read > 20 && read < rounds)
    }

    private static let form = [UInt8](
        ("--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
            + "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n"
            + "Content-Type: application/jsonl\r\n\r\n{}\n{}\r\n--x--\r\n").utf8
    )

    @Test("a mutated form is read in parts that lie in it, or refused")
    func forms() throws {
        let types = ["multipart/form-data; boundary=x", "multipart/form-data; boundary=\"x\"; charset=utf-8"]
        let samples = types.map { [UInt8]($0.utf8) }
        var mutator = ByteMutator(seed: 2, words: ["--x", "--x--", "\r\n\r\n", "name=", "; filename=\"", "boundary="])
        for round in 0..<ByteMutator.rounds(3_000) {
            let body = Data(round % 4 == 0 ? Self.form : mutator.mutant(of: [Self.form]))
            let type = round % 4 == 1 ? types[0] : String(decoding: mutator.mutant(of: samples), as: UTF8.self)
            do throws(APIError) {
                let parts = try MultipartReader.parts(of: body, contentType: type)
                #expect(parts.reduce(0) { $0 + $1.content.count } <= body.count)
            } catch {
                #expect(error.status == 400)
            }
        }
        let parts = try MultipartReader.parts(of: Data(Self.form), contentType: types[0])
        #expect(parts.map(\.name) == ["purpose", "file"] && parts[1].content == Data("{}\n{}".utf8))
    }

    @Test("a mutated file of requests has lines, or faults that name them")
    func files() {
        let line = #"{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}"#
        let samples = [[UInt8](line.utf8), [UInt8]("\(line)\n\(line)\n\n[]\n".utf8)]
        var mutator = ByteMutator(seed: 3, words: ["\n", "\"custom_id\":\"b\"", "\"body\":{}", "\"url\":"])
        for _ in 0..<ByteMutator.rounds(3_000) {
            let lines = BatchLine.lines(of: Data(mutator.mutant(of: samples)))
            let problems = BatchLine.problems(of: lines, maximum: 100)
            #expect(!lines.isEmpty || problems.count == 1)
        }
    }
}
