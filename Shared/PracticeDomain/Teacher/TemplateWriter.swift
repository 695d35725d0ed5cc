import Reasoning

/// Turns the lines of a solution into a thought template.
enum TemplateWriter {
    static func template(lines: [String], answer: String) -> ThoughtTemplate {
        var steps = lines.map { TemplateStep(text: $0, keyNotes: note($0).map { [$0] } ?? []) }
        if steps.isEmpty { steps = [TemplateStep(text: "The result is \(answer).")] }
        if steps.allSatisfy({ $0.keyNotes.isEmpty }) {
            steps[steps.count - 1].keyNotes = ["Check what is asked."]
        }
        return ThoughtTemplate(steps: steps, generalization: generalization(lines), answer: answer)
    }

    /// Notes for the steps that are easy to get wrong; additions and plain products have none.
    static func note(_ line: String) -> String? {
        let expressions = WorkedSolution.calculations(in: line).map(\.expression)
        let signs = Set(expressions.joined())
        if line.contains("%") { return "A percentage is taken of its own whole." }
        if signs.contains("/") || signs.contains("\u{F7}") { return "Divide into equal parts." }
        if signs.contains("-") { return "Take away from the larger one." }
        if expressions.contains(where: { $0.contains("(") || $0.contains("+") && $0.contains("*") }) {
            return "Mind the order of the operations."
        }
        return nil
    }

    private static func generalization(_ lines: [String]) -> String {
        let signs = Set(lines.flatMap { WorkedSolution.calculations(in: $0) }.map(\.expression).joined())
        if signs.contains("/") { return "Undo each relation in turn." }
        if signs.contains("-") { return "Take away what does not count." }
        return "Work out each unknown in turn."
    }
}

/// Finds and mends the first wrong step of an attempt.
enum Corrector {
    static func trace(question: String, reference: String, attempt: [String]) -> CorrectionTrace {
        let solution = WorkedSolution.parse(reference)
        let answer = solution.answer ?? ""
        let steps = attempt.isEmpty ? [""] : attempt
        guard let index = FirstWrongStep.locate(attempt: steps, reference: reference, question: question),
            steps.indices.contains(index)
        else {
            return CorrectionTrace(steps: steps, firstWrongStep: nil, cause: nil, correction: nil, answer: answer)
        }
        let right = counterpart(of: index, steps, solution)
        return CorrectionTrace(
            steps: steps,
            firstWrongStep: index,
            cause: cause(steps[index], right),
            correction: right,
            answer: answer
        )
    }

    /// The first step of the solution whose result the attempt does not have before this step.
    private static func counterpart(of index: Int, _ steps: [String], _ solution: WorkedSolution) -> String {
        let before = Set(
            steps[..<index].flatMap { WorkedSolution.calculations(in: $0) }.compactMap { Arithmetic.evaluate($0.value) }
        )
        let open = solution.steps.first { step in
            let values = step.calculations.compactMap { Arithmetic.evaluate($0.value) }
            return !values.isEmpty && !values.allSatisfy(before.contains)
        }
        return (open ?? solution.steps.last)?.text ?? "The answer is \(solution.answer ?? "")."
    }

    private static func cause(_ wrong: String, _ right: String) -> String {
        let wrongOnes = WorkedSolution.calculations(in: wrong)
        if let bad = wrongOnes.first(where: { $0.isCorrect == false }) {
            let value = Arithmetic.evaluate(bad.expression)?.rounded ?? "another number"
            return "The calculation is wrong: \(bad.expression.trimmed) is \(value), not \(bad.value)."
        }
        guard let mine = wrongOnes.last, let theirs = WorkedSolution.calculations(in: right).last else {
            return "The step does not follow from the problem."
        }
        let numbers = Set(AnswerExtraction.numbers(in: mine.expression))
        let needed = Set(AnswerExtraction.numbers(in: theirs.expression))
        if numbers == needed { return "The wrong operation is used." }
        if !numbers.isDisjoint(with: needed) { return "A wrong quantity is used." }
        return "The step works out something that is not needed here."
    }
}

/// Judges templates and corrections.
enum Inspector {
    static func template(_ request: RequestText) -> InspectorVerdict {
        let gold = WorkedSolution.parse(request.reference).answer ?? ""
        do {
            let template = try ThoughtTemplate.parse(request.candidate)
            guard let failure = template.failure(gold: gold) else { return InspectorVerdict(isOK: true) }
            let part =
                switch failure.kind {
                case .wrongAnswer: "Answer"
                case .noGeneralization: "Generalized"
                case .arithmetic: "Step" + failure.message.dropFirst("step ".count).prefix { $0.isNumber }
                default: "Key"
                }
            return InspectorVerdict(isOK: false, part: part, reason: failure.message)
        } catch {
            return InspectorVerdict(isOK: false, part: "Step1", reason: "\(error)")
        }
    }

    static func correction(_ request: RequestText) -> InspectorVerdict {
        let gold = WorkedSolution.parse(request.reference).answer ?? ""
        do {
            let trace = try CorrectionTrace.parse(request.candidate)
            if let failure = trace.failure(gold: gold, attempt: trace.steps) {
                return InspectorVerdict(
                    isOK: false,
                    part: failure.kind == .wrongAnswer ? "Answer" : "Correction",
                    reason: failure.message
                )
            }
            let expected = FirstWrongStep.locate(
                attempt: trace.steps,
                reference: request.reference,
                question: request.problem
            )
            guard let named = trace.firstWrongStep, expected == nil || expected == named else {
                return InspectorVerdict(
                    isOK: false,
                    part: "Step\((trace.firstWrongStep ?? 0) + 1)",
                    reason: "the first wrong step is another one"
                )
            }
            return InspectorVerdict(isOK: true)
        } catch {
            return InspectorVerdict(isOK: false, part: "Step1", reason: "\(error)")
        }
    }
}
