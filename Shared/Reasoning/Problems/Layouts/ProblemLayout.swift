/// The layouts of lines of problems that are read, by the names of their fields.
public enum ProblemLayout: String, Sendable, Hashable, CaseIterable {
    /// GSM8K's: `question`, and `answer` that ends in `#### n`.
    case gsm8k
    /// MATH's: `problem`, and `solution` with the answer in its last `\boxed{…}`, or in `answer`; `level`, `type`.
    case math
    /// ARC's, in both spellings: `question`, `choices` {`text`, `label`} and `answerKey`; or `question` {`stem`, `choices`}.
    case arc
    /// AGIEval's: `passage`, `question`, `options` with their own labels, `label`.
    case agieval
    /// Multiple choice, MMLU's among them: `question`, `choices` or `options`, and `answer` as an index from 0, a letter or
    /// the option's text.
    case choice
    /// BIG-Bench Hard's: `input` and `target`, a line each or in one file's `examples`.
    case bbh
    /// `question` or `problem`, and `answer`, which is the answer alone.
    case plain

    /// The layouts that the fields of a line could be of; of several none is taken.
    static func candidates(_ fields: [String: RecordValue]) -> [ProblemLayout] {
        var found: [ProblemLayout] = []
        let options = fields["choices"] ?? fields["options"]
        if let question = fields["question"] ?? fields["question_stem"] {
            if question.fields != nil || options?.fields?["text"] != nil || options?.list?.first?.fields != nil {
                found.append(.arc)
            } else if options != nil {
                found.append(fields["label"] != nil || fields["passage"] != nil ? .agieval : .choice)
            } else {
                found.append(fields["answer"]?.text?.contains("####") == true ? .gsm8k : .plain)
            }
        }
        if fields["problem"] != nil {
            found.append(options != nil ? .choice : fields["solution"] != nil ? .math : .plain)
        }
        if fields["input"] != nil, fields["target"] != nil { found.append(.bbh) }
        return found
    }
}
