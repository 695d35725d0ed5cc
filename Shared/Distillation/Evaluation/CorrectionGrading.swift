import Foundation
public import Reasoning

/// Judges a student's correction of its own attempt by the teacher's, without a model.
///
/// The paper has a judge model for this (SuperCorrect, Table 6); here the results are compared, so that the same
/// corrections always get the same marks.
public enum CorrectionGrading {
    /// Whether the student names the teacher's first wrong step.
    public static func isLocated(_ own: CorrectionTrace?, teacher: CorrectionTrace) -> Bool {
        teacher.firstWrongStep != nil && own?.firstWrongStep == teacher.firstWrongStep
    }

    /// Whether the student's correction is right: it names the teacher's step and its correction of it has the same
    /// result, or its answer is the gold one, which is the answer of a verified correction of the teacher's.
    ///
    /// An answer counts by itself because a student may mend an attempt at another step, or in another way, than the
    /// teacher does.
    public static func isRight(_ own: CorrectionTrace?, teacher: CorrectionTrace) -> Bool {
        guard let own else { return false }
        if AnswerEquivalence.equivalent(gold: teacher.answer, predicted: own.answer) { return true }
        guard isLocated(own, teacher: teacher), let correction = own.correction, let truth = teacher.correction else {
            return false
        }
        return haveSameResult(correction, truth)
    }

    /// Whether a step comes to the same as the right step.
    ///
    /// The result is the value of the last calculation, or the last number where there is none, or else the text. A step
    /// with a calculation that is wrong in itself is never the same.
    public static func haveSameResult(_ step: String, _ right: String) -> Bool {
        let calculations = WorkedSolution.calculations(in: step)
        guard calculations.allSatisfy({ $0.isCorrect != false }) else { return false }
        return AnswerEquivalence.equivalent(gold: result(of: right), predicted: result(of: step))
    }

    private static func result(of step: String) -> String {
        if let last = WorkedSolution.calculations(in: step).last { return last.value }
        return AnswerExtraction.numbers(in: step).last ?? step
    }
}

/// How well a student finds and mends its errors (SuperCorrect, Table 6).
public struct CorrectionSkill: Sendable, Hashable, Codable {
    /// The wrong attempts that it was asked to correct.
    public var attempts: Int
    /// Those of whose corrections a step and an answer could be read.
    public var readable: Int
    /// Those in which it names the teacher's first wrong step.
    public var located: Int
    /// Those that it corrects rightly; see ``CorrectionGrading/isRight(_:teacher:)``.
    public var corrected: Int

    /// Counts corrections against the teacher's of the same attempts.
    ///
    /// Arguments:
    ///   - corrections: the student's corrections, nil where none could be read, and the teacher's.
    public init(_ corrections: [(own: CorrectionTrace?, teacher: CorrectionTrace)]) {
        attempts = corrections.count
        readable = corrections.count { $0.own?.firstWrongStep != nil }
        located = corrections.count { CorrectionGrading.isLocated($0.own, teacher: $0.teacher) }
        corrected = corrections.count { CorrectionGrading.isRight($0.own, teacher: $0.teacher) }
    }
}
