import Distillation
import Reasoning
import Schemas
import Testing
import Tokenization
import Training

@Suite("Examples of a student's own attempts")
struct RolloutSourceTests {
    private typealias Samples = StageSamples

    private static let nuts = Samples.problem("r1", "Add 1 and 1.", "2")
    private static let kites = Samples.problem("r2", "Add 1 and 2.", "3")

    private static func material(
        _ attempts: [AttemptEvent],
        corrections: [TraceEvent] = []
    ) -> StageMaterial {
        StageMaterial(
            problems: Samples.problems,
            traces: Samples.chains,
            attempts: attempts,
            attempted: [kites, nuts],
            corrections: corrections
        )
    }

    @Test("attempts: the right ones that were written to their end, each text once, by problem and sample, not by id")
    func attempts() throws {
        let codec = try TokenizerKind.bytes.codec()
        let attempts = [
            Samples.attempt("a1", Self.kites, " 1+2=3\n#### 3", correct: true),
            Samples.attempt("a6", Self.nuts, " 1+1=2\n#### 2", correct: true, sample: 0),
            Samples.attempt("a5", Self.nuts, " 1+1=2\n#### 2", correct: true, sample: 1),
            Samples.attempt("a4", Self.nuts, " 1+1=3\n#### 3", correct: false, sample: 2),
            Samples.attempt("a3", Self.nuts, " So 2\n#### 2", correct: true, sample: 10),
            Samples.attempt("a2", Self.kites, " #### 3\n1+", correct: true, sample: 1, truncated: true),
            Samples.attempt("a7", Samples.problem("gone", "?", "2"), " 2", correct: true),
        ]
        let stage = Samples.supervised(ExampleSource("attempts"))
        let made = try Samples.collect(stage, Self.material(attempts), codec: codec)
        #expect(
            made.supervised.map { codec.text($0) } == [
                "Q: Add 1 and 1.\nA:‖ 1+1=2\n#### 2⏹", "Q: Add 1 and 1.\nA:‖ So 2\n#### 2⏹",
                "Q: Add 1 and 2.\nA:‖ 1+2=3\n#### 3⏹",
            ]
        )
        #expect(made.counts == ["attempts": 3])
        let turned = try Samples.collect(stage, Self.material(attempts.reversed()), codec: codec)
        #expect(turned.supervised == made.supervised)
        // A parent that writes templates was asked for one.
        let asked = try Samples.collect(stage, Self.material(attempts), parentAnswers: "template", codec: codec)
        #expect(asked.supervised.first.map { codec.text($0) } == "Q: Add 1 and 1.\nT:‖ 1+1=2\n#### 2⏹")
    }

    @Test("teacher's steps: after the student's own text, in place of its first wrong step, and nothing after it")
    func teacherSteps() throws {
        let codec = try TokenizerKind.bytes.codec()
        let good = " <Step1>1=1</Step1>\n<Step2>1+1=3<Key>k</Key></Step2>\n<Answer>3</Answer>"
        let attempts = [
            Samples.attempt("a3", Self.nuts, good, correct: false),
            Samples.attempt("a4", Self.nuts, good, correct: false, sample: 1),
            Samples.attempt("a1", Self.kites, " <Step1>1+2=4</Step1>\n<Answer>4</Answer>", correct: false),
            Samples.attempt("a2", Self.kites, " no steps", correct: false, sample: 1),
        ]
        func correction(_ id: String, _ attempt: Int, steps: [String], wrong: Int, _ text: String) -> TraceEvent {
            Samples.correction(
                id,
                attempt < 2 ? Self.nuts : Self.kites,
                steps: steps,
                wrong: wrong,
                correction: text,
                attempt: attempts[attempt].id
            )
        }
        var unverified = correction("k5", 2, steps: ["1+2=4"], wrong: 0, "1+2=5")
        (unverified.verified, unverified.failure) = (false, "planted")
        let corrections = [
            correction("k4", 3, steps: ["no steps"], wrong: 0, "1+2=3"),
            correction("k3", 2, steps: ["1+2=4"], wrong: 0, "1+2=3"),
            correction("k2", 1, steps: ["1=1", "1+1=3"], wrong: 1, "1+1=2"),
            correction("k1", 0, steps: ["1=1", "1+1=3"], wrong: 1, "1+1=2"), unverified,
        ]
        let stage = Samples.supervised(ExampleSource("teacherSteps"))
        let made = try Samples.collect(
            stage,
            Self.material(attempts, corrections: corrections),
            parentAnswers: "template",
            codec: codec
        )
        #expect(
            made.supervised.map { codec.text($0) } == [
                "Q: Add 1 and 1.\nT: <Step1>1=1</Step1>\n<Step2>‖1+1=2",
                "Q: Add 1 and 2.\nT: <Step1>‖1+2=3",
            ]
        )
        #expect(made.counts == ["teacherSteps": 2, "repeated": 1, "unverified": 1, "step-not-found": 1])
        let turned = try Samples.collect(
            stage,
            Self.material(attempts.reversed(), corrections: corrections.reversed()),
            parentAnswers: "template",
            codec: codec
        )
        #expect(turned.supervised == made.supervised && turned.counts == made.counts)
    }
}
