extension ExpressionParser {
    mutating func letters(_ run: String) -> Expression? {
        let isName = run.unicodeScalars.count == 1
        if isName { return symbol(run) }
        if run.allSatisfy({ $0.isUppercase }) { return symbol(run) }
        guard Self.isProduct(run) else {
            position -= 1
            return nil
        }
        // One letter now, the others as factors after it: in `ab^2` the power is b's.
        guard let first = run.first else { return nil }
        position -= 1
        tokens[position] = MathToken(kind: .letters(String(run.dropFirst())), hasSpace: false, isRest: true)
        return Self.letter(String(first))
    }

    /// Whether letters that stand together are variables rather than a word.
    static func isProduct(_ run: String) -> Bool {
        run.utf8.count <= 3 || run.utf8.count <= 5 && !run.contains { "aeiouAEIOU".contains($0) }
    }

    static func letter(_ name: String) -> Expression {
        switch name {
        case "e": .constant(.e)
        case "i": .constant(.imaginaryUnit)
        default: .symbol(name)
        }
    }

    /// Whether letters name a segment by its two ends.
    static func isSegment(_ letters: String) -> Bool { letters.utf8.count == 2 && letters.allSatisfy(\.isUppercase) }

    /// What a mark makes of what stands below it: `\bar{x}` and `\hat{p}` are variables of their own.
    ///
    /// The segment `\overline{AB}` is told by its ends, and the unit vectors `\hat{i}`, `\hat{j}`, `\hat{k}` by their letters.
    static func accented(_ name: String, _ inner: Expression) -> Expression? {
        if name.isEmpty { return inner }
        if name == "bar", inner.hasImaginaryUnit { return inner.isRational ? inner.conjugated : nil }
        switch inner {
        case .constant(.imaginaryUnit): return inner
        case .number, .decimal: return nil
        case .symbol(let symbol):
            let isUnitVector = name == "hat" && (symbol == "j" || symbol == "k")
            return name == "bar" && isSegment(symbol) || isUnitVector ? inner : .symbol("\\\(name) \(symbol)")
        default: return .application("\\" + name, [inner])
        }
    }

    mutating func symbol(_ start: String) -> Expression? {
        var name = start
        var isPlain = true
        while true {
            if accept(.prime) {
                name += "'"
                isPlain = false
            } else if next == .underscore {
                position += 1
                guard let index = subscriptText() else { return nil }
                name += "_" + index
                isPlain = false
            } else {
                break
            }
        }
        let isFunction = ["f", "g", "h", "F", "G", "H", "P"].contains(start)
        if isFunction, next == .open(.round), !tokens[position].hasSpace, let arguments = arguments() {
            return .application(name, arguments)
        }
        return isPlain ? Self.letter(name) : .symbol(name)
    }

    /// The tokens of a subscript as text.
    mutating func subscriptText() -> String? {
        guard position < end else { return nil }
        if next != .open(.group) {
            defer { position += 1 }
            return MathText.of(tokens[position])
        }
        guard let close = tokens.closing(position..<end) else { return nil }
        let text = tokens[position + 1..<close].map(MathText.of).joined()
        position = close + 1
        return text
    }

    /// `(a, b)`, left alone where it is no list of expressions.
    mutating func arguments() -> [Expression]? {
        let start = position
        position += 1
        var result: [Expression] = []
        repeat {
            guard let part = sum() else {
                position = start
                return nil
            }
            result.append(part)
        } while accept(.comma)
        guard accept(.close(.round)) else {
            position = start
            return nil
        }
        return result
    }
}
