/// A piece of HTML that is also well-formed XML: a literal stands as it is, and every string that is put into one is
/// escaped, so that text from outside cannot become markup by an oversight.
struct Markup: ExpressibleByStringInterpolation, Sendable, Hashable {
    /// The markup.
    let text: String

    init(stringLiteral value: String) { text = value }

    init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    /// What collects a literal with its insertions.
    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + 16 * interpolationCount)
        }

        mutating func appendLiteral(_ literal: String) { text += literal }

        /// Inserts text, escaped.
        mutating func appendInterpolation(_ value: String) { text += Markup.escape(value) }

        /// Inserts a whole number.
        mutating func appendInterpolation(_ value: Int) { text += String(value) }

        /// Inserts a coordinate of a drawing, to a tenth of a pixel.
        mutating func appendInterpolation(at value: Double) { text += Figures.fixed(value, 1) }

        /// Inserts markup as it is.
        mutating func appendInterpolation(_ value: Markup) { text += value.text }

        /// Inserts pieces of markup one after another, a line each.
        mutating func appendInterpolation(_ values: [Markup]) { text += values.map(\.text).joined(separator: "\n") }
    }

    /// Text as character data or as an attribute's value; characters that XML cannot hold become U+FFFD.
    static func escape(_ value: String) -> String {
        var escaped = ""
        escaped.reserveCapacity(value.utf8.count)
        for scalar in value.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            case "\t", "\n", "\r": escaped.unicodeScalars.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension Markup {
    /// A table that scrolls sideways where the page is narrower, with its caption as the name of the region.
    static func table(_ caption: String, class name: String = "", _ content: Markup) -> Markup {
        """
        <div class="scroll" role="region" tabindex="0" aria-label="\(caption)">
        <table class="\(name)">
        <caption>\(caption)</caption>
        \(content)
        </table>
        </div>
        """
    }

    /// A table's row of column headings; those of words stand to the left, the others of figures to the right.
    static func head(words: [String], figures: [String] = []) -> Markup {
        """
        <thead><tr>\(words.map { "<th scope=\"col\">\($0)</th>" as Markup })
        \(figures.map { "<th scope=\"col\" class=\"figure\">\($0)</th>" as Markup })</tr></thead>
        """
    }
}
