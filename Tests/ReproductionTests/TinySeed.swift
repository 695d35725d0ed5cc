import Distillation
import Foundation
import LanguageModel
import Reasoning
import Schemas
import Tokenization
import Training

@testable import Reproduction

/// Four problems with what a teacher made of them, and one wrong attempt: few enough that every example is known by hand.
///
/// Given in an order that is not that of the ids.
enum TinySeed {
    static let material = StageMaterial(
        problems: [
            problem("p3", "Cleo buys 2 boxes of 5 eggs. How many eggs has she?", answer: "10"),
            problem("p1", "Ana has 3 shells and finds 4. How many has she?", answer: "7"),
            problem("p4", "Dan walks 2 km. How many meters?", answer: "2000"),
            problem("p2", "Ben has 9 pens and gives 2 away. How many has he?", answer: "7"),
        ],
        traces: [
            // A further chain of p1, behind its first one.
            chain("p1", "p1-chain-repeated-1", "She has 4 + 3 = 7 shells.", answer: "7"),
            chain("p3", "p3-chain", "She has 2 * 5 = 10 eggs.", answer: "10"),
            chain("p1", "p1-chain", "She has 3 + 4 = 7 shells.", answer: "7"),
            chain("p2", "p2-chain", "He has 9 + 2 = 11 pens.", answer: "11", verified: false),
            dual(
                "p4",
                .corrupted,
                "knowledge",
                right: ("He walks 2 * 1000 = 2000 meters.", "2000"),
                wrong: ("He walks 2 * 100 = 200 meters.", "200")
            ),
            dual(
                "p3",
                .corrupted,
                "logical",
                right: ("She has 2 * 5 = 10 eggs.", "10"),
                wrong: ("She has 2 + 5 = 7 eggs.", "7")
            ),
            dual(
                "p2",
                .rectified,
                "logical",
                right: ("He has 9 - 2 = 7 pens.", "7"),
                wrong: ("He has 9 + 2 = 11 pens.", "11")
            ),
            dual(
                "p1",
                .corrupted,
                "calculation",
                right: ("She has 3 + 4 = 7 shells.", "7"),
                wrong: ("She has 3 + 4 = 8 shells.", "8")
            ),
            trace(
                "p1",
                "p1-template",
                .template(
                    TemplateBody(
                        steps: [.init(text: "She has 3 + 4 = 7 shells.", keyNotes: ["Add what she finds."])],
                        generalization: "Put the parts together.",
                        answer: "7"
                    )
                )
            ),
            trace(
                "p2",
                "p2-correction",
                .correction(
                    CorrectionBody(
                        steps: ["He has 9 + 2 = 11 pens."],
                        firstWrongStep: 0,
                        cause: "He gives pens away.",
                        correction: "He has 9 - 2 = 7 pens.",
                        answer: "7"
                    )
                )
            ),
            trace(
                "p3",
                "p3-approval",
                .correction(
                    CorrectionBody(
                        steps: ["She has 2 * 5 = 10 eggs."],
                        firstWrongStep: nil,
                        cause: "",
                        correction: "",
                        answer: "10"
                    )
                )
            ),
        ],
        attempts: [
            AttemptEvent(
                id: "a1",
                runId: "run",
                checkpointId: "checkpoint",
                problemId: "r1",
                sample: 0,
                output: " <Step1>She has 5 + 2 = 7 cups.</Step1>\n<Answer>7</Answer>",
                answer: "7",
                correct: false,
                promptFormat: "hierarchical-thought"
            )
        ],
        attempted: [problem("r1", "Eva has 5 cups and breaks 2. How many has she?", answer: "3", split: .rollout)],
        corrections: [
            trace(
                "r1",
                "r1-correction",
                .correction(
                    CorrectionBody(
                        steps: ["She has 5 + 2 = 7 cups."],
                        firstWrongStep: 0,
                        cause: "She breaks cups.",
                        correction: "She has 5 - 2 = 3 cups.",
                        answer: "3"
                    )
                ),
                attempt: "a1"
            )
        ]
    )

    private static func problem(
        _ id: String,
        _ question: String,
        answer: String,
        split: ProblemSplit = .train
    ) -> ProblemEvent {
        ProblemEvent(
            id: id,
            dataset: "reproduction-1",
            split: split,
            question: question,
            solution: id == "r1" ? "She has 5 - 2 = 3 cups.\n#### 3" : nil,
            answer: answer
        )
    }

    private static func chain(
        _ problem: String,
        _ id: String,
        _ text: String,
        answer: String,
        verified: Bool = true
    ) -> TraceEvent {
        let body = ChainOfThoughtBody(text: "\(text)\nThe answer is \(answer).", answer: answer, correct: verified)
        return trace(problem, id, .chainOfThought(body), verified: verified)
    }

    private static func dual(
        _ problem: String,
        _ method: DualBody.Method,
        _ mistake: String,
        right: (text: String, answer: String),
        wrong: (text: String, answer: String)
    ) -> TraceEvent {
        let body = DualBody(
            right: "\(right.text)\nThe answer is \(right.answer).",
            wrong: "\(wrong.text)\nThe answer is \(wrong.answer).",
            rightAnswer: right.answer,
            wrongAnswer: wrong.answer,
            method: method,
            mistake: mistake
        )
        return trace(problem, "\(problem)-dual", .dual(body))
    }

    private static func trace(
        _ problem: String,
        _ id: String,
        _ body: TraceBody,
        verified: Bool = true,
        attempt: String? = nil
    ) -> TraceEvent {
        TraceEvent(
            id: id,
            problemId: problem,
            verified: verified,
            failure: verified ? nil : "wrong",
            body: body,
            teacher: TeacherCall(
                model: "by-hand",
                promptId: "none",
                promptVersion: "1",
                temperature: 0,
                promptTokens: 0,
                completionTokens: 0,
                latencyMs: 0,
                finishReason: "stop"
            ),
            attemptId: attempt
        )
    }

    /// A codec whose tokenizer was trained on the seed's questions.
    static func codec() throws -> StudentCodec {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tiny-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let student = try StudentFactory.create(
            texts: material.problems.map(\.question),
            size: ReproductionPlan.quick.student,
            seed: 1,
            in: try ModelStore(root: folder)
        )
        return try StudentCodec(try Tokenizer(folder: student.folder))
    }

    /// What an arm's own stage makes of the seed.
    static func work(_ arm: String, of table: ReproductionTable) throws -> TinyWork {
        let run = try table.recipe(
            ofArm: arm,
            plan: .quick,
            seed: 1,
            rates: table.anyRates,
            student: StudentReference(modelHash: "model", tokenizerFingerprint: "tokenizer")
        )
        guard let stage = run.stage(arm) else { throw ReproductionError("\(arm) has no stage") }
        let codec = try codec()
        return TinyWork(work: try StageWork(stage, of: run, material: material, codec: codec), codec: codec)
    }
}

/// A stage's examples as texts.
struct TinyWork {
    let work: StageWork
    let codec: StudentCodec

    /// Whole sequences; the end of text as `$`.
    var texts: [String] { work.examples.supervised.map { text($0.tokens) } }

    /// The pairs' prompts, chosen and rejected completions.
    var pairs: [[String]] { work.examples.pairs.map { [text($0.prompt), text($0.chosen), text($0.rejected)] } }

    /// The tokens that have a weight, each with it and without the blanks around it.
    func weighted(_ example: Int) -> [String: [Float]] {
        let example = work.examples.supervised[example]
        let found = zip(example.tokens, example.weights).filter { $1 != 0 }
        return Dictionary(grouping: found) { text([$0.0]).trimmingCharacters(in: .whitespaces) }
            .mapValues { $0.map(\.1) }
    }

    private func text(_ tokens: [TokenID]) -> String {
        codec.tokenizer.decode(tokens, skipSpecialTokens: false).replacing("<|endoftext|>", with: "$")
    }
}

extension ReproductionTable {
    /// A rate for every arm: what the search would choose.
    var anyRates: [String: Double] {
        Dictionary(arms.filter(\.isTrained).map { ($0.id, $0.length == .secondStage ? 1e-3 : 5e-3) }) { first, _ in
            first
        }
    }
}
