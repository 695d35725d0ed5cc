import Reasoning

/// The quantities of a problem and its reference solution, by value and by how they are made.
struct ReferenceQuantities {
    /// Numbers of the question.
    let asked: Set<Rational>
    /// Numbers of the question and of the solution, and all results.
    let known: Set<Rational>
    /// Results of the solution's operations, and the answer; each once, in order.
    let results: [Rational]
    /// The final answer.
    let answer: Rational?
    /// For two operands, the signs that the solution puts between them.
    let signs: [Set<Rational>: Set<Character>]
    /// The units that question or solution calls something per.
    let ratedUnits: Set<String>
    /// The solution's lines that say more than the answer.
    let lines: [StepText]
    /// Whether the solution has a percent sign.
    let hasPercent: Bool
    /// How the quantities are made, in each reading of the question's numbers.
    let graphs: [ReferenceGraph]

    init(question: String, reference: String) {
        let question = StepText(question)
        let lines = reference.split(whereSeparator: \.isNewline).map(String.init).filter { !$0.trimmed.isEmpty }
            .prefix(WorkedSolution.maximumSteps).map { StepText($0) }
        asked = Set(question.numbers)
        answer = AnswerExtraction.extract(reference).flatMap { StepText($0).numbers.last } ?? lines.last?.numbers.last
        let calculations = ([question] + lines).flatMap(\.calculations)
        var values: [Rational] = []
        var signs: [Set<Rational>: Set<Character>] = [:]
        for calculation in calculations {
            for operation in calculation.operations {
                values.append(operation.result)
                signs[[operation.left, operation.right], default: []].insert(operation.sign)
            }
            if let claim = calculation.claim { values.append(claim) }
        }
        if let answer { values.append(answer) }
        var results: [Rational] = []
        var seen: Set<Rational> = []
        for value in values where seen.insert(value).inserted { results.append(value) }
        self.results = results
        self.signs = signs
        known = lines.reduce(into: asked.union(results)) { $0.formUnion($1.numbers) }
        ratedUnits = lines.reduce(into: WordStems.ratedUnits(question.tokens)) {
            $0.formUnion(WordStems.ratedUnits($1.tokens))
        }
        self.lines = lines.filter { !$0.words.isEmpty || !$0.calculations.isEmpty }
        hasPercent = lines.contains(where: \.hasPercent)
        graphs = QuestionNumbers.Reading.allCases.map { ReferenceGraph(question: question, lines: lines, $0) }
    }
}
