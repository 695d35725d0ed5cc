import DataSupport
import Foundation
import KafkaClient
import LanguageModel
import Reasoning
import Schemas
import Testing

@testable import ErrataCLICore

@Suite("Files and requests of anyone", .timeLimit(.minutes(5)))
struct InputFuzzTests {
    private static let problem = #"{"question":"1+1?","answer":"1+1=2\n#### 2","id":"a"}"#
    private static let event =
        #"{"id":"p","dataset":"d","split":"test","question":"1 + 1?","answer":"2","metadata":{"level":"1"}}"#

    @Test("a mutated file of problems is read line by line, and what is sent of it is read again")
    func problems() throws {
        let file = [Self.problem, Self.event, "", Self.problem].joined(separator: "\n")
        let samples = [file, Self.event, "[\(Self.problem)]"].map { [UInt8]($0.utf8) }
        var mutator = ByteMutator(seed: 1, words: ["\n", "\"split\":\"test\"", "\"dataset\":\"e\"", "\\u0000\\u0301"])
        var sent = 0
        for _ in 0..<ByteMutator.rounds(2_000) {
            guard let lines = try? ProblemLines.lines(of: Data(mutator.mutant(of: samples))) else { continue }
            for (_, text) in lines {
                guard let event = try? ProblemLines.event(of: text, dataset: "mine", split: .train),
                    let record = try? ProblemLines.record(of: event)
                else { continue }
                #expect(!event.question.utf8.contains(0) && !event.id.utf8.contains(0))
                let again = try EventCoding.decode(ProblemEvent.self, from: try #require(record.value))
                #expect(again == event)
                sent += 1
            }
        }
        #expect(sent > 100)
    }

    private static let traces = [
        #"{"kind":"chain-of-thought","text":"1 + 1 = 2\nThe answer is 2.","problemId":"p"}"#,
        #"{"kind":"dual","right":"1+1=2","wrong":"1+1=3","method":"rectified","problem":{"question":"1+1?","answer":"2"}}"#,
        #"{"kind":"correction","problemId":"p","correction":{"steps":["a"],"firstWrongStep":0,"cause":"c","correction":"d","answer":"2"}}"#,
    ]

    @Test("mutated lines of recorded traces are read or refused")
    func recordedTraces() {
        let samples = Self.traces.map { [UInt8]($0.utf8) }
        var mutator = ByteMutator(seed: 2, words: ["\"problem\":{}", "\"firstWrongStep\":", "\"kind\":\"template\""])
        var read = 0
        for _ in 0..<ByteMutator.rounds(3_000) {
            let line = String(decoding: mutator.mutant(of: samples), as: UTF8.self)
            guard let trace = try? TraceLines.read(line[...], dataset: "d", split: .train).trace else { continue }
            #expect(trace.problemId.isEmpty == false && trace.kind != .inspectorVerdict)
            read += 1
        }
        #expect(read > 100)
    }

    private struct NoModel: Error {}

    @Test("a mutated recipe in YAML is a run or refused, with its place")
    func recipes() throws {
        let samples = try RecipeLibrary.all.map { recipe in
            [UInt8](try RecipeLibrary.text(recipe.name, student: "tiny", dataset: "d").utf8)
        }
        var mutator = ByteMutator(
            seed: 3,
            words: [
                "&a ", "*a", "<<: *a\n", "? ", "- ", ": ", "|\n", "!!binary ", "---\n", "%YAML 1.2\n", "\t", "{a: [b]}",
            ]
        )
        for _ in 0..<ByteMutator.rounds(500) {
            let data = Data(mutator.mutant(of: samples))
            do {
                _ = try RunFile.run(in: data, place: "run.yaml") { _ in throw NoModel() }
            } catch let error as CLIError {
                #expect("\(error)".contains("run.yaml") || "\(error)".contains("student"))
            } catch is NoModel {
            } catch {
                Issue.record("\(error)")
            }
        }
    }

    @Test("aliases that stand for more than any recipe are refused, and quickly")
    func aliases() {
        var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...12 {
            let list = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            yaml += "a\(level): &a\(level) [\(list)]\n"
        }
        let time = processorTime {
            let error = #expect(throws: CLIError.self) { try YAMLDocument.json(yaml, place: "run.yaml") }
            #expect(error.map { "\($0)".contains("anchors") } == true)
        }
        #expect(time < .seconds(5), "\(time)")
    }

    private static let bodies = [
        #"{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":0.5,"stop":["a"],"stream":true,"#
            + #""stream_options":{"include_usage":true},"top_k":5,"max_tokens":7,"chat_template_kwargs":{"a":[1]}}"#,
        #"{"model":"m","prompt":[[1,2],"a"],"n":3,"seed":-1,"top_p":1,"stop_token_ids":[2],"logit_bias":{},"echo":false}"#,
    ].map { [UInt8]($0.utf8) }

    @Test("a mutated request to `errata serve` is read within its bounds or refused")
    func requests() {
        var mutator = ByteMutator(seed: 4, words: ["\"prompt\":", "\"messages\":", "\"role\":", "\"n\":", "\"seed\":"])
        var read = 0
        for round in 0..<ByteMutator.rounds(4_000) {
            let body = Data(mutator.mutant(of: Self.bodies))
            guard let request = try? ServedRequest(json: body, isChat: round % 2 == 0) else { continue }
            #expect(!request.model.isEmpty && (1...128).contains(request.choices * request.prompts.count))
            #expect(request.stop.count <= 16 && request.stop.allSatisfy { !$0.isEmpty })
            read += 1
        }
        #expect(read > 20)
    }

    @Test("a mutated file of figures keeps the lines of the first steps, and the rest is dropped")
    func metrics() throws {
        let samples = [[UInt8]("{\"loss\":1.5,\"step\":1}\n{\"loss\":1.25,\"step\":2}\n{\"loss\":1,\"step\":3}\n".utf8)]
        var mutator = ByteMutator(seed: 5, words: ["\"step\":", "\n"])
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "metrics.jsonl")
            for _ in 0..<ByteMutator.rounds(300) {
                try Data(mutator.mutant(of: samples)).write(to: file)
                _ = try MetricsFile(file, keepingSteps: 2)
                for line in try Data(contentsOf: file).split(separator: 0x0A) {
                    let values = try JSONDecoder().decode([String: Double].self, from: Data(line))
                    #expect(values["step"].map { $0 <= 2 } == true)
                }
            }
        }
    }
}
