import Foundation
import KafkaClient
import PracticeDomain
import Reasoning
import Schemas
import Testing

@testable import ErrataCLICore

@Suite("Problem lines")
struct ProblemLineTests {
    private static let good = #"{"question":"1+1?","answer":"1+1=2\n#### 2"}"#

    private func event(_ text: String) throws -> ProblemEvent {
        try ProblemLines.event(of: Substring(text), dataset: "mine", split: .train)
    }

    /// The numbers of the lines that are problems, and the reasons of the others by number.
    private func read(_ data: Data) throws -> (good: [Int], bad: [Int: String]) {
        var good: [Int] = []
        var bad: [Int: String] = [:]
        for (number, line) in try ProblemLines.lines(of: data) {
            do {
                _ = try event(String(line))
                good.append(number)
            } catch {
                bad[number] = "\(error)"
            }
        }
        return (good, bad)
    }

    @Test(
        "lines end in LF or CRLF, a byte-order mark may stand before the first, and blank lines keep the numbers",
        arguments: ["\n", "\r\n"],
        ["", "\u{FEFF}"]
    )
    func endings(ending: String, mark: String) throws {
        for last in ["", ending] {
            let text = mark + [Self.good, "", " \t ", Self.good, "{", Self.good].joined(separator: ending) + last
            let lines = try read(Data(text.utf8))
            #expect(lines.good == [1, 4, 6])
            #expect(Array(lines.bad.keys) == [5])
        }
        #expect(try ProblemLines.lines(of: Data()).isEmpty)
        #expect(try ProblemLines.lines(of: Data((mark + ending + ending).utf8)).isEmpty)
    }

    @Test("a line in GSM8K's layout is a problem with solution and answer, its id made of data set and content")
    func gsm8k() throws {
        let problem = try event(#"{"question":" How many? ","answer":"600+634=<<600+634=1234>>1234\n#### 1,234"}"#)
        #expect(problem.question == "How many?")
        #expect(problem.answer == "1234")
        #expect(problem.solution == "600+634=<<600+634=1234>>1234")
        #expect(problem.dataset == "mine")
        #expect(problem.split == .train)
        #expect(try event(Self.good).id == event(Self.good).id)
        let other = try ProblemLines.event(of: Substring(Self.good), dataset: "theirs", split: .train)
        #expect(try other.id != event(Self.good).id)
    }

    @Test("a problem event is taken as it is: its own id, data set and split win")
    func ownEvent() throws {
        let problem = try event(#"{"id":"p","dataset":"d","split":"test","question":"1+1?","answer":"2"}"#)
        #expect(problem.id == "p")
        #expect(problem.dataset == "d")
        #expect(problem.split == .test)
    }

    @Test(
        "a bad line is refused with its reason",
        arguments: [
            ("not json", "not a JSON object"), ("[1]", "not a JSON object"), ("{}", "\"question\" is missing"),
            (#"{"question":"q"}"#, "\"answer\" is missing"), (#"{"question":1,"answer":"2"}"#, "\"question\""),
            (#"{"question":"q","answer":"a\nb"}"#, "#### n"), ("{\"question\":\"q\",\"answer\":\"####\"}", "####"),
            ("{\"question\":\"a\u{0}b\",\"answer\":\"2\"}", "JSON"),
            (#"{"question":"a\u0000b","answer":"2"}"#, "NUL"),
            (#"{"id":"i","dataset":"d","split":"tset","question":"q","answer":"2"}"#, "$.split"),
            (#"{"id":"i","split":"test","question":"q","answer":"2"}"#, "$.dataset is missing"),
            (#"{"id":"i","dataset":7,"split":"test","question":"q","answer":"2"}"#, "$.dataset is not text"),
            (#"{"id":"i\u0000","dataset":"d","split":"test","question":"q","answer":"2"}"#, "id"),
        ]
    )
    func bad(line: String, reason: String) {
        let error = #expect(throws: (any Error).self) { try event(line) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(reason), "\(error.map { "\($0)" } ?? "")")
    }

    @Test("bytes that are not UTF-8 cost their line only")
    func notUTF8() throws {
        var data = Data((Self.good + "\n").utf8)
        data += Data(#"{"question":"caf"#.utf8) + [0xE9] + Data(#"","answer":"2"}"#.utf8) + [0x0A]
        data += Data(Self.good.utf8)
        let lines = try read(data)
        #expect(lines.good == [1, 3])
        #expect(lines.bad[2]?.contains("UTF-8") == true)
    }

    @Test("a very long line costs its line only, whether the layout or the event's limit refuses it")
    func long() throws {
        let text = [1_000, 900_000, 2_000_000].map {
            #"{"question":"\#(String(repeating: "x", count: $0))","answer":"2"}"#
        }
        let lines = try read(Data((text.joined(separator: "\n") + "\n" + Self.good).utf8))
        #expect(lines.good == [1, 2, 4])
        #expect(lines.bad[3]?.contains("bytes") == true)
    }

    @Test(
        "lines of other layouts are problems, their ids made of data set, split and content",
        arguments: [
            (#"{"problem":"1+1?","solution":"It is \\boxed{2}.","level":"Level 1","type":"Sums"}"#, "1+1?", "2"),
            (#"{"question":"1+1?","choices":["1","2"],"answer":"B"}"#, "1+1?\n(A) 1\n(B) 2", "(B)"),
            (#"{"input":"1+1 =","target":"2"}"#, "1+1 =", "2"),
        ]
    )
    func layouts(line: String, question: String, answer: String) throws {
        let problem = try event(line)
        #expect(problem.question == question && problem.answer == answer && problem.dataset == "mine")
        #expect(try event(line).id == problem.id)
        let test = try ProblemLines.event(of: Substring(line), dataset: "mine", split: .test)
        #expect(test.id != problem.id && test.split == .test)
        try problem.validate()
        if line.contains("level") { #expect(problem.family == "Sums" && problem.difficulty == "Level 1") }
    }

    @Test("with a named layout a line's own split counts, and one that is not known is refused")
    func ownSplit() throws {
        func event(_ split: String) throws -> ProblemEvent {
            try ProblemLines.event(
                of: Substring(#"{"question":"1+1?","answer":"2","split":"\#(split)"}"#),
                reader: ProblemReader(layout: .plain),
                dataset: "mine",
                split: .train
            )
        }
        #expect(try event("test").split == .test)
        let error = #expect(throws: CLIError.self) { try event("validation") }
        #expect(error?.description.contains("'validation'") == true)
    }

    @Test("a problem that comes again is the same event, and one with a corrected text another one")
    func eventIDs() throws {
        func id(_ line: String) throws -> String? {
            try ProblemLines.record(of: event(line)).headers.first { $0.key == "ce_id" }.flatMap(\.value).map {
                String(decoding: $0, as: UTF8.self)
            }
        }
        func line(_ answer: String) -> String {
            #"{"id":"a","dataset":"d","split":"test","question":"1+1?","answer":"\#(answer)"}"#
        }
        #expect(try id(line("2")) != nil)
        #expect(try id(line("2")) == id(line("2")))
        #expect(try id(line("2")) != id(line("3")))
    }

    @Test("an id that comes again is fine for the same problem and refused with the first line for another")
    func duplicates() throws {
        var known = ProblemLines.KnownIDs()
        func line(_ id: String, _ question: String) -> String {
            #"{"id":"\#(id)","dataset":"d","split":"test","question":"\#(question)","answer":"2"}"#
        }
        try known.add(event(line("a", "1+1?")), line: 1)
        try known.add(event(line("b", "1+1?")), line: 2)
        try known.add(event(line("a", "1+1?")), line: 3)
        let error = #expect(throws: CLIError.self) { try known.add(event(line("a", "2+0?")), line: 4) }
        #expect(error?.description == "the id 'a' stands for another problem on line 1")
    }

    @Test("a file that is not there is named")
    func missing() {
        let error = #expect(throws: CLIError.self) { try ProblemLines.read("/no/such/file") }
        #expect(error?.description.contains("/no/such/file cannot be read") == true)
    }

    // MARK: The split of a user's file

    private func plan(_ lines: [String]) throws -> DemoPlan.Problems {
        let file = FileManager.default.temporaryDirectory.appending(path: "errata-\(UUID().uuidString).jsonl")
        try Data(lines.joined(separator: "\n").utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try DemoPlan().problems(file: file.path)
    }

    @Test("what the system would leave out is left out before the demonstration counts on it")
    func overlaps() throws {
        let lines = try ProblemGenerator(seed: 5, stepRange: 2...4).generate(count: 400, split: .train)
            .map { try GSM8K.format($0) }
        let plain = try plan(lines)
        let again = try lines.map { line in
            let problem = try GSM8K.parse(line: line)
            return try GSM8K.format(
                Problem(question: problem.question + " Think!", solution: problem.solution, answer: problem.answer)
            )
        }
        var result = try plan(lines + again)
        #expect(result.leaveOutOverlaps() == 0, "it is done once")
        #expect(result.test.count + result.development.count > plain.test.count + plain.development.count)
        #expect(result.rollout.count + result.training.count + result.later.count < 400)
    }

    private func questions(_ events: [ProblemEvent]) -> Set<String> { Set(events.map(\.question)) }

    private func parts(of problems: DemoPlan.Problems) -> [Set<String>] {
        [problems.training, problems.rollout, problems.test, problems.development, problems.later].map(questions)
    }

    @Test("a user's file is split into disjoint parts that do not depend on the order, its repetitions or its growth")
    func split() throws {
        let lines = try ProblemGenerator(seed: 5, stepRange: 2...4).generate(count: 600, split: .train)
            .map { try GSM8K.format($0) }
        let once = try plan(lines)
        let parts = self.parts(of: once)
        let distinct = Set(try lines.map { try event($0).question })
        #expect(parts.map(\.count).reduce(0, +) == distinct.count)
        #expect(parts.reduce(Set()) { $0.union($1) } == distinct)
        #expect(once.first.count + once.later.count == distinct.count)
        #expect(
            once.later.allSatisfy { $0.split == .train } && once.development.allSatisfy { $0.split == .development }
        )
        #expect(once.training.allSatisfy { $0.split == .train && $0.dataset == "demo" })
        #expect(once.rollout.allSatisfy { $0.split == .rollout })
        #expect(once.test.allSatisfy { $0.split == .test })
        // 20 % each, within five standard deviations.
        let size = Double(distinct.count)
        #expect(abs(Double(parts[2].count) - 0.20 * size) < 5 * (0.20 * 0.80 * size).squareRoot())
        #expect(abs(Double(parts[1].count) - 0.20 * size) < 5 * (0.20 * 0.80 * size).squareRoot())

        let twice = try plan((lines + lines).reversed())
        #expect(self.parts(of: twice) == parts)
        let more = try ProblemGenerator(seed: 6, stepRange: 2...4).generate(count: 50, split: .train)
            .map { try GSM8K.format($0) }
        let grown = try plan(lines + more)
        #expect(questions(grown.test).isSuperset(of: parts[2]))
        #expect(questions(grown.rollout).isSuperset(of: parts[1]))
    }

    @Test("a file with too few problems is refused with how many are needed")
    func tooFew() throws {
        let error = #expect(throws: CLIError.self) { _ = try plan([Self.good, "nonsense"]) }
        #expect(error?.description.contains("1 usable problems") == true)
        #expect(error?.description.contains("at least 200") == true)
    }
}
