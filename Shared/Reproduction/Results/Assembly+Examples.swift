import Distillation
import Reasoning
import Schemas

/// What the report shows beside its figures, all of the first seed.
extension Reproduction {
    /// A few things to look at.
    func examples() async throws -> Examples {
        let seed = plan.seeds[0]
        let data = try await notebook.seedData(seed)
        let student = try await notebook.student(seed)
        let codec = try StageTrainer(store: store, workFolder: folder).codec(of: student.modelHash)
        var examples = Examples()
        for method in [DualBody.Method.rectified, .corrupted] {
            if let dual = data.duals.first(where: { $0.body.method == method }) {
                examples.duals.append(Self.example(dual, codec: codec))
            }
        }
        examples.templates = data.templates.prefix(1).map {
            Examples.Template(question: $0.problem.question, body: $0.template)
        }
        if let source = table.rolloutArm {
            let rollout = try await notebook.rollout(Rollout.name(source, seed: seed))
            examples.corrections = rollout.examples(2)
        }
        for arm in table.arms where arm.isTrained {
            let trial = try await notebook.chosen(arm, seed: seed, plan: plan).trial
            let problems = data.problems.suites[SuiteName.test] ?? []
            for (problem, output) in zip(problems, trial.outputs).prefix(1) {
                let outcome = StudentSolver.grade(output, gold: problem.answer)
                examples.solutions.append(
                    Examples.Solution(
                        arm: arm.id,
                        question: problem.question,
                        gold: problem.answer,
                        output: output,
                        isCorrect: outcome.correct
                    )
                )
            }
        }
        return examples
    }

    private static func example(_ dual: SeedData.Dual, codec: StudentCodec) -> Examples.Dual {
        let texts = dual.texts ?? (dual.body.right, dual.body.wrong)
        let location = KeyStepLocation(
            right: texts.right,
            wrong: texts.wrong,
            tokens: .student(codec.tokenizer),
            options: KeyStepOptions(beta: 1)
        )
        return Examples.Dual(
            question: dual.problem.question,
            origin: [dual.body.method.rawValue, dual.body.mistake].compactMap { $0 }.joined(separator: ", "),
            right: pieces(location.right),
            wrong: pieces(location.wrong)
        )
    }

    /// A chain cut at the bounds of its key spans.
    private static func pieces(_ side: KeyStepLocation.Side) -> [Examples.Piece] {
        let bytes = Array(side.text.utf8)
        var pieces: [Examples.Piece] = []
        var end = 0
        func add(_ range: Range<Int>, isKey: Bool) {
            if !range.isEmpty {
                pieces.append(Examples.Piece(text: String(decoding: bytes[range], as: UTF8.self), isKey: isKey))
            }
        }
        for span in side.spans {
            add(end..<max(end, span.bytes.lowerBound), isKey: false)
            add(max(end, span.bytes.lowerBound)..<max(end, span.bytes.upperBound), isKey: true)
            end = max(end, span.bytes.upperBound)
        }
        add(end..<bytes.count, isKey: false)
        return pieces
    }
}
