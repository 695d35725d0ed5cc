import DataSupport
import Foundation
import Testing

@testable import Reasoning

@Suite("Valid texts with faults", .timeLimit(.minutes(5)))
struct ReaderFuzzTests {
    private static let written = [
        """
        <Step1>Read: 3 boxes of 4 pens.<Key>multiply &lt;boxes&gt;</Key></Step1>
        <Step2>3*4=12</Step2>
        <Generalized>Equal groups are multiplied.</Generalized>
        <Answer>12</Answer>
        """,
        """
        **Step 1:** 3 + 4 = 7
        Key: add
        **Answer:** \\boxed{7}
        """,
        """
        Step 1: 3 * 4 = 12
        Step 2: 12 / 5 = 2.4 <<12/5=2.4>>
        The answer is \\(\\frac{12}{5}\\).
        """,
        """
        <Cause>Step 2 adds where it should multiply.</Cause>
        <Step1>ok</Step1><Step2>12</Step2>
        <Correction>3 * 4 = 12</Correction><Answer>12</Answer>
        """,
        "<think>hm</think>\nVerdict: faulty\n<Evaluate>1</Evaluate> <Part>2</Part> <Reason>wrong</Reason>",
        "The mistake is logical and in the calculation.\n#### 1,234.50",
    ].map { [UInt8]($0.utf8) }

    private static let words = [
        "<Step", "</Step1>", "<Step99999999999999999999>", "<Key>", "&lt;", "&#x3c;", "<Answer>", "\\boxed{",
        "\\frac{1}{0}",
        "**", "```", "####", "<<1/0=", ">>", "9!^9!", "10^10^10", "1e400", "%", "½", "The answer is ", "\nStep 2: ",
    ]

    @Test("mutated texts of models are read or refused by every parser, in bounded time")
    func outputs() {
        var mutator = ByteMutator(seed: 1, words: Self.words)
        for round in 0..<ByteMutator.rounds(1_000) {
            let text = String(decoding: mutator.mutant(of: Self.written), as: UTF8.self)
            let time = processorTime { _ = ParserPropertyTests.readAll(text) }
            #expect(time < .seconds(2), "round \(round) took \(time) for \(text.utf8.count) bytes")
        }
    }

    private static let lines = [
        #"{"question":"1+1?","answer":"1+1=2\n#### 2","id":"a","steps":2,"family":"f","split":"test"}"#,
        #"{"problem":"p","solution":"So \\boxed{\\frac{1}{2}}.","level":"Level 5","type":"Algebra"}"#,
        #"{"id":"M","question":{"stem":"Q?","choices":[{"text":"x","label":"A"},{"text":"y","label":"B"}]},"answerKey":"A"}"#,
        #"{"passage":"P.","question":"Q?","options":["(A)x","(B)y"],"label":"B","answer":null}"#,
        #"{"question":"Q?","choices":["x","y"],"answer":1,"subject":"s"}"#,
        #"{"input":"Is it?\nOptions:\n(A) yes\n(B) no","target":"(A)"}"#, #"{"question":"Is it?","answer":true}"#,
    ]

    @Test("mutated problems of every layout are read with question and answer, or refused")
    func problems() throws {
        let samples = Self.lines.map { [UInt8]($0.utf8) }
        let columns = try ColumnMap("question=question+passage,answer=answer,options=choices")
        var mutator = ByteMutator(
            seed: 2,
            words: ["\"answer\":", "\"choices\":{\"text\":[],\"label\":[]}", "\"id\":", "####"]
        )
        let readers = ProblemLayout.allCases.map { ProblemReader(layout: $0) } + [ProblemReader(columns: columns)]
        var read = 0
        for round in 0..<ByteMutator.rounds(3_000) {
            let line = String(decoding: mutator.mutant(of: samples), as: UTF8.self)
            _ = try? GSM8K.parse(line: line)
            for reader in [ProblemReader(), readers[round % readers.count]] {
                do {
                    let problem = try reader.read(line: line).problem
                    #expect(!problem.question.isEmpty && !problem.answer.isEmpty && !problem.id.isEmpty)
                    read += 1
                } catch let error as ReasoningError {
                    #expect(!error.message.isEmpty)
                }
            }
        }
        #expect(read > 100)
    }

    @Test("what a mutated source holds does not hang on how its bytes come")
    func sources() {
        let lines = [UInt8](Self.lines.joined(separator: "\n").utf8)
        let document = [UInt8]("[\(Self.lines.joined(separator: ",\n"))]".utf8)
        let examples = [UInt8](#"{"canary":"x","examples":[\#(Self.lines[5])]}"#.utf8)
        var mutator = ByteMutator(seed: 3, words: ["\n", "\r\n", "[", "{\"examples\":[", "]}"])
        func items(_ bytes: [UInt8], chunk: Int) -> [ProblemSource.Item]? {
            var source = ProblemSource()
            var items: [ProblemSource.Item] = []
            for start in stride(from: 0, to: bytes.count, by: chunk) {
                items += source.append(Data(bytes[start..<min(start + chunk, bytes.count)]))
            }
            return (try? source.finish()).map { items + $0 }
        }
        for _ in 0..<ByteMutator.rounds(500) {
            let bytes = mutator.mutant(of: [lines, document, examples])
            let whole = items(bytes, chunk: max(1, bytes.count))
            let pieces = items(bytes, chunk: 1 + mutator.number(below: 100))
            #expect(pieces == whole)
        }
    }

    @Test("of a document that goes on beyond the limit no more is kept, and the end says so")
    func endlessDocument() {
        var source = ProblemSource()
        var sent = 0
        _ = source.append(Data("[".utf8))
        let chunk = Data(repeating: 0x20, count: 8 << 20)
        while sent <= 2 * ProblemSource.documentLimit {
            #expect(source.append(chunk).isEmpty)
            sent += chunk.count
        }
        let error = #expect(throws: ReasoningError.self) { try source.finish() }
        #expect(error?.code == .tooLong)
    }

    @Test("mutated prompt files and worked examples are read or refused")
    func prompts() throws {
        let files = PromptLibrary.files
        let samples = files.map { [UInt8]($0.text.utf8) }
        var mutator = ByteMutator(
            seed: 4,
            words: ["{{", "}}", "{{question}}", "[system]\n", "[user]\n", "version: 1\n"]
        )
        for _ in 0..<ByteMutator.rounds(300) {
            let text = String(decoding: mutator.mutant(of: samples), as: UTF8.self)
            for id in PromptID.allCases {
                guard let prompt = try? Prompt(id: id, file: text) else { continue }
                #expect(!prompt.sections.isEmpty)
            }
            guard let examples = try? WorkedDemonstration.parse(text) else { continue }
            #expect(examples.count <= WorkedDemonstration.maximumCount)
        }
    }
}
