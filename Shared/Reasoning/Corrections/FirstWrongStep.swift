/// Finds the first wrong step of an attempt by numbers and operations, with no model.
public enum FirstWrongStep {
    /// The index, from 0, of the first step that the reference does not support; nil where none is found.
    ///
    /// In order: a step whose calculation is wrong; a step that arrives at a value which neither the question, the
    /// reference nor a calculation of the reference's numbers has.
    public static func locate(attempt: [String], reference: String, question: String? = nil) -> Int? {
        let solution = WorkedSolution.parse(reference)
        var known: Set<Rational> = []
        var results: Set<Rational> = []
        for text in solution.steps.map(\.text) + [question ?? "", solution.answer ?? ""] {
            for number in AnswerExtraction.numbers(in: text) { Rational(decimal: number).map { _ = known.insert($0) } }
        }
        for step in solution.steps {
            for calculation in step.calculations {
                if let value = Arithmetic.evaluate(calculation.value) { results.insert(value) }
            }
        }
        let asked = Set(AnswerExtraction.numbers(in: question ?? "").compactMap { Rational(decimal: $0) })
        var firstOdd: Int?
        for (index, step) in attempt.enumerated() {
            let calculations = WorkedSolution.calculations(in: step)
            if calculations.contains(where: { $0.isCorrect == false }) { return min(index, firstOdd ?? index) }
            let computed = calculations.compactMap { Arithmetic.evaluate($0.value) }
            if firstOdd == nil, computed.contains(where: { !known.contains($0) && !results.contains($0) }) {
                return index
            }
            if firstOdd == nil, calculations.isEmpty, !asked.isEmpty {
                let numbers = AnswerExtraction.numbers(in: step).compactMap { Rational(decimal: $0) }
                if numbers.contains(where: { !known.contains($0) && $0 > Rational(1) }) { firstOdd = index }
            }
        }
        if let firstOdd { return firstOdd }
        // Every number is known: the last calculation did not lead to the answer, if it is not the reference's.
        guard let answer = solution.answer, let last = attempt.lastIndex(where: { !$0.trimmed.isEmpty }) else {
            return nil
        }
        let final = attempt[last]
        guard let given = AnswerExtraction.extract(final) else { return nil }
        if AnswerEquivalence.equivalent(gold: answer, predicted: given) { return nil }
        return attempt.lastIndex { !WorkedSolution.calculations(in: $0).isEmpty } ?? last
    }
}
