/// Reads what an answer is from its tokens.
///
/// The text is cut at commas, semicolons, `and` and `or` outside of brackets; each part is a relation, a set or an
/// expression with its unit. Nil means that the answer is to be compared as a text.
struct AnswerParser {
    /// The most members of a list, and rows of a matrix.
    static let maximumMembers = 64
    static let maximumDepth = 12

    let tokens: [MathToken]
    /// Whether unescaped braces are a set's, as in plain text, and not only LaTeX's groups.
    var bracesAreSets = false

    /// The form of an answer; nil where it is no mathematics.
    static func parse(_ tokens: [MathToken], bracesAreSets: Bool = false) -> AnswerForm? {
        guard !tokens.isEmpty else { return nil }
        let tokens = ReversedBrackets.turned(tokens)
        return AnswerParser(tokens: tokens, bracesAreSets: bracesAreSets).answer(tokens.indices, depth: 0)
    }

    enum Separator { case comma, semicolon, and, or }

    // MARK: Lists

    /// A list or a single answer.
    func answer(_ range: Range<Int>, depth: Int) -> AnswerForm? {
        guard depth <= Self.maximumDepth, !range.isEmpty else { return nil }
        guard !isWords(range) else { return nil }
        let range = withoutLeadingWords(range)
        if let system = environment(range, depth: depth) { return system }
        let (parts, separators) = split(range)
        guard parts.count <= Self.maximumMembers else { return nil }
        guard parts.count > 1 else { return parts.first.flatMap { single($0, depth: depth) } }
        if separators.contains(.semicolon), separators.contains(.comma) { return groups(range, depth: depth) }
        return list(parts, separators, depth: depth)
    }

    /// What `align` and its kin arrange, and systems in `cases`; nil where it is a matrix, or no environment.
    private func environment(_ range: Range<Int>, depth: Int) -> AnswerForm? {
        var range = range
        if tokens[range.lowerBound].kind == .open(.brace), range.count > 3,
            case .begin = tokens[range.lowerBound + 1].kind
        {
            // `\left\{ … \right.`
            range = range.lowerBound + 1..<range.upperBound
        }
        guard range.count > 2, case .begin(let name) = tokens[range.lowerBound].kind,
            case .end(name) = tokens[range.upperBound - 1].kind, !MatrixEnvironments.matrices.contains(name),
            name != MatrixEnvironments.determinant
        else { return nil }
        var start = range.lowerBound + 1
        if MatrixEnvironments.arrays.contains(name), tokens[start].kind == .open(.group),
            let close = tokens[start..<range.upperBound].firstIndex(where: { $0.kind == .close(.group) })
        {
            start = close + 1
        }
        let inner = tokens[start..<range.upperBound - 1]
        // A table of numbers is a matrix.
        if MatrixEnvironments.arrays.contains(name) {
            guard inner.contains(where: { if case .relation = $0.kind { true } else { false } }) else { return nil }
        }
        let arranged = inner.filter { $0.kind != .ampersand }
        return AnswerParser(tokens: arranged).answer(arranged.indices, depth: depth + 1)
    }

    /// Whether there are only letters, and words among them: `red kite` is no product of eight variables.
    private func isWords(_ range: Range<Int>) -> Bool {
        var hasWord = false
        for token in tokens[range] {
            switch token.kind {
            case .letters(let run), .word(let run):
                if run.unicodeScalars.count > 1, !run.allSatisfy(\.isUppercase),
                    run.contains(where: { "aeiouAEIOU".contains($0) })
                {
                    hasWord = true
                }
            case .period, .comma, .minus, .prime, .bang, .colon, .semicolon, .conjunction, .constant, .open, .close,
                .symbol:
                break
            default: return false
            }
        }
        return hasWord
    }

    /// The parts between separators outside of brackets, empty ones left out.
    func split(_ range: Range<Int>, bySemicolonsOnly: Bool = false) -> (parts: [Range<Int>], separators: [Separator]) {
        var parts: [Range<Int>] = []
        var separators: [Separator] = []
        var level = 0
        var start = range.lowerBound
        var pending: Separator?
        func close(at index: Int, next: Separator?) {
            if index > start {
                if !parts.isEmpty { separators.append(pending ?? .comma) }
                parts.append(start..<index)
                pending = next
            } else if next == .or || next == .and {
                // `1, 2, or 3`.
                pending = next
            }
            start = index + 1
        }
        for index in range {
            switch tokens[index].kind {
            case .open, .begin: level += 1
            case .close, .end: level -= 1
            case .comma where level == 0 && !bySemicolonsOnly: close(at: index, next: .comma)
            case .semicolon where level == 0: close(at: index, next: .semicolon)
            case .rowBreak where level == 0 && !bySemicolonsOnly: close(at: index, next: .comma)
            case .conjunction(let isOr) where level == 0 && !bySemicolonsOnly: close(at: index, next: isOr ? .or : .and)
            default: break
            }
        }
        close(at: range.upperBound, next: nil)
        return (parts, separators)
    }

    /// `p=5, q=2; p=7, q=2`: a list of tuples.
    private func groups(_ range: Range<Int>, depth: Int) -> AnswerForm? {
        var members: [AnswerForm] = []
        for part in split(range, bySemicolonsOnly: true).parts {
            guard let member = answer(part, depth: depth + 1) else { return nil }
            members.append(member)
        }
        return .sequence(SequenceAnswer(open: .none, close: .none, members: members, isUnordered: true))
    }

    private func list(_ parts: [Range<Int>], _ separators: [Separator], depth: Int) -> AnswerForm? {
        var members: [AnswerForm] = []
        var expanded = false
        for part in parts {
            guard let member = single(part, depth: depth) else { return nil }
            if case .sequence(let inner) = member, inner.open == .none, inner.isUnordered {
                // `1, \pm 2`.
                members += inner.members
                expanded = true
            } else {
                members.append(member)
            }
        }
        if let set = Self.combined(members, separators) { return .realSet(set) }
        return Self.list(members, isUnordered: expanded || separators.contains(.or))
    }

    /// A list; of one variable's values, the values.
    static func list(_ members: [AnswerForm], isUnordered: Bool) -> AnswerForm {
        var names: [String] = []
        var values: [AnswerForm] = []
        for member in members {
            if case .assignment(let name, let value) = member {
                names.append(name)
                values.append(value)
            } else {
                values.append(member)
            }
        }
        // `x = 1, x = 2`, and `x = 1, 2`.
        let first: String? = if case .assignment(let name, _)? = members.first { name } else { nil }
        if let first, names.allSatisfy({ $0 == first }), names.count == members.count || names.count == 1 {
            return .assignment(
                first,
                .sequence(SequenceAnswer(open: .none, close: .none, members: values, isUnordered: true))
            )
        }
        return .sequence(SequenceAnswer(open: .none, close: .none, members: members, isUnordered: isUnordered))
    }

    /// `x < 1 or x > 3`, `x > 1 and x < 3`.
    private static func combined(_ members: [AnswerForm], _ separators: [Separator]) -> RealSet? {
        var sets: [RealSet] = []
        for member in members {
            guard case .realSet(let set) = member, set.variable != nil,
                set.variable == sets.first?.variable ?? set.variable
            else { return nil }
            sets.append(set)
        }
        guard var result = sets.first else { return nil }
        let rest = sets.dropFirst()
        func fold(_ operation: (RealSet, RealSet) -> RealSet?) -> RealSet? {
            for set in rest {
                guard let next = operation(result, set) else { return nil }
                result = next
            }
            return result
        }
        if separators.contains(.or) { return fold { $0.union($1) } }
        let start = result
        guard let common = fold({ $0.intersection($1) }) else { return nil }
        if separators.contains(.and) || !common.pieces.isEmpty { return common }
        result = start
        return fold { $0.union($1) }
    }

    // MARK: Single answers

    /// A relation, a set, or a number with its unit; two of them where there is a `\pm`.
    func single(_ range: Range<Int>, depth: Int) -> AnswerForm? {
        let range = withoutLeadingWords(range)
        guard depth <= Self.maximumDepth, !range.isEmpty else { return nil }
        guard hasTwoSigns(range) else { return relation(range, isMinus: false, depth: depth) }
        guard let upper = relation(range, isMinus: false, depth: depth),
            let lower = relation(range, isMinus: true, depth: depth)
        else { return nil }
        return Self.list([upper, lower], isUnordered: true)
    }

    /// Whether there is a `\pm` that does not stand in a set, whose members have their signs each.
    private func hasTwoSigns(_ range: Range<Int>) -> Bool {
        var sets = 0
        for index in range {
            switch tokens[index].kind {
            case .open(.brace): sets += 1
            case .close(.brace): sets -= 1
            case .plusMinus where sets <= 0, .minusPlus where sets <= 0: return true
            default: break
            }
        }
        return false
    }

    /// Without `about`, `USD`, `Answer:` and other words that stand before a number.
    private func withoutLeadingWords(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        while start < range.upperBound {
            switch tokens[start].kind {
            case .letters(let word), .word(let word):
                guard LeadingWords.all.contains(word.lowercased()), start + 1 < range.upperBound else {
                    return start..<range.upperBound
                }
                start += 1
                while start < range.upperBound, tokens[start].kind == .colon || tokens[start].kind == .period {
                    start += 1
                }
            case .conjunction where start + 1 < range.upperBound: start += 1
            case .relation(.approximately) where start + 1 < range.upperBound: start += 1
            default: return start..<range.upperBound
            }
        }
        return range
    }

    func relation(_ range: Range<Int>, isMinus: Bool, depth: Int) -> AnswerForm? {
        var sides: [Range<Int>] = []
        var signs: [RelationSign] = []
        var level = 0
        var start = range.lowerBound
        var hasElement = false
        for index in range {
            switch tokens[index].kind {
            case .open, .begin: level += 1
            case .close, .end: level -= 1
            case .relation(let sign) where level == 0:
                sides.append(start..<index)
                signs.append(sign)
                start = index + 1
            case .element where level == 0:
                // `x ∈ S` is S.
                hasElement = true
                sides = []
                signs = []
                start = index + 1
            default: break
            }
        }
        sides.append(start..<range.upperBound)
        if signs.isEmpty { return set(sides[0], isMinus: isMinus, depth: depth) }
        guard !hasElement else { return nil }
        return RelationReader(parser: self, isMinus: isMinus, depth: depth).read(sides, signs)
    }

    /// An expression that ends where the range ends, its unit apart.
    func scalar(_ range: Range<Int>, isMinus: Bool) -> AnswerForm? {
        var start = range.lowerBound
        var unit = AnswerUnit()
        while start < range.upperBound, case .currency(let name) = tokens[start].kind {
            unit.add(name)
            start += 1
            // `Rs. 500`
            if start + 1 < range.upperBound, tokens[start].kind == .period { start += 1 }
        }
        // `-$5`.
        var isNegative = false
        if start + 1 < range.upperBound, tokens[start].kind == .minus, case .currency(let name) = tokens[start + 1].kind
        {
            unit.add(name)
            isNegative = true
            start += 2
        }
        if let ratio = ratio(start..<range.upperBound, isMinus: isMinus) { return ratio }
        let thousands = unit.isEmpty ? nil : thousands(start..<range.upperBound)
        let end = thousands == nil ? range.upperBound : range.upperBound - 1
        var parser = ExpressionParser(tokens, range: start..<end, plusMinusIsMinus: isMinus)
        guard let expression = parser.sum() else { return nil }
        guard let suffix = parser.unit(), parser.isAtEnd else { return nil }
        for (name, power) in suffix.unit.powers {
            // `$5 USD`
            if AnswerUnit.isDollar(name) { unit.powers["dollar"] = nil }
            unit.powers[name] = power
        }
        unit.words.formUnion(suffix.unit.words)
        unit.directions.formUnion(suffix.unit.directions)
        guard let multiplier = suffix.multiplier.multiplied(by: thousands ?? .one) else { return nil }
        let value = multiplier == .one ? expression : .product([expression, .number(multiplier)])
        return .scalar(
            ScalarAnswer(
                expression: isNegative ? ExpressionParser.negated(value) : value,
                isPercent: suffix.isPercent,
                unit: unit
            )
        )
    }

    /// What the letter behind money's number multiplies it by: of `$12k` a thousand.
    private func thousands(_ range: Range<Int>) -> ExactNumber? {
        guard range.count == 2, case .number = tokens[range.lowerBound].kind, !tokens[range.lowerBound + 1].hasSpace,
            case .letters(let letter) = tokens[range.lowerBound + 1].kind
        else { return nil }
        switch letter {
        case "k", "K": return ExactNumber(1_000)
        case "m", "M", "mn": return ExactNumber(1_000_000)
        case "b", "B", "bn": return ExactNumber(1_000_000_000)
        default: return nil
        }
    }

    /// `7:32`, `1:2:3`, and times such as `3:30 pm`.
    private func ratio(_ range: Range<Int>, isMinus: Bool) -> AnswerForm? {
        guard tokens[range].contains(where: { $0.kind == .colon }) else { return nil }
        if let time = ClockTime.read(tokens[range]) { return .time(time) }
        var parts: [Expression] = []
        var parser = ExpressionParser(tokens, range: range, plusMinusIsMinus: isMinus)
        repeat {
            guard let part = parser.sum() else { return nil }
            parts.append(part)
        } while parser.accept(.colon)
        return parser.isAtEnd && parts.count > 1 ? .ratio(parts) : nil
    }
}

/// Words that say nothing of the value that follows them.
enum LeadingWords {
    static let all: Set<String> = [
        "about", "approximately", "approx", "around", "exactly", "usd", "us", "rs", "answer", "the", "is", "are",
        "final",
        "option", "only", "roughly", "nearly", "total", "equals", "so", "therefore", "thus", "hence", "either", "both",
        "solution", "solutions", "result", "correct",
    ]
}

/// Times of the day.
enum ClockTime {
    /// `3:30`, `03:30:15 PM`; nil where it could not be a time.
    static func read(_ tokens: ArraySlice<MathToken>) -> String? {
        var parts: [Int] = []
        var suffix = ""
        var expectsNumber = true
        for token in tokens {
            switch token.kind {
            case .number(let text) where expectsNumber && suffix.isEmpty:
                guard text.places == nil, let value = Int(text.digits), text.digits.utf8.count <= 2,
                    parts.isEmpty ? value <= 24 : value < 60 && text.digits.utf8.count == 2
                else { return nil }
                parts.append(value)
                expectsNumber = false
            case .colon where !expectsNumber && suffix.isEmpty: expectsNumber = true
            case .letters(let word), .word(let word):
                guard ["a", "p", "m", "am", "pm", "A", "P", "M", "AM", "PM"].contains(word), !expectsNumber else {
                    return nil
                }
                suffix += word.lowercased()
            case .period: break
            default: return nil
            }
        }
        guard !expectsNumber, (2...3).contains(parts.count), ["", "am", "pm"].contains(suffix) else { return nil }
        return parts.map(String.init).joined(separator: ":") + suffix
    }
}
