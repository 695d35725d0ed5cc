import Reasoning

/// Looks for a chain of calculations on a question's numbers that arrives at a known result.
enum NumberSearch {
    private struct State {
        var values: [Rational]
        var steps: [String]
    }

    private static let words: [(String, Int)] = [
        ("half", 2), ("twice", 2), ("double", 2), ("two", 2), ("three", 3), ("third", 3), ("triple", 3), ("four", 4),
        ("quarter", 4), ("five", 5), ("six", 6), ("seven", 7), ("week", 7), ("eight", 8), ("nine", 9), ("ten", 10),
        ("dozen", 12), ("year", 12), ("percent", 100), ("%", 100), ("hour", 60),
    ]

    /// Lines with one calculation each, the last of which gives the result; nil where none is found within bounds.
    static func chain(question: String, result: Rational) -> [String]? {
        var values = Array(AnswerExtraction.numbers(in: question).compactMap { Rational(decimal: $0) }.prefix(7))
        let lower = question.lowercased()
        for (word, number) in words where lower.contains(word) && values.count < 9 && !values.contains(Rational(number))
        {
            values.append(Rational(number))
        }
        guard !values.isEmpty else { return nil }
        var queue = [State(values: values, steps: [])]
        var visited = 0
        while !queue.isEmpty, visited < 60_000 {
            var next: [State] = []
            for state in queue {
                for (i, a) in state.values.enumerated() {
                    for (j, b) in state.values.enumerated() where i != j {
                        for sign in ["+", "-", "*", "/"] {
                            if i > j, sign == "+" || sign == "*" { continue }
                            visited += 1
                            guard let value = apply(a, sign, b), value > Rational(0), value.denominator <= 100 else {
                                continue
                            }
                            let steps = state.steps + ["\(a) \(sign) \(b) = \(value)."]
                            if value == result { return steps }
                            guard steps.count < 4, visited < 60_000, next.count < 20_000 else { continue }
                            var rest = state.values
                            rest.remove(at: max(i, j))
                            rest.remove(at: min(i, j))
                            next.append(State(values: [value] + rest, steps: steps))
                        }
                    }
                }
            }
            queue = next
        }
        return nil
    }

    static func apply(_ a: Rational, _ sign: String, _ b: Rational) -> Rational? {
        switch sign {
        case "+": a.adding(b)
        case "-": a.subtracting(b)
        case "*": a.multiplied(by: b)
        default: a.divided(by: b)
        }
    }
}
