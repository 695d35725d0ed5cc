import DataSupport
import Foundation
import PracticeDomain
import Schemas
import Testing

@testable import Reasoning

private func read(_ line: String, _ reader: ProblemReader = ProblemReader()) throws -> ProblemRecord {
    try reader.read(line: line)
}

private func message(_ line: String, _ reader: ProblemReader = ProblemReader()) -> String {
    let error = #expect(throws: ReasoningError.self) { try reader.read(line: line) }
    return error?.description ?? ""
}

@Suite("Layouts of problems")
struct LayoutTests {
    @Test(
        "where answers may be missing, a question of each layout is read without one, and one that has it with it",
        arguments: [
            (#"{"question": "What is 2 + 2?"}"#, ""), (#"{"problem": "Find x.", "solution": "It is so."}"#, ""),
            (#"{"problem": "Find x.", "solution": "It is \\boxed{4}."}"#, "4"),
            (#"{"question": "Which?", "choices": ["one", "two"]}"#, ""),
            (#"{"question": "Which?", "choices": ["one", "two"], "answer": "B"}"#, "(B)"),
            (
                #"{"question": {"stem": "Which?", "choices": [{"label": "A", "text": "x"}, {"label": "B", "text": "y"}]}}"#,
                ""
            ),
            (#"{"input": "not True is"}"#, ""), (#"{"input": "not True is", "target": "False"}"#, "False"),
        ]
    )
    func withoutAnswers(line: String, answer: String) throws {
        let record = try read(line, ProblemReader(allowsMissingAnswer: true))
        #expect(record.problem.answer == answer && !record.problem.question.isEmpty)
        #expect((try? read(line)) == nil || !answer.isEmpty)
    }

    @Test(
        "the layout of a line is recognised by its fields",
        arguments: [
            (#"{"question":"1+1?","answer":"1+1=2\n#### 2"}"#, ProblemLayout.gsm8k, "1+1?", "2"),
            (#"{"question":"1+1?","answer":"2"}"#, .plain, "1+1?", "2"),
            (#"{"problem":"1+1?","answer":2}"#, .plain, "1+1?", "2"),
            (#"{"question":"Is it?","answer":true}"#, .plain, "Is it?", "true"),
            (#"{"question":"q","passage":"p","options":null,"label":null,"answer":"0.5"}"#, .plain, "p\n\nq", "0.5"),
            (
                #"{"problem":"p","solution":"So \\boxed{1} is it, or \\boxed{\\frac{1}{2}}."}"#, .math, "p",
                "\\frac{1}{2}"
            ),
            (#"{"problem":"p","solution":"So it is.","answer":"(1, 2)","subject":"Algebra"}"#, .math, "p", "(1, 2)"),
            (
                #"{"id":"M_1","question":"Q?","choices":{"text":["x","y","z"],"label":["A","B","C"]},"answerKey":"C"}"#,
                .arc, "Q?\n(A) x\n(B) y\n(C) z", "(C)"
            ),
            (
                #"{"question":"Q?","choices":{"text":["x","y"],"label":["1","2"]},"answerKey":"2"}"#, .arc,
                "Q?\n(A) x\n(B) y", "(B)"
            ),
            (
                #"{"id":"M","question":{"stem":"Q?","choices":[{"text":"x","label":"A"},{"text":"y","label":"B"}]},"answerKey":"A"}"#,
                .arc, "Q?\n(A) x\n(B) y", "(A)"
            ),
            (
                #"{"question_stem":"Q?","choices":{"text":["x","y"],"label":["A","B"]},"answerKey":"B"}"#, .arc,
                "Q?\n(A) x\n(B) y", "(B)"
            ),
            (
                #"{"passage":"P.","question":"Q?","options":["(A)x","(B)y"],"label":"B","answer":null}"#, .agieval,
                "P.\n\nQ?\n(A) x\n(B) y", "(B)"
            ),
            (#"{"question":"Q?","choices":["x","y"],"answer":1,"subject":"s"}"#, .choice, "Q?\n(A) x\n(B) y", "(B)"),
            (#"{"question":"Q?","options":["x","y"],"answer":"b)"}"#, .choice, "Q?\n(A) x\n(B) y", "(B)"),
            (#"{"question":"Q?","options":["A)x","B)y"],"correct":"A"}"#, .choice, "Q?\n(A) x\n(B) y", "(A)"),
            (
                #"{"question":"Q?","options":{"A":"x","B":"y"},"answer":"y","answer_idx":"B"}"#, .choice,
                "Q?\n(A) x\n(B) y", "(B)"
            ),
            (#"{"question":"Q?","options":["x","y"],"answer":"(B) y"}"#, .choice, "Q?\n(A) x\n(B) y", "(B)"),
            (#"{"question":"Q?","options":[3,4],"answer":4}"#, .choice, "Q?\n(A) 3\n(B) 4", "(B)"),
            (
                #"{"question":"Q?","options":["x","y"],"answer":"B","answer_index":1}"#, .choice, "Q?\n(A) x\n(B) y",
                "(B)"
            ),
            (
                #"{"article":"P.","question":"Q?","options":["x","y"],"answer":"A"}"#, .choice,
                "P.\n\nQ?\n(A) x\n(B) y", "(A)"
            ),
            (#"{"input":"not True is","target":"False"}"#, .bbh, "not True is", "False"),
            (
                #"{"input":"Which?\nOptions:\n(A) x\n(B) y","target":"(B)"}"#, .bbh, "Which?\nOptions:\n(A) x\n(B) y",
                "(B)"
            ),
        ]
    )
    func recognised(line: String, layout: ProblemLayout, question: String, answer: String) throws {
        let record = try read(line)
        #expect(record.layout == layout)
        #expect(record.problem.question == question)
        #expect(record.problem.answer == answer)
        // Named, it is read the same.
        #expect(try read(line, ProblemReader(layout: layout)) == record)
    }

    @Test(
        "a line that fits no layout, or several, or does not say one answer, is refused with what is wrong",
        arguments: [
            ("[1]", "not a JSON object"), ("{}", "\"question\" is missing"), ("{", "not a JSON object"),
            (#"{"text":"x"}"#, "the line has \"text\""), (#"{"text":"x"}"#, "--map question=prompt"),
            (#"{"prompt":"x","completion":"y"}"#, "a completion is a text to learn"),
            (#"{"question":"q","answer":"a","problem":"p","solution":"s"}"#, "several layouts, plain and math"),
            (#"{"question":"q","answer":"a","input":"i","target":"t"}"#, "several layouts, plain and bbh"),
            (#"{"question":["q"],"answer":"a"}"#, "\"question\" has the wrong type"),
            (#"{"question":"q","answer":{"a":1}}"#, "\"answer\" has the wrong type"),
            (#"{"question":"q","answer":"a\nb"}"#, "--layout plain"),
            (#"{"question":"q","answer":"1","steps":"2"}"#, "\"steps\""),
            (#"{"id":[1],"question":"q","answer":"1"}"#, "\"id\""),
            (#"{"question":"Q","choices":["x"],"answer":0}"#, "2 to 26"),
            (#"{"question":"Q","choices":["x","y"],"answer":2}"#, "counted from 0"),
            (#"{"question":"Q","choices":["x","y"],"answer":-1}"#, "counted from 0"),
            (#"{"question":"Q","choices":["x","y"],"answer":"1"}"#, "no option; give a letter of A, B"),
            (#"{"question":"Q","choices":["x","y"],"answer":"C"}"#, "no option"),
            (#"{"question":"Q","choices":["0","1"],"answer":1,"label":"A"}"#, "leave the wrong one out"),
            (#"{"question":"Q","choices":["1","0"],"answer":1}"#, "or its text"),
            (#"{"question":"Q","choices":["x","x"],"answer":"x"}"#, "two options"),
            (#"{"question":"Q","choices":["B","A"],"answer":"A"}"#, "the letter of one option and the text of another"),
            (#"{"question":"Q","choices":["x","y"],"answer":["A","B"]}"#, "several right options"),
            (#"{"question":"Q","choices":["x",""],"answer":"A"}"#, "an option is empty"),
            (#"{"question":"Q","options":{"A":"x","C":"y"},"answer":"A"}"#, "name them A, B"),
            (#"{"question":"Q","choices":{"text":["x","y"],"label":["A"]},"answerKey":"A"}"#, "do not match"),
            (#"{"question":"Q","choices":{"text":["x","y"],"label":["A","B"]},"answerKey":"E"}"#, "no option"),
        ]
    )
    func refused(line: String, cause: String) { #expect(message(line).contains(cause), "\(message(line))") }

    @Test(
        "a problem without a reference answer is refused as such, with the cure",
        arguments: [
            #"{"question":"q"}"#, #"{"question":"q","answer":null}"#, #"{"question":"q","answer":" "}"#,
            #"{"problem":"p","solution":"It is 3."}"#, #"{"problem":"p","solution":"\\boxed{"}"#,
            #"{"problem":"p","solution":"\\boxed{}"}"#, #"{"question":"q","choices":["x","y"]}"#,
            #"{"question":"q","options":["x","y"],"label":null}"#,
            #"{"question":"q","choices":{"text":["x","y"],"label":["A","B"]},"answerKey":""}"#,
        ]
    )
    func withoutAnswer(line: String) {
        let error = #expect(throws: ReasoningError.self) { try read(line) }
        #expect(error?.code == .missingAnswer)
        #expect(error?.message.contains("leave the problem out") == true)
    }

    @Test("a named layout is not guessed: a line that lacks its fields says which")
    func named() throws {
        #expect(message(#"{"question":"q","answer":"1"}"#, .init(layout: .math)).contains("\"problem\" is missing"))
        #expect(message(#"{"problem":"q","answer":"1"}"#, .init(layout: .math)).contains("\"solution\" is missing"))
        #expect(message(#"{"question":"q","answer":"1"}"#, .init(layout: .choice)).contains("\"choices\" is missing"))
        #expect(message(#"{"input":"q"}"#, .init(layout: .bbh)).contains("\"target\" is missing"))
        let long = #"{"question":"Why?","answer":"First.\nThen."}"#
        #expect(try read(long, .init(layout: .plain)).problem.answer == "First.\nThen.")
    }

    @Test("columns are mapped, several of them put together, and what is not mapped is not read")
    func columns() throws {
        let map = try ColumnMap(
            "question=Body+Question, answer=Answer,solution=why,id=uid,family=kind,level=hard,steps=n"
        )
        let line =
            #"{"Body":"Ann has 3.","Question":"How many?","Answer":3.0,"why":"w","uid":"u","kind":"k","hard":5,"n":2,"id":"z"}"#
        let record = try read(line, .init(columns: map))
        #expect(record.problem.question == "Ann has 3.\n\nHow many?")
        #expect(["3", "3.0"].contains(record.problem.answer))
        #expect(record.problem.solution == "w" && record.problem.family == "k" && record.problem.steps == 2)
        #expect(record.problem.id == "u" && record.idSource == .name && record.level == "5" && record.layout == nil)
        #expect(message(#"{"Body":"b","Answer":1}"#, .init(columns: map)).contains("the column \"Question\""))
        let error = #expect(throws: ReasoningError.self) {
            try read(#"{"Body":"b","Question":"q"}"#, .init(columns: map))
        }
        #expect(error?.code == .missingAnswer && error?.message.contains("\"Answer\"") == true)
        let choice = try ColumnMap("question=q,options=o,answer=gold")
        let chosen = try read(#"{"q":"Q?","o":["x","y"],"gold":"B"}"#, .init(columns: choice))
        #expect(chosen.problem.question == "Q?\n(A) x\n(B) y" && chosen.problem.answer == "(B)")
    }

    @Test(
        "a mapping that says nothing is refused",
        arguments: [
            ("", "part=column"), ("question", "part=column"), ("prompt=question,answer=a", "no part"),
            ("question=q", "answer is missing"), ("answer=a", "question is missing"),
            ("question=q,answer=", "empty column"),
            ("question=q,answer=a,question=b", "twice"), ("question=q,answer=a+b", "put together"),
        ]
    )
    func badMap(text: String, cause: String) {
        let error = #expect(throws: ReasoningError.self) { try ColumnMap(text) }
        #expect(error?.message.contains(cause) == true, "\(error.map { "\($0)" } ?? "")")
    }

    @Test("what a problem is told by does not change: of the first layouts by id or question, of others with the split")
    func identity() throws {
        let first = try read(#####"{"question":"1+1?","answer":"#### 2"}"#####)
        #expect(first.identity(split: "train") == [StableHash.hexadecimal(of: "1+1?")])
        #expect(first.problem == (try GSM8K.parse(line: #####"{"question":"1+1?","answer":"#### 2"}"#####)))
        #expect(try read(#"{"id":"a","question":"q","answer":"2"}"#).identity(split: "test") == ["a"])
        #expect(try read(#"{"id":7,"question":"q","answer":"2"}"#).identity(split: "test") == ["test", "7"])
        let math = try read(#"{"problem":"p","solution":"\\boxed{2}"}"#)
        #expect(math.identity(split: "test") == ["test", StableHash.hexadecimal(of: "p")])
        #expect(try read(#"{"unique_id":"t/1","problem":"p","answer":"2"}"#).identity(split: "test") == ["t/1"])
    }

    @Test("family and level come from where the data set has them, a file's name where it has none")
    func families() throws {
        let math = try read(#"{"problem":"p","solution":"\\boxed{2}","level":"Level 5","type":"Algebra"}"#)
        #expect(math.problem.family == "Algebra" && math.level == "Level 5")
        let choice = try read(#"{"question":"q","choices":["x","y"],"answer":0,"subject":"law"}"#)
        #expect(choice.problem.family == "law")
        let bbh = ProblemReader(family: "navigate")
        #expect(try read(#"{"input":"q","target":"No"}"#, bbh).problem.family == "navigate")
        #expect(try read(#"{"question":"q","answer":"1","family":"own"}"#, bbh).problem.family == "own")
    }

    @Test(
        "the last box of a solution is found with its braces balanced",
        arguments: [
            ("\\boxed{1}", "1"), ("\\boxed{a\\}b}", "a\\}b"), ("\\fbox{3} x", "3"), ("\\boxed 42.", "42"),
            ("\\boxed{1}, so not \\boxed{\\text{ten}}", "\\text{ten}"), ("\\boxed\u{20}{ 7 }", "7"), ("\\boxed x", "x"),
            ("\\boxed", nil), ("\\boxed{1", nil), ("none", nil), ("", nil), ("\\boxed{ }", nil), ("\\boxed{1\\", nil),
        ] as [(String, String?)]
    )
    func boxes(text: String, answer: String?) { #expect(BoxedAnswer.last(in: Array(text.utf8)) == answer) }

    @Test("of a tuple behind #### the commas stay")
    func tuples() throws {
        #expect(try read(#####"{"question":"q","answer":"#### (1,2)"}"#####).problem.answer == "(1,2)")
        #expect(try read(#####"{"question":"q","answer":"#### 1,234"}"#####).problem.answer == "1234")
    }

    @Test("any JSON, and any text, is read or refused")
    func hostile() {
        var random = ReasoningRandom(seed: 11)
        let names = [
            "question", "answer", "problem", "solution", "choices", "options", "label", "answerKey", "input", "target",
            "passage", "id", "steps", "family", "text", "stem", "A", "B", "level", "other",
        ]
        let leaves = [
            "null", "true", "0", "1", "-3", "2.5", "1e400", "\"A\"", "\"(B)\"", "\"\"", "\"x\\u0000\"", "[]", "{}",
            "\"#### 7\"", "\"\\\\boxed{1}\"", "99999999999999999999",
        ]
        func value(_ depth: Int) -> String {
            switch depth == 0 ? 0 : random.integer(0...3) {
            case 1: "[" + (0..<random.integer(0...4)).map { _ in value(depth - 1) }.joined(separator: ",") + "]"
            case 2: object(depth - 1)
            default: random.pick(leaves) ?? ""
            }
        }
        func object(_ depth: Int) -> String {
            var names = names
            random.shuffle(&names)
            return "{"
                + (["question", "answer"].filter { _ in random.chance(0.8) }.map { "\"\($0)\":\(value(0))" }
                + names.prefix(random.integer(0...4)).map { "\"\($0)\":\(value(depth))" })
                .joined(separator: ",") + "}"
        }
        var good = 0
        for _ in 0..<4_000 {
            let line = object(3)
            for layout in [nil, random.pick(ProblemLayout.allCases)] {
                guard let record = try? read(line, ProblemReader(layout: layout)) else { continue }
                good += 1
                #expect(
                    !record.problem.question.isEmpty && !record.problem.answer.isEmpty && !record.problem.id.isEmpty
                )
            }
        }
        #expect(good > 100, "\(good)")
        #expect(throws: ReasoningError.self) { try read(String(repeating: "[", count: 100_000)) }
        #expect(message("\"" + String(repeating: "x", count: 1 << 20) + "\"").contains("bytes"))
    }
}

@Suite("Sources of problems")
struct ProblemSourceTests {
    private func items(_ text: String, chunk: Int) throws -> [ProblemSource.Item] {
        var source = ProblemSource()
        var items: [ProblemSource.Item] = []
        let data = Data(text.utf8)
        for start in stride(from: 0, to: data.count, by: chunk) {
            items += source.append(data[start..<min(start + chunk, data.count)])
        }
        return try items + source.finish()
    }

    private static let good = #"{"question":"1+1?","answer":"2"}"#

    @Test(
        "lines end at line feeds alone, wherever the bytes are cut, and keep their numbers",
        arguments: [1, 2, 7, 1_000],
        ["\n", "\r\n"]
    )
    func lines(chunk: Int, ending: String) throws {
        let separators = "{\"question\":\"a\u{2028}b\u{2029}c\u{85}d\u{B}\",\"answer\":\"1\"}"
        for mark in ["", "\u{FEFF}"] {
            for last in ["", ending] {
                let text =
                    mark + [separators, "", " \t ", Self.good, "{", "caf\u{E9}"].joined(separator: ending) + last
                let items = try items(text, chunk: chunk)
                #expect(items.map(\.number) == [1, 4, 5, 6])
                #expect(items.map(\.text) == [separators[...], Self.good[...], "{", "caf\u{E9}"])
                #expect(items.allSatisfy { !$0.isElement } && items[1].place == ":4")
            }
            #expect(try items(mark, chunk: chunk).isEmpty)
            #expect(try items(mark + ending + ending, chunk: chunk).isEmpty)
        }
    }

    @Test("a line is given as soon as it is complete")
    func streaming() throws {
        var source = ProblemSource()
        #expect(source.append(Data("\n\(Self.good)".utf8)).isEmpty && source.isWaiting)
        #expect(source.append(Data("\n".utf8)).map(\.number) == [2])
        #expect(!source.isWaiting)
        #expect(source.append(Data("{\"a\":1}\n{\"b\"".utf8)).map(\.number) == [3])
        #expect(try source.finish().map(\.text) == ["{\"b\""])
    }

    @Test(
        "a list of problems, or an object with examples, is a document, on one line or on many",
        arguments: [
            "[\(good),\(good)]", "\u{FEFF}\n [\n\(good),\n\n\(good)\n]\n", "{\"examples\":[\(good),\(good)]}",
            "{\"examples\":[\(good),\(good)]}\n", "{\n  \"canary\": \"x\",\n  \"examples\": [\n\(good),\(good)\n]\n}\n",
        ],
        [1, 10, 1_000]
    )
    func documents(text: String, chunk: Int) throws {
        let items = try items(text, chunk: chunk)
        #expect(items.map(\.place) == [" problem 1", " problem 2"])
        #expect(try items.map { try ProblemReader().read(line: $0.text).problem.answer } == ["2", "2"])
    }

    @Test("a document that says that it must not be learned from is told")
    func canary() throws {
        var source = ProblemSource()
        _ = source.append(Data("{\"canary\":\"keep out\",\"examples\":[\(Self.good)]}".utf8))
        #expect(try source.finish().count == 1 && source.hasCanary)
    }

    @Test("a broken document is an error, a broken first line costs its line only")
    func broken() throws {
        #expect(throws: ReasoningError.self) { try items("[\(Self.good)", chunk: 5) }
        #expect(throws: ReasoningError.self) { try items("[1] [2]", chunk: 5) }
        #expect(try items("{\"question\": \"x\n\(Self.good)\n", chunk: 5).map(\.number) == [1, 2])
        #expect(try items("{\"question\"}\n\(Self.good)\n", chunk: 5).map(\.number) == [1, 2])
        #expect(try items("nonsense\n\(Self.good)", chunk: 5).map(\.number) == [1, 2])
    }

    @Test("a line that is too long is passed over in bounded memory, and the next one is read")
    func long() throws {
        let text = "{\"a\":1}\n{\"x\":\"" + String(repeating: "x", count: 3 << 20) + "\"}\n" + Self.good
        let items = try items(text, chunk: 64 << 10)
        #expect(items.map(\.number) == [1, 2, 3])
        #expect(items[1].text.utf8.count <= ProblemReader.maximumLineLength + 1)
        #expect(throws: ReasoningError.self) { try ProblemReader().read(line: items[1].text) }
        #expect(items[2].text == Self.good[...])
    }
}

@Suite("Layouts of data sets themselves", .external)
struct ExternalLayoutTests {
    @Test(
        "every problem of a BIG-Bench Hard file is read",
        arguments: [
            ("boolean_expressions", 250), ("date_understanding", 250), ("logical_deduction_three_objects", 250),
            ("multistep_arithmetic_two", 250), ("navigate", 250), ("object_counting", 250),
            ("sports_understanding", 250),
            ("temporal_sequences", 250), ("word_sorting", 250),
        ]
    )
    func bbh(name: String, count: Int) throws {
        var source = ProblemSource()
        let items = try source.append(Data(contentsOf: TestData.external("bbh/\(name).json"))) + source.finish()
        let records = try items.map { try ProblemReader(family: name).read(line: $0.text) }
        #expect(records.count == count && records.allSatisfy { $0.layout == .bbh && $0.problem.family == name })
        #expect(source.hasCanary)
    }

    @Test("GSM8K is read as it was, id by id")
    func gsm8k() throws {
        for line in try TestData.lines(TestData.external("gsm8k/train.jsonl")) {
            let record = try ProblemReader().read(line: line)
            #expect(record.problem == (try GSM8K.parse(line: line)) && record.layout == .gsm8k)
        }
    }
}
