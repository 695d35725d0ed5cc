import Foundation

/// Reads problems in the layouts of the data sets that people have; see ``ProblemLayout``.
///
/// The layout of each line is recognised by its fields unless it is named, or the columns are. Fields that are null or blank
/// count as not there. A passage (`passage`, `context`, `article`) is put before the question; options are put below it, one
/// a line, as `(A) …`, and the answer is then the option's letter, `(B)`.
public struct ProblemReader: Sendable {
    /// The layout of every line; recognised when nil.
    public let layout: ProblemLayout?
    /// The columns of every line; those of the layout when nil.
    public let columns: ColumnMap?
    /// The family of BIG-Bench Hard's problems, whose lines name none: the task, which is the file's name.
    public var family: String?
    /// Whether a question without a reference answer is read, with an empty answer; else it is an error.
    public let allowsMissingAnswer: Bool

    /// The longest line that is read, in bytes.
    public static let maximumLineLength = GSM8K.maximumLineLength

    /// Makes a reader; columns win over a layout.
    public init(
        layout: ProblemLayout? = nil,
        columns: ColumnMap? = nil,
        family: String? = nil,
        allowsMissingAnswer: Bool = false
    ) {
        self.allowsMissingAnswer = allowsMissingAnswer
        self.layout = layout
        self.columns = columns
        self.family = family
    }

    /// Reads one line of JSON.
    ///
    /// - Throws: ``ReasoningError`` that names the fields that are there and what is missing: of the code `missingAnswer`
    ///   where there is a question without a reference answer.
    public func read(line: some StringProtocol) throws -> ProblemRecord {
        guard line.utf8.count <= Self.maximumLineLength else {
            throw ReasoningError(.tooLong, "the line has more than \(Self.maximumLineLength) bytes")
        }
        guard let value = try? JSONDecoder().decode(RecordValue.self, from: Data(line.utf8)) else {
            throw ReasoningError(.malformedProblem, "the line is not a JSON object")
        }
        return try read(value)
    }

    /// Reads a problem from a JSON value.
    func read(_ value: RecordValue) throws -> ProblemRecord {
        guard let object = value.fields else {
            throw ReasoningError(.malformedProblem, "the line is not a JSON object")
        }
        let fields = object.filter { !$0.value.isEmpty }
        do {
            if let columns { return try read(mapped(fields, columns), layout: nil) }
            return try read(fields, layout: layout ?? recognised(fields))
        } catch let error as ReasoningError {
            throw ReasoningError(error.code, "\(error.message)\(Self.seen(object))")
        }
    }

    private static func seen(_ object: [String: RecordValue]) -> String {
        let names = object.keys.sorted().prefix(20).map { "\"\($0.prefix(40))\"" }
        return names.isEmpty ? "" : " (the line has \(names.joined(separator: ", "))\(object.count > 20 ? ", …" : ""))"
    }

    // MARK: Which layout

    private func recognised(_ fields: [String: RecordValue]) throws -> ProblemLayout {
        let candidates = ProblemLayout.candidates(fields)
        if candidates.count == 1 { return candidates[0] }
        if candidates.count > 1 {
            let names = candidates.map(\.rawValue).joined(separator: " and ")
            throw ReasoningError(
                .malformedProblem,
                "the fields fit several layouts, \(names): name one with --layout, or the columns with --map"
            )
        }
        if allowsMissingAnswer, fields["input"] != nil { return .bbh }
        let cure =
            "no layout fits: \"question\" is missing or empty; name the columns, as in --map question=prompt,answer=gold"
        let isPair = fields["prompt"] != nil && (fields["completion"] ?? fields["response"]) != nil
        throw ReasoningError(
            .malformedProblem,
            cure
                + (isPair ? " (a completion is a text to learn, which need not be an answer that can be compared)" : "")
        )
    }

    /// The fields under the names of the layouts.
    private func mapped(_ fields: [String: RecordValue], _ map: ColumnMap) throws -> [String: RecordValue] {
        var result: [String: RecordValue] = [:]
        for (part, columns) in map.columns {
            let values = columns.compactMap { fields[$0] }
            guard values.count == columns.count else {
                let missing = columns.first { fields[$0] == nil } ?? ""
                switch part {
                case .question:
                    throw ReasoningError(
                        .malformedProblem,
                        "the column \"\(missing)\" of the question is missing or empty"
                    )
                case .answer where allowsMissingAnswer: continue
                case .answer: throw Self.missingAnswer(missing)
                default: continue
                }
            }
            guard values.count > 1 else {
                result[part.rawValue] = values.first
                continue
            }
            let texts = try zip(columns, values).map { try Self.text($1, $0) }
            result[part.rawValue] = .string(texts.joined(separator: "\n\n"))
        }
        return result
    }

    // MARK: Reading

    private func read(_ fields: [String: RecordValue], layout: ProblemLayout?) throws -> ProblemRecord {
        var fields = fields
        if layout == .arc, let nested = fields["question"]?.fields {
            fields["question"] = nested["stem"]
            fields["choices"] = fields["choices"] ?? nested["choices"]
        }
        var question = try self.question(in: fields, layout: layout)
        var solution = try self.solution(in: fields)
        let answer: String
        switch layout {
        case .arc, .agieval, .choice: (question, answer) = try choice(question, fields)
        case nil where fields["options"] != nil: (question, answer) = try choice(question, fields)
        case .math:
            let named = try fields["answer"].map { try Self.text($0, "answer") }
            if allowsMissingAnswer {
                answer = named ?? solution.flatMap { BoxedAnswer.last(in: Array($0.utf8)) } ?? ""
                break
            }
            let text = try solution ?? { throw Self.missing("solution") }()
            answer = try named ?? boxed(text)
        case .bbh where allowsMissingAnswer && fields["target"] == nil: answer = ""
        case .bbh:
            guard let target = fields["target"] else { throw Self.missingAnswer("target") }
            answer = try Self.text(target, "target")
        case .gsm8k, .plain, nil:
            if allowsMissingAnswer, fields["answer"] == nil {
                answer = ""
                break
            }
            guard let field = fields["answer"] else { throw Self.missingAnswer("answer") }
            let isNamed = self.layout == .plain || columns != nil
            let parts = try GSM8K.split(answer: Self.text(field, "answer"), allowsLong: isNamed)
            answer = parts.answer
            solution = parts.solution ?? solution
        }
        let (id, source) = try identity(fields)
        let problem = Problem(
            id: id,
            question: question,
            solution: solution,
            answer: answer,
            family: try family(in: fields, layout: layout),
            steps: try steps(in: fields)
        )
        let level = fields["level"] ?? fields["difficulty"]
        return ProblemRecord(
            problem: problem,
            layout: layout,
            idSource: source,
            level: level?.text,
            split: fields["split"]?.text
        )
    }

    private func question(in fields: [String: RecordValue], layout: ProblemLayout?) throws -> String {
        let names =
            switch layout {
            case .math: ["problem"]
            case .bbh: ["input"]
            case .gsm8k: ["question"]
            default: ["question", "question_stem", "problem"]
            }
        let present = names.filter { fields[$0] != nil }
        guard let name = present.first, let value = fields[name] else { throw Self.missing(names[0]) }
        guard present.count == 1 else {
            throw ReasoningError(
                .malformedProblem,
                "\"\(present[0])\" and \"\(present[1])\" could both be the question: name it, as in "
                    + "--map question=\(present[0]),answer=…"
            )
        }
        guard let question = value.string else {
            throw ReasoningError(.malformedProblem, "\"\(name)\" has the wrong type: it must be a text")
        }
        guard layout != .bbh, let passage = fields["passage"] ?? fields["context"] ?? fields["article"],
            let text = passage.string
        else { return question }
        return text + "\n\n" + question
    }

    private func solution(in fields: [String: RecordValue]) throws -> String? {
        let value =
            fields["solution"] ?? fields["rationale"] ?? fields["explanation"] ?? fields["other"]?.fields?["solution"]
        return value.flatMap { $0.isEmpty ? nil : $0.string }
    }

    private func boxed(_ solution: String) throws -> String {
        guard let answer = BoxedAnswer.last(in: Array(solution.utf8)) else {
            throw ReasoningError(
                .missingAnswer,
                "\"solution\" has no \\boxed{…} with the answer, and there is no \"answer\": add one of them, or leave the "
                    + "problem out"
            )
        }
        return answer
    }

    private func identity(_ fields: [String: RecordValue]) throws -> (String?, ProblemRecord.IDSource) {
        switch fields["id"] ?? fields["unique_id"] {
        case nil: return (nil, .question)
        case .string(let text): return (text.trimmed, .name)
        case .integer(let number): return (String(number), .number)
        default:
            throw ReasoningError(.malformedProblem, "\"id\" has the wrong type: it must be a text or a whole number")
        }
    }

    private func family(in fields: [String: RecordValue], layout: ProblemLayout?) throws -> String? {
        if let value = fields["family"] {
            return try Self.text(value, "family")
        }
        let names: [String] =
            switch layout {
            case .math: ["type", "subject"]
            case .arc, .agieval, .choice: ["subject", "category"]
            case .bbh: ["task"]
            case .gsm8k, .plain, nil: []
            }
        return names.lazy.compactMap { fields[$0]?.string }.first ?? (layout == .bbh ? family : nil)
    }

    private func steps(in fields: [String: RecordValue]) throws -> Int? {
        guard let value = fields["steps"] else { return nil }
        guard case .integer(let steps) = value else {
            throw ReasoningError(.malformedProblem, "\"steps\" has the wrong type: it must be a whole number")
        }
        return Int(steps)
    }

    // MARK: Errors

    static func text(_ value: RecordValue, _ name: String) throws -> String {
        if case .bool(let value) = value { return value ? "true" : "false" }
        guard let text = value.text else {
            throw ReasoningError(.malformedProblem, "\"\(name)\" has the wrong type: it must be a text or a number")
        }
        return text
    }

    static func missing(_ name: String) -> ReasoningError {
        ReasoningError(.malformedProblem, "\"\(name)\" is missing or empty")
    }

    static func missingAnswer(_ name: String) -> ReasoningError {
        ReasoningError(
            .missingAnswer,
            "\"\(name)\" is missing or empty: without a reference answer nothing that a teacher or a student writes could be "
                + "verified; add the answer, or leave the problem out"
        )
    }
}
