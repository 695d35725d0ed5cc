/// Multiple choice.
extension ProblemReader {
    /// The most options of a question: the letters that there are.
    static let mostOptions = 26

    /// A question with its options below it, one a line, and its answer as a letter.
    func choice(_ question: String, _ fields: [String: RecordValue]) throws -> (question: String, answer: String) {
        guard let field = fields["choices"] ?? fields["options"] else { throw Self.missing("choices") }
        let options = try Options(field)
        guard (2...Self.mostOptions).contains(options.texts.count) else {
            throw ReasoningError(
                .malformedProblem,
                "there are \(options.texts.count) options; a question has 2 to \(Self.mostOptions)"
            )
        }
        let lines = options.texts.enumerated().map { "(\(Options.letter($0.offset))) \($0.element)" }
        let text = ([question] + lines).joined(separator: "\n")
        if allowsMissingAnswer, !Options.isAnswered(in: fields) { return (text, "") }
        return (text, "(\(Options.letter(try options.answer(in: fields))))")
    }
}

/// The options of a question.
private struct Options {
    let texts: [String]
    /// The data set's own names of them, where it has some.
    let labels: [String]?

    static func letter(_ place: Int) -> String { String(UnicodeScalar(UInt8(0x41 + place % 26))) }

    init(_ field: RecordValue) throws {
        if let columns = field.fields {
            if let texts = columns["text"]?.list {
                self.texts = try texts.map(Self.text)
                labels = try columns["label"]?.list?.map(Self.text)
            } else {
                // {"A": …, "B": …}
                let keys = columns.keys.sorted()
                let letters = keys.indices.map(Self.letter)
                guard keys.map({ $0.uppercased() }) == letters else {
                    throw Self.error("the options are named \(keys.prefix(8)); name them A, B, … or give a list")
                }
                texts = try keys.compactMap { columns[$0] }.map(Self.text)
                labels = letters
            }
        } else if let list = field.list {
            let items = list.map(\.fields)
            if items.contains(where: { $0 != nil }) {
                texts = try items.map { try Self.text($0?["text"] ?? .null) }
                labels = try items.map { try Self.text($0?["label"] ?? .null) }
            } else {
                texts = Self.withoutLabels(try list.map(Self.text))
                labels = nil
            }
        } else {
            throw Self.error("the options are no list")
        }
        guard labels.map({ $0.count == texts.count && Set($0).count == $0.count }) ?? true else {
            throw Self.error("the options and their labels do not match, or a label comes twice")
        }
    }

    private static func text(_ value: RecordValue) throws -> String {
        guard let text = value.text, !text.isEmpty else { throw error("an option is empty or no text") }
        return text
    }

    private static func error(_ message: String) -> ReasoningError { ReasoningError(.malformedProblem, message) }

    /// The texts without labels of their own, `(A)`, `A)`, `A.` or `A:`, where each of them has its own.
    private static func withoutLabels(_ texts: [String]) -> [String] {
        let bare = texts.enumerated().compactMap { labelled($0.element, as: $0.offset) }
        return bare.count == texts.count ? bare : texts
    }

    /// What follows the label of a place; nil where another label, or none, or nothing else stands there.
    private static func labelled(_ text: String, as place: Int) -> String? {
        var rest = text[...]
        let isOpen = rest.first == "("
        if isOpen { rest = rest.dropFirst() }
        guard rest.first.map({ String($0) }) == letter(place) else { return nil }
        rest = rest.dropFirst()
        guard let end = rest.first, isOpen ? end == ")" : ")].:".contains(end) else { return nil }
        let bare = String(rest.dropFirst()).trimmed
        return bare.isEmpty ? nil : bare
    }

    // MARK: The answer

    /// The fields that may hold the answer; where several do, they must agree.
    private static let answerFields = [
        "answerKey", "answer_key", "answer_index", "answer_idx", "correct", "label", "answer", "target", "gold",
    ]

    /// Whether a field tells the right option.
    static func isAnswered(in fields: [String: RecordValue]) -> Bool {
        answerFields.contains { fields[$0] != nil }
    }

    /// The place of the right option.
    func answer(in fields: [String: RecordValue]) throws -> Int {
        var found: [(name: String, place: Int)] = []
        for name in Self.answerFields {
            guard let value = fields[name] else { continue }
            found.append((name, try place(of: value, name)))
        }
        guard let first = found.first else { throw ProblemReader.missingAnswer("answer") }
        if let other = found.first(where: { $0.place != first.place }) {
            throw Self.error(
                "\"\(first.name)\" says \(Self.letter(first.place)), \"\(other.name)\" says \(Self.letter(other.place)): "
                    + "leave the wrong one out"
            )
        }
        return first.place
    }

    private func place(of value: RecordValue, _ name: String) throws -> Int {
        let known = texts.indices.map(Self.letter).joined(separator: ", ")
        switch value {
        case .integer(let number):
            let byText = texts.firstIndex(of: String(number))
            if let label = labels?.firstIndex(of: String(number)) { return label }
            guard let place = Int(exactly: number), texts.indices.contains(place) else {
                if let byText { return byText }
                throw Self.error(
                    "\"\(name)\" is \(number), and the \(texts.count) options are counted from 0; give a letter of \(known)"
                )
            }
            guard byText == nil || byText == place else {
                throw Self.error(
                    "\"\(name)\" is \(number), which could be an option's place, counted from 0, or its text; give a "
                        + "letter of \(known)"
                )
            }
            return place
        case .string:
            let text = value.text ?? ""
            if let labels, let label = labels.firstIndex(of: text) { return label }
            let byText = texts.firstIndex(of: text)
            guard byText.map({ texts[($0 + 1)...].contains(text) }) != true else {
                throw Self.error("\"\(name)\" is the text of two options; give a letter of \(known)")
            }
            let hasLetters = labels?.map { $0.uppercased() } == texts.indices.map(Self.letter)
            let byLetter = labels == nil || hasLetters ? letterPlace(text) : nil
            guard byText == nil || byLetter == nil || byText == byLetter else {
                throw Self.error("\"\(name)\" is '\(text)', which is the letter of one option and the text of another")
            }
            if let place = byText ?? byLetter { return place }
            if let place = texts.indices.first(where: { Self.labelled(text, as: $0) == texts[$0] }) { return place }
            throw Self.error("\"\(name)\" is '\(text.prefix(80))', which is no option; give a letter of \(known)")
        case .array:
            throw Self.error("\"\(name)\" names several right options; only questions with one are read")
        default:
            throw Self.error("\"\(name)\" has the wrong type; give a letter of \(known)")
        }
    }

    /// The place that a letter names: `B`, `b`, `(B)`, `B.`, `B)`.
    private func letterPlace(_ text: String) -> Int? {
        var bare = text[...]
        if let first = bare.first, "([".contains(first) { bare = bare.dropFirst() }
        if bare.count > 1, let last = bare.last, ")].:".contains(last) { bare = bare.dropLast() }
        guard bare.count == 1, let ascii = bare.uppercased().utf8.first, (0x41...0x5A).contains(ascii) else {
            return nil
        }
        let place = Int(ascii) - 0x41
        return texts.indices.contains(place) ? place : nil
    }
}
