/// Cuts an answer, LaTeX or plain, into tokens; linear.
///
/// Spacing, sizes, boxes and the dollar signs of mathematics are gone afterwards. Half a number such as `1,` is a number and
/// a comma.
struct MathScanner {
    /// What is longer has no tokens.
    static let maximumTokens = 600

    /// Whether `1,234` is one number.
    ///
    /// The text may mean a list; see ``hasAmbiguousComma``.
    let joinsThousands: Bool
    /// Whether a comma stood between three digits and others.
    private(set) var hasAmbiguousComma = false

    var tokens: [MathToken] = []
    var scalars: [Unicode.Scalar]
    var position = 0
    var hasSpace = false
    /// How deep in `\text{…}`: the depths of braces at which one ends.
    var textEnds: [Int] = []
    var depth = 0
    /// Whether a lone dollar sign is money: dollar signs of mathematics come in pairs.
    let dollarsArePairs: Bool

    private init(_ text: String, joinsThousands: Bool) {
        self.joinsThousands = joinsThousands
        scalars = MathNormalisation.scalars(of: text)
        var dollars = 0
        for (index, scalar) in scalars.enumerated() where scalar == "$" && (index == 0 || scalars[index - 1] != "\\") {
            dollars += 1
        }
        dollarsArePairs = dollars % 2 == 0
    }

    /// Nil where there are more than ``maximumTokens``.
    static func scan(_ text: String, joinsThousands: Bool) -> (tokens: [MathToken], hasAmbiguousComma: Bool)? {
        var scanner = MathScanner(text, joinsThousands: joinsThousands)
        while scanner.position < scanner.scalars.count {
            scanner.step()
            if scanner.tokens.count > maximumTokens { return nil }
        }
        while let last = scanner.tokens.last?.kind, last == .period || last == .comma || last == .semicolon {
            scanner.tokens.removeLast()
        }
        return (scanner.tokens, scanner.hasAmbiguousComma)
    }

    mutating func emit(_ kind: MathToken.Kind) {
        tokens.append(MathToken(kind: kind, hasSpace: hasSpace, isText: !textEnds.isEmpty))
        hasSpace = false
    }

    func peek(_ offset: Int = 0) -> Unicode.Scalar? {
        position + offset < scalars.count ? scalars[position + offset] : nil
    }

    static func isDigit(_ scalar: Unicode.Scalar?) -> Bool { scalar.map { ("0"..."9").contains($0) } ?? false }

    static func isLetter(_ scalar: Unicode.Scalar?) -> Bool { scalar?.isAlphabetic ?? false }

    private mutating func step() {
        let scalar = scalars[position]
        if scalar == "\\" { return command() }
        if Self.isDigit(scalar) || (scalar == "." && Self.isDigit(peek(1))) { return number() }
        if Self.isLetter(scalar) { return letters() }
        position += 1
        switch scalar {
        case " ", "\t", "\n", "\r", "~": hasSpace = true
        case "$":
            // A pair of them, and money beside a number.
            if !dollarsArePairs || !textEnds.isEmpty { emit(.currency("dollar")) } else { hasSpace = true }
        case "+": emit(peek() == "-" ? take(1, .plusMinus) : .plus)
        case "-": emit(.minus)
        case "*": emit(peek() == "*" ? take(1, .caret) : .times)
        case "/": emit(.slash)
        case "^": emit(.caret)
        case "_": emit(.underscore)
        case "!": emit(peek() == "=" ? take(1, .relation(.notEqual)) : .bang)
        case "%": emit(.percent)
        case "'": emit(.prime)
        case ",": emit(.comma)
        case ";": emit(.semicolon)
        case ":": emit(peek() == "=" ? take(1, .relation(.equal)) : .colon)
        case "|": emit(.bar)
        case "&": emit(.ampersand)
        case ".":
            if peek() == ".", peek(1) == "." { emit(take(2, .ellipsis)) } else { emit(.period) }
        case "(": emit(.open(.round))
        case ")": emit(.close(.round))
        case "[": emit(.open(.square))
        case "]": emit(.close(.square))
        case "{": openBrace()
        case "}": closeBrace()
        case "=":
            switch peek() {
            case "=": emit(take(1, .relation(.equal)))
            case "<": emit(take(1, .relation(.lessOrEqual)))
            default: emit(.relation(.equal))
            }
        case "<":
            switch peek() {
            case "=": emit(take(1, .relation(.lessOrEqual)))
            case ">": emit(take(1, .relation(.notEqual)))
            default: emit(.relation(.less))
            }
        case ">": emit(peek() == "=" ? take(1, .relation(.greaterOrEqual)) : .relation(.greater))
        case "\u{A5}", "\u{FFE5}": emit(.currency("\u{A5}"))
        case "\u{20B9}": emit(.currency("rupee"))
        case "\u{A2}": emit(.currency("cent"))
        case "\u{20BD}", "\u{20A9}", "\u{20BA}", "\u{20AA}", "\u{20AB}", "\u{20B1}", "\u{20A6}", "\u{20B4}", "\u{E3F}":
            emit(.currency(String(Character(scalar))))
        case "\"", "`", "#", "?": break
        default: emit(.word(String(Character(scalar))))
        }
    }

    private mutating func take(_ count: Int, _ kind: MathToken.Kind) -> MathToken.Kind {
        position += count
        return kind
    }

    private mutating func openBrace() {
        depth += 1
        if textEnds.isEmpty { emit(.open(.group)) }
    }

    private mutating func closeBrace() {
        if let end = textEnds.last, end == depth {
            textEnds.removeLast()
            hasSpace = true
        } else if textEnds.isEmpty {
            emit(.close(.group))
        }
        depth = max(0, depth - 1)
    }

    // MARK: Words

    private mutating func letters() {
        let start = position
        while Self.isLetter(peek()) || !textEnds.isEmpty && peek() == "-" && Self.isLetter(peek(1)) { position += 1 }
        let word = Self.string(scalars[start..<position])
        // `sinx`, `cos2` are calls; `sine` is a word.
        if textEnds.isEmpty, word.utf8.count == 4 || word.utf8.count == 3, let last = word.last,
            let name = FunctionName(rawValue: String(word.dropLast())), name.function != nil || name == .log,
            "xytnab".contains(last)
        {
            emit(.function(name))
            return emit(.letters(String(last)))
        }
        if let known = MathCommands.plainToken(word), isMeant(known) {
            emit(known)
            // The stop of `Rs.50` begins no number.
            if word == "Rs", peek() == "." {
                position += 1
                emit(.period)
            }
            return
        }
        if MathCommands.currencyCodes.contains(word), isBesideNumber { return emit(.currency(word)) }
        if let money = MathCommands.dollars[word], let sign = dollarSign() {
            position += sign
            return emit(.currency(money))
        }
        emit(textEnds.isEmpty ? .letters(word) : .word(word))
    }

    private var isBesideNumber: Bool {
        if case .number? = tokens.last?.kind { return true }
        let next = scalars[position...].prefix(4).first { $0 != " " && $0 != "\\" && $0 != "~" }
        return Self.isDigit(next)
    }

    /// How long the dollar sign is that stands here before a number; nil where none does, or one that may end mathematics.
    private func dollarSign() -> Int? {
        let length = peek() == "\\" ? 2 : 1
        guard peek(length - 1) == "$", length == 2 || !dollarsArePairs else { return nil }
        let after = peek(length) == " " ? length + 1 : length
        return Self.isDigit(peek(after)) ? length : nil
    }

    /// Whether a word that may name a function, a constant or a sign does: `15 min` and `30 sec` have units.
    private func isMeant(_ known: MathToken.Kind) -> Bool {
        switch known {
        case .function(let name):
            guard textEnds.isEmpty else { return false }
            let rest = scalars[position...].prefix(4).first { $0 != " " }
            switch name {
            case .min, .max, .gcd, .lcm, .abs, .floor, .ceil: return rest == "("
            default:
                return rest.map {
                    $0 == "(" || $0 == "|" || $0 == "\\" || $0 == "^" || $0 == "{" || $0 == "_" || Self.isLetter($0)
                        || Self.isDigit($0)
                } ?? false
            }
        case .minus: return peek() == " " && (Self.isDigit(peek(1)) || peek(1) == ".")
        case .constant: return textEnds.isEmpty
        default: return true
        }
    }

    static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String { String(scalars: scalars) }

    // MARK: Commands

    private mutating func command() {
        position += 1
        guard let first = peek() else { return }
        guard Self.isLetter(first), first.isASCII else {
            position += 1
            return sign(first)
        }
        let start = position
        while let next = peek(), next.isASCII, Self.isLetter(next) { position += 1 }
        named(Self.string(scalars[start..<position]), start: start)
    }

    private var hasRelation: Bool { tokens.contains { if case .relation = $0.kind { true } else { false } } }

    /// Whether a command stands between two letters: `f \circ g`, where `40^\circ C` has degrees; `p \land q`.
    private var isBetweenLetters: Bool {
        guard let last = tokens.last?.kind, case .letters = last else { return false }
        return Self.isLetter(scalars[position...].first { $0 != " " })
    }

    /// `\{`, `\,` and their kin.
    private mutating func sign(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "{": emit(.open(.brace))
        case "}": emit(.close(.brace))
        case "%": emit(.percent)
        case "$": emit(.currency("dollar"))
        case "|": emit(.bar)
        case "\\": emit(.rowBreak)
        case ",", ";", ":", "!", " ", "\n", "\t", ">": hasSpace = hasSpace || scalar != "!"
        case "(", ")", "[", "]": hasSpace = true
        default: break
        }
    }

    /// `\not` strikes out the relation behind it.
    private mutating func negation() {
        while peek() == " " { position += 1 }
        let element = "\\in".unicodeScalars
        if scalars[position...].starts(with: element), !Self.isLetter(peek(element.count)) {
            position += element.count
            return emit(.opaque("notin"))
        }
        guard peek() == "=" else { return emit(.opaque("not")) }
        position += 1
        emit(.relation(.notEqual))
    }

    private mutating func named(_ name: String, start: Int) {
        if name == "not" { return negation() }
        if MathCommands.operators.contains(name) {
            // Before everything else an arrow only says that something follows.
            if tokens.isEmpty, name == "implies" || name == "Rightarrow" { return }
            return emit(.opaque(name))
        }
        if name == "circ", isBetweenLetters { return emit(.opaque(name)) }
        if MathCommands.connectives.contains(name), isBetweenLetters, !hasRelation {
            return emit(.opaque(name))
        }
        if MathCommands.ignored.contains(name) {
            // `\left.` and `\right.` stand for no bracket.
            if name == "left" || name == "right", peek() == "." { position += 1 }
            return
        }
        if MathCommands.spaces.contains(name) {
            hasSpace = true
            if name == "hspace" { skipArgument() }
            return
        }
        if MathCommands.texts.contains(name) {
            while peek() == " " { position += 1 }
            guard peek() == "{" else { return }
            position += 1
            depth += 1
            textEnds.append(depth)
            return
        }
        if name == "begin" || name == "end" {
            let environment = argument()
            return emit(name == "begin" ? .begin(environment) : .end(environment))
        }
        if name == "mathbb" || name == "mathds" || name == "Bbb" {
            let set = argument()
            return emit(set == "R" ? .reals : .symbol("mathbb" + set))
        }
        if let accent = MathCommands.accents[name] { return emit(.accent(accent)) }
        if let known = MathCommands.token(name) { return emit(known) }
        if let prefix = MathCommands.prefix(of: name) {
            // The rest is read again as letters.
            position = start + prefix.unicodeScalars.count
            return named(prefix, start: start)
        }
        emit(.symbol(name))
    }

    /// The raw text of `{…}` without braces inside, or one sign.
    private mutating func argument() -> String {
        while peek() == " " { position += 1 }
        guard let first = peek() else { return "" }
        guard first == "{" else {
            position += 1
            return String(Character(first))
        }
        let start = position + 1
        while let next = peek(), next != "}" { position += 1 }
        let text = Self.string(scalars[start..<max(start, min(position, scalars.count))])
        position += 1
        return text
    }

    private mutating func skipArgument() { if peek() == "{" { _ = argument() } }

    // MARK: Numbers

    mutating func noteAmbiguousComma() { hasAmbiguousComma = true }
}
