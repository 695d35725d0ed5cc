import Distillation
import Foundation
import LanguageModel
import Reasoning
import Testing
import Tokenization
import Training

@Suite("Examples of corrections")
struct CorrectionExampleTests {
    private let right = "Zoë keeps 12-5=<<12-5=7>>7 apples.\nZoë has 7*2=14 apples.\nThe answer is 14."
    private let wrong = "Zoë keeps 12-5=<<12-5=7>>7 apples.\nZoë has 7*3=21 apples.\nSo 21.\nThe answer is 21."

    @Test("a dual pair becomes the correction of its wrong chain", arguments: TokenizerKind.allCases)
    func dual(kind: TokenizerKind) throws {
        let codec = try kind.codec()
        let trace = try #require(
            CorrectionTrace(right: right, wrong: wrong, cause: "Twice, not 3 times.", answer: "14")
        )
        #expect(
            trace
                == CorrectionTrace(
                    steps: ["Zoë keeps 12-5=7 apples.", "Zoë has 7*3=21 apples.", "So 21."],
                    firstWrongStep: 1,
                    cause: "Twice, not 3 times.",
                    correction: "Zoë has 7*2=14 apples.",
                    answer: "14"
                )
        )
        let example = try SupervisedExamples.correction(trace, question: "Q?", codec: codec)
        let prompt = try codec.correctionPrompt(question: "Q?", attempt: trace.steps)
        #expect(example.tokens.starts(with: prompt) && example.tokens.last == codec.endOfText)
        #expect(example.weights.prefix(prompt.count).allSatisfy { $0 == 0 })
        #expect(example.weights.dropFirst(prompt.count).allSatisfy { $0 == 1 })
        // What it teaches is what is read from a student.
        let response = codec.tokenizer.decode(Array(example.tokens.dropFirst(prompt.count).dropLast()))
        #expect(try StudentFormat.parseCorrection(response, attempt: trace.steps) == trace)
    }

    @Test("chains that do not part in a step of both give none")
    func none() {
        func trace(_ wrong: String) -> CorrectionTrace? {
            CorrectionTrace(right: "a\nb\n#### 1", wrong: wrong, cause: "c", answer: "1")
        }
        #expect(trace("a\nb\n#### 2") == nil && trace("a\n#### 2") == nil && trace("a\nb\nc\n#### 2") == nil)
        #expect(trace("") == nil && trace("x\nb\n#### 2")?.firstWrongStep == 0)
    }
}

@Suite("Self-correction at inference")
struct SelfCorrectionTests {
    private func outcome(_ first: String?, _ second: String?, step: Int? = 0) -> StudentSolver.CorrectedOutcome {
        StudentSolver.CorrectedOutcome(
            first: StudentSolver.grade(first ?? "none", gold: "7"),
            output: "…",
            trace: second.map {
                CorrectionTrace(steps: ["a"], firstWrongStep: step, cause: "c", correction: "d", answer: $0)
            },
            gold: "7"
        )
    }

    @Test("the correction's answer counts where it can be read, else the first one")
    func gain() {
        let outcomes = [
            outcome("#### 7", "7.0", step: nil), outcome("#### 8", "7"), outcome("#### 7", "8"), outcome("#### 8", "9"),
            outcome("#### 7", nil), outcome(nil, nil), outcome(nil, "7"),
        ]
        #expect(outcomes.map(\.answer) == ["7.0", "7", "8", "9", "7", nil, "7"])
        #expect(outcomes.map(\.correct) == [true, true, false, false, true, false, true])
        let gain = SelfCorrectionGain(outcomes)
        #expect(gain.tasks == 7 && gain.correctBefore == 3 && gain.correct == 4)
        #expect(gain.changedToRight == 2 && gain.changedToWrong == 1)
        #expect(gain.readable == 5 && gain.named == 4)
        #expect(gain.correct == gain.correctBefore + gain.changedToRight - gain.changedToWrong)
    }

    @Test("of a correction that was cut off only an answer that it names to the end counts")
    func cutOff() {
        func answer(_ text: String, isTruncated: Bool) -> String? {
            StudentSolver.readCorrection(text, steps: ["a"], isTruncated: isTruncated)?.answer
        }
        let begun = " 1<Cause>c</Cause><Correction>d</Correction><Answer>12"
        #expect(answer(begun, isTruncated: false) == "12" && answer(begun, isTruncated: true) == nil)
        for whole in [begun + "</Answer>", begun + "</Answer> And", begun + "\n"] {
            #expect(answer(whole, isTruncated: true) == "12", "\(whole)")
        }
        #expect(answer("12", isTruncated: true) == nil && answer("", isTruncated: true) == nil)
    }

    @Test("both passes of a student are those of solving and correcting by themselves")
    func passes() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "errata-passes-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        let created = try StudentFactory.create(
            texts: Array(repeating: "Q: Tom has 12 apples.\nT: <Step1>12-5=7</Step1>", count: 10),
            size: StudentFactory.Size(hidden: 16, layers: 1, heads: 2, intermediate: 24, vocabulary: 340),
            seed: 1,
            in: ModelStore(root: root)
        )
        let solver = StudentSolver(
            model: try CausalLanguageModel.load(folder: created.folder),
            codec: try StudentCodec(try Tokenizer(folder: created.folder))
        )
        let tasks = (0..<3).map { StudentSolver.Task(question: "Is \($0) even?", gold: "\($0)", stream: UInt64($0)) }
        let parameters = GenerationParameters(maximumNewTokens: 200, temperature: 1, seed: 3)
        let greedy = StudentSolver.correctionParameters(parameters)
        #expect(greedy.temperature == 0 && greedy.maximumNewTokens == 128 && greedy.seed == 3)
        var counts: [Int] = []
        let both = try solver.solveAndCorrect(tasks, format: .hierarchicalThought, parameters: parameters) {
            counts.append($0)
        }
        #expect(counts == [1, 2, 3, 4, 5, 6])
        let first = try solver.solve(tasks, format: .hierarchicalThought, parameters: parameters)
        #expect(both.map(\.first) == first)
        let second = try solver.correct(Array(zip(tasks, first.map(\.output))), parameters: greedy)
        #expect(both.map(\.output) == second.map(\.output) && both.map(\.trace) == second.map(\.trace))
        let teacher = CorrectionTrace(steps: ["a"], firstWrongStep: 0, cause: "c", correction: "d", answer: "1")
        let skill = try solver.correctionSkill(
            zip(tasks, first).map { (task: $0, output: $1.output, teacher: teacher) },
            parameters: parameters
        )
        #expect(skill == CorrectionSkill(second.map { (own: $0.trace, teacher: teacher) }))
        #expect(skill.attempts == 3)
    }
}
