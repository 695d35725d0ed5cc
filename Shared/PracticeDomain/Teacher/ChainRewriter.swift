import Reasoning

/// Lets one slip happen in a chain of thought and carries its consequences through.
struct ChainRewriter {
    /// A slip and the chain that comes of it.
    struct Corruption {
        var lines: [String]
        /// The line of the first slip.
        var step: Int
        var answer: String
        /// The kind of the slip, nil where only the result was misstated.
        var kind: MistakePattern.Kind?
    }

    private enum Slip {
        case operation
        case quantity
        case calculation
    }

    private let lines: [[Unicode.Scalar]]
    private let answer: Rational
    private let lawLines: Set<Int>

    /// Takes a chain, its answer, and the lines that use a law of the story's world.
    ///
    /// Nil where the answer is no number.
    init?(lines: [String], answer: String, lawLines: Set<Int> = []) {
        guard let value = Rational(decimal: answer.trimmed) ?? Arithmetic.evaluate(answer) else { return nil }
        self.lines = lines.map { Array(WorkedSolution.withoutMarks($0).unicodeScalars) }
        self.answer = value
        self.lawLines = lawLines
    }

    /// A wrong chain with another final answer; nil where no slip gives one.
    func corrupt(mix: SlipMix = SlipMix(), random: inout ReasoningRandom) -> Corruption? {
        let kinds = mix.order(&random)
        // Plausible results first (positive, whole where the right ones are), then anything that differs.
        guard
            let first = slip(of: kinds, strict: true, &random) ?? slip(of: kinds, strict: false, &random)
        else { return misstated(random: &random) }
        guard random.chance(mix.second),
            let again = ChainRewriter(lines: first.lines, answer: first.answer, lawLines: lawLines),
            var second = again.slip(of: kinds.filter { $0 != first.kind }, after: first.step, strict: true, &random),
            Rational(decimal: second.answer) != answer
        else { return first }
        second.step = first.step
        return second
    }

    /// A slip of the first of the kinds that has a place for one behind a line.
    private func slip(
        of kinds: [MistakePattern.Kind],
        after line: Int = -1,
        strict: Bool,
        _ random: inout ReasoningRandom
    ) -> Corruption? {
        for kind in kinds {
            var places = places(of: kind).filter { $0.line > line }
            random.shuffle(&places)
            for place in places.prefix(40) {
                if var corruption = attempt(place.line, place.calculation, place.slip, strict, &random) {
                    corruption.kind = kind
                    return corruption
                }
            }
        }
        return nil
    }

    private func places(of kind: MistakePattern.Kind) -> [(line: Int, calculation: Int, slip: Slip)] {
        var places: [(line: Int, calculation: Int, slip: Slip)] = []
        for (index, line) in lines.enumerated() {
            for calculation in CalculationScanner.scan(line).indices {
                switch kind {
                case .calculation: places.append((index, calculation, .calculation))
                case .knowledge: if lawLines.contains(index) { places.append((index, calculation, .operation)) }
                case .logical:
                    places.append((index, calculation, .quantity))
                    if !lawLines.contains(index) { places.append((index, calculation, .operation)) }
                }
            }
        }
        return places
    }

    /// The last resort, for chains without a calculation that can be read: the result itself is misstated.
    private func misstated(random: inout ReasoningRandom) -> Corruption? {
        let reach = answer > Rational(20) && random.chance(0.5) ? 10 : 1
        guard let wrong = answer.adding(Rational(reach)) else { return nil }
        for index in lines.indices.reversed() {
            let numbers = ChainRewriter.numberRanges(lines[index])
            guard
                let range = numbers.last(where: {
                    Rational(decimal: ChainRewriter.text(lines[index][$0])) == answer
                })
            else { continue }
            var result = lines
            result[index].replaceSubrange(range, with: Array(wrong.rounded.unicodeScalars))
            return Corruption(
                lines: result.map { String(String.UnicodeScalarView($0)) },
                step: index,
                answer: wrong.rounded
            )
        }
        return nil
    }

    private func attempt(
        _ line: Int,
        _ calculation: Int,
        _ slip: Slip,
        _ strict: Bool,
        _ random: inout ReasoningRandom
    ) -> Corruption? {
        var changed: [Rational: Rational] = [:]
        var result: [String] = []
        for (index, scalars) in lines.enumerated() {
            var scalars = scalars
            if index == line {
                guard let slipped = self.slip(scalars, calculation, slip, strict, &changed, &random) else { return nil }
                scalars = slipped
            } else if index > line, !changed.isEmpty {
                guard let carried = ChainRewriter.carry(scalars, from: 0, strict, &changed) else { return nil }
                scalars = carried
            }
            result.append(String(String.UnicodeScalarView(scalars)))
        }
        guard let wrong = changed[answer], wrong != answer else { return nil }
        return Corruption(lines: result, step: line, answer: wrong.rounded)
    }

    private func slip(
        _ line: [Unicode.Scalar],
        _ index: Int,
        _ slip: Slip,
        _ strict: Bool,
        _ changed: inout [Rational: Rational],
        _ random: inout ReasoningRandom
    ) -> [Unicode.Scalar]? {
        let found = CalculationScanner.scan(line)
        guard found.indices.contains(index) else { return nil }
        let calculation = found[index]
        var expression = Array(line[calculation.expressionRange])
        guard let old = Rational(decimal: calculation.calculation.value) else { return nil }
        var new: Rational?
        switch slip {
        case .operation:
            let places = expression.indices.dropFirst().filter { ChainRewriter.isOperator(expression, at: $0) }
            guard let place = random.pick(places) else { return nil }
            var others = ChainRewriter.others(expression[place])
            random.shuffle(&others)
            for other in others {
                expression[place] = other
                new = ChainRewriter.evaluate(expression)
                if let new, new != old, ChainRewriter.plausible(new, for: old, strict) { break }
            }
        case .quantity:
            let numbers = ChainRewriter.numberRanges(expression)
            guard let range = random.pick(numbers),
                let value = Rational(decimal: ChainRewriter.text(expression[range])),
                value.isWhole,
                let other = Rational(value.numerator + (random.chance(0.5) ? 1 : -1) * step(value), over: 1)
            else { return nil }
            expression.replaceSubrange(range, with: Array(other.description.unicodeScalars))
            new = ChainRewriter.evaluate(expression)
        case .calculation:
            new = old.adding(
                Rational((random.chance(0.5) ? 1 : -1) * (random.chance(0.5) && abs(old.numerator) > 20 ? 10 : 1))
            )
        }
        guard let new, new != old, ChainRewriter.plausible(new, for: old, strict) else { return nil }
        changed[old] = new
        var result = Array(line[..<calculation.expressionRange.lowerBound]) + expression
        result += line[calculation.expressionRange.upperBound..<calculation.valueRange.lowerBound]
        result += Array(new.rounded.unicodeScalars)
        let rest = Array(line[calculation.valueRange.upperBound...])
        let start = result.count
        guard let carried = ChainRewriter.carry(result + rest, from: start, strict, &changed) else { return nil }
        return carried
    }

    private func step(_ value: Rational) -> Int { value > Rational(20) ? 10 : 1 }

    private static func plausible(_ new: Rational, for old: Rational, _ strict: Bool) -> Bool {
        guard new.doubleValue.magnitude < 1e12 else { return false }
        guard strict else { return true }
        return new > Rational(0) && (new.isWhole || !old.isWhole)
    }

    /// Replaces changed numbers from a place on and works out the calculations that they enter.
    private static func carry(
        _ line: [Unicode.Scalar],
        from start: Int,
        _ strict: Bool,
        _ changed: inout [Rational: Rational]
    ) -> [Unicode.Scalar]? {
        var line = line
        var place = start
        for _ in 0..<400 {
            let numbers = numberRanges(line)
            guard let range = numbers.first(where: { $0.lowerBound >= place }) else { return line }
            let value = Rational(decimal: text(line[range]))
            // Is it the value of a calculation? Then it follows from the expression before it.
            let calculation = scanBefore(line, valueStart: range.lowerBound)
            if let value, let calculation {
                guard let new = evaluate(Array(line[calculation])) else { return nil }
                if new != value, changed[value] != new,
                    !Calculation(expression: text(line[calculation]), value: text(line[range])).isRight
                {
                    guard plausible(new, for: value, strict) else { return nil }
                    changed[value] = new
                    line.replaceSubrange(range, with: Array(new.rounded.unicodeScalars))
                    place = range.lowerBound + new.rounded.unicodeScalars.count
                    continue
                }
                // A value that follows from what stands before it is no consequence of a slip, though it may be the
                // same number as one that is; from here on the number means this one.
                if new == value {
                    changed[value] = nil
                    place = range.upperBound
                    continue
                }
            }
            if let value, let new = changed[value] {
                line.replaceSubrange(range, with: Array(new.rounded.unicodeScalars))
                place = range.lowerBound + new.rounded.unicodeScalars.count
            } else {
                place = range.upperBound
            }
        }
        return nil
    }

    /// The expression whose value starts here.
    private static func scanBefore(_ line: [Unicode.Scalar], valueStart: Int) -> Range<Int>? {
        var sign = valueStart - 1
        while sign >= 0, line[sign] == " " || line[sign] == "$" || line[sign] == "-" { sign -= 1 }
        guard sign >= 0, line[sign] == "=" else { return nil }
        return CalculationScanner.scan(line).first { $0.valueRange.contains(valueStart) }?.expressionRange
    }

    static func evaluate(_ expression: [Unicode.Scalar]) -> Rational? { Arithmetic.evaluate(text(expression[...])) }

    static func text(_ slice: ArraySlice<Unicode.Scalar>) -> String { String(String.UnicodeScalarView(slice)) }

    static func isOperator(_ expression: [Unicode.Scalar], at index: Int) -> Bool {
        "+-*/x\u{D7}\u{F7}\u{2212}".unicodeScalars.contains(expression[index])
            && expression[..<index].contains { $0.properties.numericType != nil }
    }

    /// The operations that are taken in place of another.
    private static func others(_ sign: Unicode.Scalar) -> [Unicode.Scalar] {
        switch sign {
        case "+": ["-"]
        case "-", "\u{2212}": ["+"]
        case "/", "\u{F7}": ["*", "-"]
        default: ["/", "+"]
        }
    }

    static func numberRanges(_ line: [Unicode.Scalar]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var index = 0
        while index < line.count {
            guard isDigit(line[index]) || (line[index] == "." && index + 1 < line.count && isDigit(line[index + 1]))
            else {
                index += 1
                continue
            }
            let start = index
            while index < line.count {
                if isDigit(line[index]) {
                    index += 1
                } else if line[index] == "." || line[index] == ",", index + 1 < line.count, isDigit(line[index + 1]) {
                    index += 2
                } else {
                    break
                }
            }
            ranges.append(start..<index)
        }
        return ranges
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
}

extension Calculation {
    fileprivate var isRight: Bool { isCorrect == true }
}
