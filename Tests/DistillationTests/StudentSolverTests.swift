import Distillation
import LanguageModel
import Reasoning
import Schemas
import Testing
import Tokenization

@Suite("Asking a student")
struct StudentSolverTests {
    private static let says = " 2+2=4\n2+3=5\n#### 5"
    private static let tasks = [
        StudentSolver.Task(question: "Is 3 even?", gold: "5"), StudentSolver.Task(question: "Is 5 even?", gold: "4"),
    ]

    @Test("what a student writes has U+FFFD for NUL, which no table holds, also before what joins it to one character")
    func withoutNUL() {
        let text = WrittenText(text: "4\0 + 4\0\u{301} =\0\u{FE0F} 8\0", isTruncated: false, tokens: 9)
        #expect(Array(text.text.utf8) == Array("4\u{FFFD} + 4\u{FFFD}\u{301} =\u{FFFD}\u{FE0F} 8\u{FFFD}".utf8))
    }

    @Test("an output that was cut off is graded by an answer that it names, never by its last number")
    func grading() {
        func grade(_ text: String, _ isTruncated: Bool) -> StudentSolver.Outcome {
            StudentSolver.grade(text, gold: "5", isTruncated: isTruncated, tokens: 3)
        }
        let whole = grade("2+3=5", false)
        #expect(whole.answer == "5" && whole.correct && !whole.isTruncated && whole.tokens == 3)
        let cut = grade("2+3=5", true)
        #expect(cut.answer == nil && !cut.correct && cut.isTruncated && cut.output == "2+3=5")
        for named in ["#### 5\nQ", "<Answer>5</Answer>", "\\boxed{5} so", "The answer is 5.\nSo"] {
            #expect(grade(named, true).correct, "\(named)")
        }
        // It may have been cut in the middle of the answer: 5 of 56.
        for open in ["#### 5", "<Answer>5", "The answer is 5"] {
            #expect(grade(open, true).answer == nil, "\(open)")
        }
    }

    @Test("what a student writes to its end is graded, and what the limit cuts off is not")
    func limit() throws {
        let parrot = try Parrot(says: Self.says)
        func solve(_ maximum: Int) throws -> [StudentSolver.Outcome] {
            try parrot.solver.solve(
                Self.tasks,
                format: .chainOfThought,
                parameters: GenerationParameters(maximumNewTokens: maximum, temperature: 0)
            )
        }
        let length = parrot.codec.tokenizer.encode(Self.says).count
        let whole = try solve(64)
        #expect(whole.map(\.output) == [Self.says, Self.says], "the student was taught to say this")
        #expect(whole.map(\.correct) == [true, false] && whole.map(\.answer) == ["5", "5"])
        #expect(whole.map(\.isTruncated) == [false, false] && whole.map(\.tokens) == [length, length])

        // " 2+2=4\n2+3=5" ends with the gold answer of the first, and " 2+2=4" with that of the second.
        for text in [" 2+2=4\n2+3=5", " 2+2=4"] {
            let tokens = parrot.codec.tokenizer.encode(text).count
            try #require(parrot.codec.tokenizer.encode(Self.says).starts(with: parrot.codec.tokenizer.encode(text)))
            let cut = try solve(tokens)
            #expect(cut.map(\.output) == [text, text] && cut.map(\.answer) == [nil, nil])
            #expect(cut.map(\.correct) == [false, false] && cut.map(\.isTruncated) == [true, true])
            #expect(cut.map(\.tokens) == [tokens, tokens])
        }
    }

    @Test("a stop string ends an answer and is no part of it; the first one that comes counts")
    func stopStrings() throws {
        let parrot = try Parrot(says: Self.says)
        func solve(_ stops: [String]) throws -> StudentSolver.Outcome {
            try #require(
                try parrot.solver.solve(
                    [Self.tasks[1]],
                    format: .chainOfThought,
                    parameters: GenerationParameters(maximumNewTokens: 64, temperature: 0, stopStrings: stops)
                ).first
            )
        }
        let marked = try solve(["####"])
        #expect(marked.output == " 2+2=4\n2+3=5\n" && marked.answer == "5" && !marked.isTruncated)
        let line = try solve(["####", "\n"])
        #expect(line.output == " 2+2=4" && line.answer == "4" && line.correct && !line.isTruncated)
        #expect(line.tokens < marked.tokens)
        #expect(try solve(["never"]).output == Self.says)
        let nothing = try solve([" 2+"])
        #expect(nothing.output.isEmpty && nothing.answer == nil)
    }

    @Test("a stop string that is a part of a character ends an answer too: a line feed behind a carriage return")
    func stopBytes() throws {
        let parrot = try Parrot(says: " 2+2=4\r\n2+3=5")
        let outcome = try parrot.solver.solve(
            [Self.tasks[0]],
            format: .chainOfThought,
            parameters: GenerationParameters(maximumNewTokens: 64, temperature: 0, stopStrings: ["\n"])
        ).first
        #expect(outcome?.output == " 2+2=4\r" && outcome?.answer == "4" && outcome?.isTruncated == false)
    }

    @Test("attempts say whether they were cut off, and for which round they are")
    func attempts() throws {
        let parrot = try Parrot(says: Self.says)
        func attempts(_ maximum: Int) throws -> [AttemptEvent] {
            try parrot.solver.attempts(
                at: [StageSamples.problem("p1", "Is 3 even?", "5"), StageSamples.problem("p2", "Is 5 even?", "4")],
                samples: 1,
                format: .chainOfThought,
                parameters: GenerationParameters(maximumNewTokens: maximum, temperature: 0),
                runID: "r1",
                round: 3,
                checkpointID: "k"
            )
        }
        let whole = try attempts(64)
        #expect(whole.map(\.truncated) == [nil, nil] && whole.map(\.correct) == [true, false])
        #expect(whole.map(\.round) == [3, 3] && whole.map(\.promptFormat) == ["chain-of-thought", "chain-of-thought"])
        #expect(whole.map { $0.selfCorrection == nil } == [true, false], "only wrong attempts are corrected")
        let cut = try attempts(parrot.codec.tokenizer.encode(" 2+2=4\n2+3=5").count)
        #expect(cut.map(\.truncated) == [true, true] && cut.map(\.correct) == [false, false])
        #expect(cut.map(\.answer) == [nil, nil])
    }

    @Test("a sample depends on its place in the whole roll-out, not on what is written beside it")
    func streams() throws {
        let parrot = try Parrot(says: nil)
        let problems = (0..<3).map { StageSamples.problem("p\($0)", "Is \($0) even?", "1") }
        func outputs(_ range: Range<Int>, batch: Int) throws -> [String] {
            try StudentSolver(model: parrot.model, codec: parrot.codec, batchSize: batch).attempts(
                at: Array(problems[range]),
                samples: 2,
                format: .chainOfThought,
                parameters: GenerationParameters(maximumNewTokens: 12, temperature: 1, seed: 4),
                maximumCorrectionTokens: 2,
                firstStream: range.lowerBound,
                runID: "r1",
                checkpointID: "k"
            ).map(\.output)
        }
        let together = try outputs(0..<3, batch: 64)
        #expect(Set(together).count == 6, "no sample is another's")
        #expect(try outputs(0..<1, batch: 64) + outputs(1..<3, batch: 1) == together)
        #expect(try outputs(0..<3, batch: 2) == together)
    }
}
