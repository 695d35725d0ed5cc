import Reasoning

/// Tells what kind of mistake makes a chain wrong, by comparing it with a right one step by step.
enum MistakeClassifier {
    struct Finding {
        var pattern: MistakePattern
        var rationale: String

        /// The answer to the prompt `classify-mistake`.
        var xml: String { "<Rationale>\(rationale)</Rationale>\n<Category>\(pattern.name)</Category>" }
    }

    /// Compares two chains of a problem.
    ///
    /// A stated value that does not follow from its expression is a slip of calculation. Another operation is one of
    /// knowledge where the right step uses a law of the story's world, which the problem leaves unsaid, and one of
    /// logic elsewhere; so is another quantity, unless an earlier slip changed it.
    static func classify(question: String, right: String, wrong: String) -> Finding {
        let right = WorkedSolution.parse(right).steps
        let wrong = WorkedSolution.parse(wrong).steps
        let laws = LawLines.indices(question: question, lines: right.map(\.text))
        var kinds: Set<MistakePattern.Kind> = []
        var notes: [String] = []
        func note(_ kind: MistakePattern.Kind, _ step: Int, _ text: String) {
            kinds.insert(kind)
            notes.append("Step \(step + 1) \(text).")
        }
        // Right values and what earlier slips made of them.
        var changed: [Rational: Rational] = [:]
        /// Whether a number stands as it did or as an earlier slip makes it; a sign before it is not part of it.
        func isCarried(_ number: Rational, as other: Rational) -> Bool {
            guard number != other else { return true }
            guard let new = changed[number] else { return false }
            return new == other || new.adding(other) == Rational(0)
        }
        for (index, (rightStep, wrongStep)) in zip(right, wrong).enumerated() {
            let pairs = zip(rightStep.calculations, wrongStep.calculations)
            if rightStep.calculations.count != wrongStep.calculations.count {
                note(.logical, index, "does something else")
            }
            for (expected, found) in pairs {
                let mine = Expression(expected.expression)
                let theirs = Expression(found.expression)
                if found.isCorrect == false { note(.calculation, index, "states a wrong result") }
                if mine.signs != theirs.signs {
                    if laws.contains(index) {
                        note(.knowledge, index, "uses a rule that everybody knows in a wrong way")
                    } else {
                        note(.logical, index, "uses a wrong operation")
                    }
                } else if mine.numbers.count != theirs.numbers.count
                    || zip(mine.numbers, theirs.numbers).contains(where: { !isCarried($0, as: $1) })
                {
                    note(.logical, index, "takes a wrong quantity")
                }
                if let value = Arithmetic.evaluate(expected.value) {
                    let other = Arithmetic.evaluate(found.value)
                    changed[value] = other == value ? nil : other
                }
            }
        }
        if kinds.isEmpty, right.count != wrong.count {
            note(.logical, min(right.count, wrong.count), right.count > wrong.count ? "is missing" : "is one too many")
        }
        let rationale = notes.isEmpty ? "The steps show no mistake of their own." : notes.joined(separator: " ")
        return Finding(pattern: MistakePattern(kinds), rationale: rationale)
    }
}

/// Finds the steps that use what a story leaves unsaid: total = rate × count and the like.
enum LawLines {
    /// The lines that hold a calculation by a law of the story's world; none where the question is no such story.
    static func indices(question: String, lines: [String]) -> Set<Int> {
        guard let reading = StoryReader.read(question) else { return [] }
        let laws = reading.solution.steps.filter(\.isByLaw)
        guard !laws.isEmpty else { return [] }
        var found: Set<Int> = []
        for (index, line) in lines.enumerated() {
            for calculation in WorkedSolution.calculations(in: line) {
                let expression = Expression(calculation.expression)
                let isLaw = laws.contains { law in
                    expression.numbers == [Rational(law.left), Rational(law.right)]
                        && expression.signs == [law.operation]
                }
                if isLaw { found.insert(index) }
            }
        }
        return found
    }
}

/// The operations and numbers of an expression, in order.
private struct Expression {
    var signs: [Character]
    var numbers: [Rational]

    init(_ text: String) {
        let scalars = Array(text.unicodeScalars)
        numbers = ChainRewriter.numberRanges(scalars).compactMap {
            Rational(decimal: ChainRewriter.text(scalars[$0]))
        }
        signs = scalars.indices.compactMap { index in
            // The sign of a negative number, as in "2+-1", is no operation.
            guard ChainRewriter.isOperator(scalars, at: index),
                scalars[..<index].last(where: { $0 != " " }).map({ !"+-*/".unicodeScalars.contains($0) }) ?? false
            else { return nil }
            switch scalars[index] {
            case "+": return "+"
            case "-", "\u{2212}": return "-"
            case "/", "\u{F7}": return "/"
            default: return "*"
            }
        }
    }
}
