import DataSupport
import Foundation
import Testing

@testable import Reasoning

/// The labels of other tools' own tests, each file under the policy that fits it.
///
/// Where ours differ for good, by the row of the file from 0, and why:
///
/// | Math-Verify | theirs | ours |
/// | --- | --- | --- |
/// | 3 | its search misses a 9 between line feeds in `\( … \)`, and the label says so | 9 is 9 |
/// | 11 | 1 − 1/e is taken for 1 + 1/e | they are not the same |
@Suite("Labels of others", .external)
struct ExternalLabelTests {
    @Test(
        "labels of other tools' own tests",
        arguments: [
            ("hendrycks_math_equivalence", GradingPolicy.strict, 1.0), ("simple_evals_equality_template", .strict, 1.0),
            ("nemo_skills", .standard, 1.0), ("open_instruct", .standard, 1.0), ("math_verify_a", .standard, 0.985),
        ]
    )
    func labels(file: String, policy: GradingPolicy, floor: Double) throws {
        let answers = try LabelledAnswer.read(TestData.external("answer_equivalence/\(file).jsonl"))
        var agree = 0
        for answer in answers {
            let isSame = Self.isSame(answer, policy)
            if isSame == answer.equal { agree += 1 } else { print("answers: \(file): \(answer)") }
        }
        print("answers: \(file) \(agree) of \(answers.count)")
        #expect(!answers.isEmpty && Double(agree) >= floor * Double(answers.count))
    }

    /// A prediction that is an answer is compared as it is; of a text the answer is found first.
    private static func isSame(_ answer: LabelledAnswer, _ policy: GradingPolicy) -> Bool {
        if AnswerEquivalence.equivalent(gold: answer.gold, predicted: answer.pred, policy: policy) { return true }
        let isAnswer = answer.pred.hasPrefix("$") && answer.pred.dropFirst(2).dropLast(2).firstIndex(of: "$") == nil
        guard answer.kind == "extract_and_compare" || answer.kind == "text_match", !isAnswer else { return false }
        let isText = answer.gold.contains("boxed") || answer.gold.utf8.count > 200
        let gold = isText ? AnswerExtraction.extract(answer.gold) ?? answer.gold : answer.gold
        return AnswerEquivalence.equivalent(
            gold: gold,
            predicted: AnswerExtraction.extract(answer.pred) ?? "",
            policy: policy
        )
    }
}
