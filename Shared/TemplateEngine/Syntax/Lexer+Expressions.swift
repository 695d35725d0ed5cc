extension Lexer {
    /// What ends a tag with an expression or statement.
    enum TagEnd {
        case variableEnd
        case blockEnd

        var mark: String { self == .variableEnd ? "}}" : "%}" }
    }

    /// Reads the tokens of a tag up to its end.
    mutating func expression(until end: TagEnd) throws {
        append(end == .variableEnd ? .variableBegin : .blockBegin, Text([UInt8]()))
        var brackets: [UInt8] = []
        while position < source.count {
            if brackets.isEmpty, tagEnds(end) { return }
            skipSpace()
            guard position < source.count else { return }
            if brackets.isEmpty, tagEnds(end) { return }
            let byte = source[position]
            if (0x30...0x39).contains(byte) {
                try number()
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                try string(quote: byte)
            } else if source[...].scalar(at: position).scalar.isNamePart {
                try name()
            } else {
                try symbol(&brackets)
            }
        }
    }

    /// Reads the end of the tag, if it stands here.
    private mutating func tagEnds(_ end: TagEnd) -> Bool {
        let mark = end.mark.utf8
        let control: Character? =
            source[position] == UInt8(ascii: "-")
            ? "-" : source[position] == UInt8(ascii: "+") && end == .blockEnd ? "+" : nil
        let start = position + (control == nil ? 0 : 1)
        guard source[start...].starts(with: mark) else { return false }
        append(end == .variableEnd ? .variableEnd : .blockEnd, Text([UInt8]()))
        position = start + mark.count
        finishTag(control: control, trimsLineBreak: end == .blockEnd)
        return true
    }

    private mutating func name() throws {
        let start = position
        while position < source.count {
            let (scalar, length) = source[...].scalar(at: position)
            guard scalar.isNamePart else { break }
            position += length
        }
        let name = Text(source[start..<position])
        guard name.isIdentifier else { throw failure("Invalid character in identifier") }
        append(.name, name)
    }

    private static let symbols: [[UInt8]] = [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=",
        ".", ":", "|", ",", ";",
    ].map { Array($0.utf8) }

    private mutating func symbol(_ brackets: inout [UInt8]) throws {
        guard let symbol = Self.symbols.first(where: { source[position...].starts(with: $0) }) else {
            let scalar = Text(scalars: [source[...].scalar(at: position).scalar])
            throw failure("unexpected char \(scalar.quoted.string)")
        }
        switch symbol[0] {
        case UInt8(ascii: "{"): brackets.append(UInt8(ascii: "}"))
        case UInt8(ascii: "("): brackets.append(UInt8(ascii: ")"))
        case UInt8(ascii: "["): brackets.append(UInt8(ascii: "]"))
        case UInt8(ascii: "}"), UInt8(ascii: ")"), UInt8(ascii: "]"):
            let found = Text(symbol).string
            guard let expected = brackets.popLast() else { throw failure("unexpected '\(found)'") }
            guard expected == symbol[0] else {
                throw failure("unexpected '\(found)', expected '\(Text([expected]).string)'")
            }
        default: break
        }
        append(.symbol, Text(symbol))
        position += symbol.count
    }

    // MARK: Numbers

    /// The end of digits with single underscores between them; `start` where there are none.
    private func endOfDigits(_ start: Int, radix: Int = 10) -> Int {
        var end = start
        while end < source.count {
            let digit = source[end] == UInt8(ascii: "_") && end > start ? end + 1 : end
            guard digit < source.count, Character(Unicode.Scalar(source[digit])).isDigit(radix: radix) else { break }
            end = digit + 1
        }
        return end
    }

    private mutating func number() throws {
        if let end = endOfFloat() {
            let digits = source[position..<end].filter { $0 != UInt8(ascii: "_") }
            append(.float(Double(Text(digits).string) ?? .infinity), Text(source[position..<end]))
            position = end
            return
        }
        var radix = 10
        var start = position
        if source[position] == UInt8(ascii: "0"), position + 1 < source.count {
            switch source[position + 1] | 0x20 {
            case UInt8(ascii: "b"): radix = 2
            case UInt8(ascii: "o"): radix = 8
            case UInt8(ascii: "x"): radix = 16
            default: break
            }
        }
        if radix != 10 {
            start += 2
            if start < source.count, source[start] == UInt8(ascii: "_") { start += 1 }
        }
        var end = endOfDigits(start, radix: radix)
        if radix != 10, end == start {
            // No digits after the mark: a zero and then a name.
            radix = 10
            start = position
            end = position + 1
        } else if radix == 10, source[position] == UInt8(ascii: "0") {
            // A number that is not zero does not begin with zero.
            end = position + 1
            while true {
                let next = end < source.count && source[end] == UInt8(ascii: "_") ? end + 1 : end
                guard next < source.count, source[next] == UInt8(ascii: "0") else { break }
                end = next + 1
            }
        }
        let digits = source[start..<end].filter { $0 != UInt8(ascii: "_") }
        guard let value = Int(Text(digits).string, radix: radix) else {
            throw TemplateError(.limit, "an integer of more than 64 bits", line: line)
        }
        append(.integer(value), Text(source[position..<end]))
        position = end
    }

    /// Where a number with a fraction or exponent ends; nil where none stands here.
    private func endOfFloat() -> Int? {
        guard position == 0 || source[position - 1] != UInt8(ascii: ".") else { return nil }
        var end = endOfDigits(position)
        var isFloat = false
        if end < source.count, source[end] == UInt8(ascii: "."), endOfDigits(end + 1) > end + 1 {
            end = endOfDigits(end + 1)
            isFloat = true
        }
        if end < source.count, source[end] | 0x20 == UInt8(ascii: "e") {
            var exponent = end + 1
            if exponent < source.count, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(source[exponent]) {
                exponent += 1
            }
            if endOfDigits(exponent) > exponent {
                end = endOfDigits(exponent)
                isFloat = true
            }
        }
        return isFloat ? end : nil
    }

    // MARK: Strings

    private mutating func string(quote: UInt8) throws {
        var end = position + 1
        while end < source.count, source[end] != quote {
            end += source[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard end < source.count else { throw failure("unexpected char \(Text([quote]).quoted.string)") }
        let literal = source[(position + 1)..<end]
        append(.string, Text(try unescaped(literal)))
        line += literal.count { $0 == 0x0A }
        position = end + 1
    }

    /// The text of a literal, by Python's rules for escapes.
    private func unescaped(_ literal: ArraySlice<UInt8>) throws -> [UInt8] {
        guard literal.contains(UInt8(ascii: "\\")) else { return Array(literal) }
        var output: [UInt8] = []
        var scalars = Array(UTF8Scalars(literal))[...]
        while let scalar = scalars.popFirst() {
            guard scalar == "\\", let escape = scalars.popFirst() else {
                output.append(scalar)
                continue
            }
            switch escape {
            case "\n": break
            case "\\", "'", "\"": output.append(escape)
            case "a": output.append(0x07)
            case "b": output.append(0x08)
            case "f": output.append(0x0C)
            case "n": output.append(0x0A)
            case "r": output.append(0x0D)
            case "t": output.append(0x09)
            case "v": output.append(0x0B)
            case "x": output.append(try code(&scalars, "\\xXX", digits: 2))
            case "u": output.append(try code(&scalars, "\\uXXXX", digits: 4))
            case "U": output.append(try code(&scalars, "\\UXXXXXXXX", digits: 8))
            case "N": throw failure("characters by name (\\N{…}) are not supported")
            case "0"..."7":
                var value = escape.value - 0x30
                for _ in 0..<2 {
                    guard let digit = scalars.first, ("0"..."7").contains(digit) else { break }
                    value = value * 8 + digit.value - 0x30
                    scalars.removeFirst()
                }
                output.append(Unicode.Scalar(value) ?? "\u{FFFD}")
            default:
                output.append(UInt8(ascii: "\\"))
                // Jinja first writes what is not ASCII as an escape, whose backslash the one before it takes away.
                if escape.isASCII {
                    output.append(escape)
                } else {
                    output += Text.escape(escape, shortest: true).utf8.dropFirst()
                }
            }
        }
        return output
    }

    private func code(
        _ scalars: inout ArraySlice<Unicode.Scalar>,
        _ form: String,
        digits: Int
    ) throws -> Unicode.Scalar {
        let text = String(String.UnicodeScalarView(scalars.prefix(digits)))
        guard text.unicodeScalars.count == digits, text.allSatisfy(\.isHexDigit),
            let value = UInt32(text, radix: 16)
        else { throw failure("truncated \(form) escape") }
        scalars.removeFirst(digits)
        guard let scalar = Unicode.Scalar(value) else {
            throw failure("\(form) escape of a code that is no character")
        }
        return scalar
    }
}

extension Character {
    fileprivate func isDigit(radix: Int) -> Bool { isASCII && hexDigitValue.map { $0 < radix } ?? false }
}

extension Unicode.Scalar {
    /// Whether the lexer reads it as part of a name; whether the name is good is asked later.
    fileprivate var isNamePart: Bool { isASCII ? isIdentifierPart : isPythonWord || isIdentifierPart }
}
