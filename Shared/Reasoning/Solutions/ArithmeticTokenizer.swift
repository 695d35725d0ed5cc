/// Cuts a line into numbers, signs and words: plain text, Markdown and LaTeX as models write them.
///
/// One pass over the Unicode scalars.
struct ArithmeticTokenizer {
    private let scalars: ArraySlice<Unicode.Scalar>
    private var position: Int
    private var tokens: [ArithmeticToken] = []
    private var isSpaced = true
    /// For every open brace whether it is dropped with its command, as in `\text{…}`.
    private var droppedBraces: [Bool] = []

    /// The tokens of a line, or of a part of it; ranges count from the whole line's start.
    static func tokens(_ scalars: ArraySlice<Unicode.Scalar>) -> [ArithmeticToken] {
        var tokenizer = ArithmeticTokenizer(scalars)
        while tokenizer.position < scalars.endIndex { tokenizer.next() }
        return settled(tokenizer.tokens, scalars)
    }

    private init(_ scalars: ArraySlice<Unicode.Scalar>) {
        self.scalars = scalars
        position = scalars.startIndex
        tokens.reserveCapacity(scalars.count / 4 + 4)
    }

    private func at(_ index: Int) -> Unicode.Scalar? {
        index >= scalars.startIndex && index < scalars.endIndex ? scalars[index] : nil
    }

    private mutating func add(_ kind: ArithmeticToken.Kind, _ count: Int) {
        tokens.append(ArithmeticToken(kind: kind, range: position..<(position + count), isSpaced: isSpaced))
        position += count
        isSpaced = false
    }

    private mutating func skip(_ count: Int = 1) {
        position += count
        isSpaced = true
    }

    private mutating func next() {
        let scalar = scalars[position]
        let isNumber =
            Self.isDigit(scalar)
            || scalar == "." && at(position + 1).map(Self.isDigit) == true
                && (at(position - 1).map(Self.isLetter) != true || tokens.last?.kind == .word("x"))
        if isNumber {
            number()
        } else if let (top, bottom) = Self.vulgarFraction(scalar) {
            vulgarFraction(top, bottom)
        } else if Self.isLetter(scalar) {
            word()
        } else if scalar == "\\" {
            command()
        } else if scalar.isWhitespace {
            skip()
        } else {
            sign(scalar)
        }
    }

    // MARK: Numbers

    private mutating func number() {
        let text = NumberText(scalars, at: position)
        let joinsFraction = at(text.end).flatMap(Self.vulgarFraction)
        if let (top, bottom) = joinsFraction, let whole = text.value, whole.isWhole {
            let value = Rational(top, over: bottom).flatMap(whole.adding)
            add(.number(value), text.end + 1 - position)
        } else {
            let group = Self.group(scalars[position..<text.end])
            add(.number(text.value), text.end - position)
            tokens[tokens.count - 1].group = group
        }
    }

    /// The value of three figures, nil for anything else.
    private static func group(_ figures: ArraySlice<Unicode.Scalar>) -> Int? {
        guard figures.count == 3, figures.allSatisfy(isDigit) else { return nil }
        return figures.reduce(0) { $0 * 10 + Int($1.value - 0x30) }
    }

    private mutating func vulgarFraction(_ top: Int, _ bottom: Int) { add(.number(Rational(top, over: bottom)), 1) }

    /// No scalar of ASCII is one, so that most are not looked up.
    private static func vulgarFraction(_ scalar: Unicode.Scalar) -> (Int, Int)? {
        scalar.isASCII ? nil : vulgarFractions[scalar]
    }

    private static let vulgarFractions: [Unicode.Scalar: (Int, Int)] = [
        "\u{BD}": (1, 2), "\u{BC}": (1, 4), "\u{BE}": (3, 4), "\u{2153}": (1, 3), "\u{2154}": (2, 3),
        "\u{2155}": (1, 5), "\u{2156}": (2, 5), "\u{2157}": (3, 5), "\u{2158}": (4, 5), "\u{2159}": (1, 6),
        "\u{215A}": (5, 6), "\u{215B}": (1, 8), "\u{215C}": (3, 8), "\u{215D}": (5, 8), "\u{215E}": (7, 8),
    ]

    private static let raised: [Unicode.Scalar: Int] = [
        "\u{2070}": 0, "\u{B9}": 1, "\u{B2}": 2, "\u{B3}": 3, "\u{2074}": 4, "\u{2075}": 5, "\u{2076}": 6,
        "\u{2077}": 7, "\u{2078}": 8, "\u{2079}": 9,
    ]

    static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool { scalar.isAlphabetic }

    // MARK: Words

    private mutating func word() {
        var end = position
        while let scalar = at(end), Self.isLetter(scalar) || scalar == "'" || scalar == "\u{2019}" { end += 1 }
        // Figures and subscripts that hang on a letter or two name something: `x2`, `a_1`, `H2O`. Longer words miss a
        // blank, and behind a number an x means times: `20x8`.
        let isTimes = end - position == 1 && (scalars[position] == "x" || scalars[position] == "X")
        let joinsNumber =
            isTimes && !isSpaced && tokens.last?.endsValue == true && at(end).map { Self.isDigit($0) } == true
        let isWhole = end - position > 2 && at(end) != "_" || joinsNumber
        while !isWhole, let scalar = at(end), Self.isDigit(scalar) || Self.isLetter(scalar) || isSubscript(end) {
            end += 1
        }
        add(.word(Self.lowercased(scalars[position..<end])), end - position)
    }

    /// A text in lower case; ASCII's is made of its bytes.
    private static func lowercased(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        guard scalars.allSatisfy(\.isASCII) else { return String(scalars: scalars).lowercased() }
        return String(unsafeUninitializedCapacity: scalars.count) { bytes in
            for (place, scalar) in scalars.enumerated() {
                let byte = UInt8(truncatingIfNeeded: scalar.value)
                bytes[place] = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
            }
            return scalars.count
        }
    }

    private func isSubscript(_ index: Int) -> Bool {
        guard at(index) == "_", let after = at(index + 1) else { return false }
        return Self.isDigit(after) || Self.isLetter(after)
    }

    // MARK: Signs

    private mutating func sign(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "=", "<", ">", "!", "~", ":":
            guard let count = relationLength() else { break }
            return add(count == 1 && scalar == "=" || isDoubled(scalar) ? .equals : .relation, count)
        case "*" where at(position + 1) == "*": return doubleStar()
        default: break
        }
        if !scalar.isASCII, let value = Self.raised[scalar] { return raisedFigures(value) }
        if let operation = Arithmetic.operation(scalar) { return add(.operation(operation), 1) }
        switch scalar {
        case "^": degreeOrPower()
        case "(", "[": add(.open, 1)
        case ")", "]": add(.close, 1)
        case "{":
            droppedBraces.append(false)
            add(.open, 1)
        case "}":
            if droppedBraces.popLast() == true { position += 1 } else { add(.close, 1) }
        case "%": add(.percent, 1)
        case "\u{221A}": add(.root, 1)
        case "$", "\u{20AC}", "\u{A3}", "\u{A5}", "\u{20B9}", "\u{B0}": add(.sign, 1)
        case "!": add(tokens.last?.endsValue == true && !isSpaced ? .factorial : .mark(scalar), 1)
        case ",", ";", ":", ".", "?", "\"", "'", "\u{201C}", "\u{201D}", "\u{2018}", "\u{2019}", "\u{2014}", "\u{2022}":
            add(.mark(scalar), 1)
        case "#" where tokens.isEmpty || tokens.last?.kind == .mark(scalar): add(.mark(scalar), 1)
        case "<", ">", "\u{2248}", "\u{2260}", "\u{2264}", "\u{2265}", "\u{2192}", "\u{21D2}", "\u{27F9}", "~":
            add(.relation, 1)
        // Marks of emphasis and the ampersands of LaTeX's tables say nothing.
        case "_", "`", "&": skip()
        default: add(.unknown, 1)
        }
    }

    private func isDoubled(_ scalar: Unicode.Scalar) -> Bool { scalar == "=" && at(position + 1) == "=" }

    /// How many scalars a relation has that an equals sign is part of: `=`, `==`, `<=`, `=>`, `:=`.
    private func relationLength() -> Int? {
        let after = at(position + 1)
        if scalars[position] == "=" { return after == ">" || after == "<" || after == "=" ? 2 : 1 }
        return after == "=" ? 2 : nil
    }

    /// `**` between numbers without blanks raises to a power; elsewhere it is Markdown's emphasis.
    private mutating func doubleStar() {
        let next = at(position + 2).map { Self.isDigit($0) || $0 == "(" || $0 == "-" } ?? false
        let spacedPower = at(position + 2) == " " && at(position + 3).map(Self.isDigit) == true && isSpaced
        if tokens.last?.endsValue == true, next && !isSpaced || spacedPower {
            add(.power, 2)
        } else {
            skip(2)
        }
    }

    private mutating func raisedFigures(_ first: Int) {
        var value = first
        var count = 1
        while count < 3, let scalar = at(position + count), let digit = Self.raised[scalar] {
            value = value * 10 + digit
            count += 1
        }
        add(.raised(value), count)
    }

    /// `^\circ` and `^{\circ}` are degrees.
    private mutating func degreeOrPower() {
        for degree in ["^\\circ", "^{\\circ}"] where scalars[position...].starts(with: degree.unicodeScalars) {
            return add(.sign, degree.unicodeScalars.count)
        }
        add(.power, 1)
    }

    // MARK: LaTeX

    private mutating func command() {
        var end = position + 1
        while let scalar = at(end), scalar.isASCII, Self.isLetter(scalar) { end += 1 }
        let name = String(scalars: scalars[(position + 1)..<end])
        let count = end - position
        if name.isEmpty { return escaped() }
        switch name {
        case "times", "cdot", "ast": add(.operation("*"), count)
        case "div": add(.operation("/"), count)
        case "frac", "dfrac", "tfrac", "cfrac":
            add(.fraction, count)
            shortArguments()
        case "sqrt": add(at(end) == "[" ? .unknown : .root, count)
        case "left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "displaystyle", "limits": position += count
        case "quad", "qquad", "newline", "hline": add(.mark(";"), count)
        case "begin", "end":
            add(.mark(";"), count)
            if at(position) == "{" {
                while position < scalars.endIndex, scalars[position] != "}" { position += 1 }
                position = min(position + 1, scalars.endIndex)
            }
        case "text", "textbf", "textit", "textrm", "mathrm", "mathbf", "mathit", "mbox", "boxed", "fbox", "boldsymbol",
            "emph", "underline":
            position += count
            while at(position) == " " { position += 1 }
            isSpaced = true
            if at(position) == "{" {
                droppedBraces.append(true)
                position += 1
            }
        case "approx", "neq", "ne", "leq", "le", "geq", "ge", "equiv", "to", "rightarrow", "Rightarrow", "implies",
            "iff", "sim", "simeq":
            add(.relation, count)
        case "circ": add(.sign, count)
        default: add(.unknown, count)
        }
    }

    /// A backslash before something that is no letter.
    private mutating func escaped() {
        switch at(position + 1) {
        case "%": add(.percent, 2)
        case "$": add(.sign, 2)
        case ",", ";", ":", "!", " ": skip(2)
        case "(", ")", "[", "]": add(.sign, 2)
        case "\\": add(.mark(";"), 2)
        case "*": add(.operation("*"), 2)
        case "_", "&", "#": skip(2)
        default: add(.unknown, min(2, scalars.endIndex - position))
        }
    }

    /// The figures of `\frac12`, each an argument of its own.
    private mutating func shortArguments() {
        for _ in 0..<2 {
            guard let scalar = at(position), Self.isDigit(scalar), let digit = Int(String(scalar)) else { return }
            add(.number(Rational(digit)), 1)
        }
    }

    // MARK: What neighbours decide

    /// The tokens with the letter x for times, the `and` of mixed numbers, and Markdown's single stars settled.
    private static func settled(
        _ tokens: [ArithmeticToken],
        _ scalars: ArraySlice<Unicode.Scalar>
    ) -> [ArithmeticToken] {
        guard tokens.contains(where: isOpen) else { return tokens }
        var result: [ArithmeticToken] = []
        result.reserveCapacity(tokens.count)
        for (index, token) in tokens.enumerated() {
            var token = token
            let next = index + 1 < tokens.count ? tokens[index + 1] : nil
            switch token.kind {
            case .word("x"):
                if isTimes(result.last, token, next, tokens, index) { token.kind = .operation("*") }
            case .word("and"):
                if isMixed(result.last, tokens[(index + 1)...]) { token.kind = .and }
            case .operation("*"):
                if isEmphasis(result.last, token, next, scalars) { continue }
            default: break
            }
            result.append(token)
        }
        return result
    }

    /// Whether neighbours may decide what a token is.
    private static func isOpen(_ token: ArithmeticToken) -> Bool {
        switch token.kind {
        case .word("x"), .word("and"), .operation("*"): true
        default: false
        }
    }

    private static func isTimes(
        _ before: ArithmeticToken?,
        _ token: ArithmeticToken,
        _ next: ArithmeticToken?,
        _ tokens: [ArithmeticToken],
        _ index: Int
    ) -> Bool {
        guard let before, let next else { return false }
        let isAfterValue = before.endsValue || before.kind == .sign
        // `2x(3)` may be a variable's multiple.
        if next.kind == .open, !token.isSpaced, !next.isSpaced { return false }
        if next.startsValue { return isAfterValue || isWordOfLetters(before) && token.isSpaced }
        // `10 x -2`
        let isSign = next.kind == .operation("-") && next.isSpaced && index + 2 < tokens.count
        return isAfterValue && token.isSpaced && isSign && tokens[index + 2].startsValue && !tokens[index + 2].isSpaced
    }

    private static func isWordOfLetters(_ token: ArithmeticToken) -> Bool {
        if case .word(let word) = token.kind { word.count > 1 } else { false }
    }

    /// `2 and 1/2`, `2 and (1/2)`.
    private static func isMixed(_ before: ArithmeticToken?, _ after: ArraySlice<ArithmeticToken>) -> Bool {
        guard case .number(let whole?)? = before?.kind, whole.isWhole else { return false }
        let rest = after.first?.kind == .open ? after.dropFirst() : after
        guard let top = rest.first, top.isNumber, let slash = rest.dropFirst().first,
            let bottom = rest.dropFirst(2).first
        else { return false }
        return slash.kind == .operation("/") && bottom.isNumber
    }

    /// A star that hangs on what it opens or closes, with no value on its other side.
    private static func isEmphasis(
        _ before: ArithmeticToken?,
        _ token: ArithmeticToken,
        _ next: ArithmeticToken?,
        _ scalars: ArraySlice<Unicode.Scalar>
    ) -> Bool {
        guard scalars[token.range.lowerBound] == "*" else { return false }
        guard let before else { return true }
        let opens: Bool =
            switch before.kind {
            case .mark, .equals, .relation, .open: true
            default: false
            }
        if opens { return true }
        let closes = !token.isSpaced && (next.map { !$0.startsValue && ($0.isSpaced || !$0.isExpression) } ?? true)
        return before.endsValue && closes
    }
}
