import Reasoning

/// Makes plain text of a step that is written with TeX commands or Markdown emphasis.
enum StepMarkup {
    private static let signs: [String: String] = [
        "times": "*", "cdot": "*", "ast": "*", "div": "/", "le": "<=", "leq": "<=", "ge": ">=", "geq": ">=",
        "approx": "=",
    ]
    private static let fractions: Set<String> = ["frac", "dfrac", "tfrac"]
    private static let wrappers: Set<String> = ["text", "mathrm", "textbf", "mathbf", "boxed"]

    /// What a brace opens.
    private enum Group {
        case numerator, denominator, plain, wrapper
    }

    /// The text with `\times` as `*`, `\frac{a}{b}` as `(a)/(b)`, `\text{…}` and `\boxed{…}` as what they hold, `**` as
    /// a power between digits and as nothing elsewhere, and other commands as blanks.
    ///
    /// Linear in the text's length.
    static func plain(_ scalars: ArraySlice<Unicode.Scalar>) -> [Unicode.Scalar] {
        var out: [Unicode.Scalar] = []
        var open: [Group] = []
        var pending: Group?
        var index = scalars.startIndex
        func scalar(_ offset: Int) -> Unicode.Scalar? {
            index + offset < scalars.endIndex ? scalars[index + offset] : nil
        }
        while let current = scalar(0) {
            if current == "\\", let next = scalar(1) {
                if isLetter(next) {
                    let name = scalars[(index + 1)...].prefix(while: isLetter)
                    index = name.endIndex
                    let command = String(String.UnicodeScalarView(name))
                    if fractions.contains(command) {
                        pending = .numerator
                    } else if wrappers.contains(command) {
                        pending = .wrapper
                    } else {
                        out += (signs[command] ?? " ").unicodeScalars
                    }
                } else {
                    index += 2
                    out.append(next == "%" || next == "$" ? next : " ")
                }
            } else if current == "{" {
                if scalar(1) == ",", scalar(2) == "}" {
                    out.append(",")
                    index += 3
                    continue
                }
                let group = pending ?? .plain
                pending = nil
                open.append(group)
                out.append(group == .wrapper ? " " : "(")
                index += 1
            } else if current == "}" {
                let group = open.popLast() ?? .wrapper
                out.append(group == .wrapper ? " " : ")")
                if group == .numerator {
                    out.append("/")
                    pending = .denominator
                }
                index += 1
            } else if current == "*", scalar(1) == "*" {
                if let before = out.last, isDigit(before), let after = scalar(2), isDigit(after) { out.append("^") }
                index += 2
            } else {
                if !current.properties.isWhitespace { pending = nil }
                out.append(current)
                index += 1
            }
        }
        return out
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && scalar.properties.isAlphabetic
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
}
