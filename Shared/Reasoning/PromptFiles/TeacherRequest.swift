/// A question to the teacher with everything that it needs.
///
/// References are shown without GSM8K's calculator marks, which a model would copy.
public enum TeacherRequest: Sendable, Hashable {
    /// Solve the problem.
    case chainOfThought(question: String)
    /// Solve the problem as a thought template.
    case hierarchicalThought(question: String)
    /// Turn the reference into a template; `remarks` are an inspector's, or empty.
    case templateExtraction(question: String, reference: String, remarks: String = "")
    /// Judge a template.
    case inspectTemplate(question: String, reference: String, candidate: String)
    /// Judge a correction.
    case inspectCorrection(question: String, reference: String, candidate: String)
    /// Corrupt a right chain.
    case corrupt(question: String, chain: String, demonstrations: [CorruptionDemonstration] = [])
    /// Solve with the answer as a hint; `chain` is the earlier wrong one, or empty.
    case rectify(question: String, answer: String, chain: String = "")
    /// Say what kind of mistake the wrong chain makes.
    case classifyMistake(question: String, right: String, wrong: String)
    /// Correct an attempt, knowing the reference; its steps are shown with their numbers.
    case groundedCorrection(question: String, reference: String, attempt: [String], remarks: String = "")
    /// Correct an attempt.
    case correction(question: String, attempt: [String])

    /// The prompt that it uses.
    public var promptID: PromptID {
        switch self {
        case .chainOfThought: .chainOfThought
        case .hierarchicalThought: .hierarchicalThought
        case .templateExtraction: .templateExtraction
        case .inspectTemplate: .inspectTemplate
        case .inspectCorrection: .inspectCorrection
        case .corrupt: .corrupt
        case .rectify: .rectify
        case .classifyMistake: .classifyMistake
        case .groundedCorrection: .groundedCorrection
        case .correction: .correction
        }
    }

    /// The messages to send, by the shipped prompts and examples or a user's.
    ///
    /// - Throws: ``ReasoningError`` where a prompt file cannot be read.
    public func messages(prompts: PromptLibrary = .shipped) throws -> [PromptMessage] {
        try prompts.prompt(promptID).messages(try values(prompts))
    }

    private func values(_ prompts: PromptLibrary) throws -> [String: String] {
        switch self {
        case .chainOfThought(let question):
            [
                "question": question,
                "demonstrations": try prompts.demonstrations().map {
                    "### Problem\n\($0.question)\n### Response\n\($0.right)\n"
                }.joined(separator: "\n"),
            ]
        case .hierarchicalThought(let question):
            ["question": question]
        case .templateExtraction(let question, let reference, let remarks):
            ["question": question, "reference": WorkedSolution.withoutMarks(reference), "remarks": remarks]
        case .inspectTemplate(let question, let reference, let candidate),
            .inspectCorrection(let question, let reference, let candidate):
            [
                "question": question, "reference": WorkedSolution.withoutMarks(reference), "candidate": candidate,
            ]
        case .corrupt(let question, let chain, let demonstrations):
            [
                "question": question, "chain": chain,
                "demonstrations": demonstrations.map {
                    "### Problem\n\($0.question)\n### Right response\n\($0.right)\n### Wrong response\n\($0.wrong)\n"
                }.joined(separator: "\n"),
            ]
        case .rectify(let question, let answer, let chain):
            [
                "question": question, "answer": answer, "chain": chain,
                "demonstrations": try prompts.demonstrations().map { example in
                    let earlier = chain.isEmpty ? "" : example.wrong.map { "### Earlier attempt\n\($0)\n" } ?? ""
                    return "### Problem\n\(example.question)\n### Hint\nThe correct answer is \(example.answer).\n"
                        + "\(earlier)### Response\n\(example.right)\n"
                }.joined(separator: "\n"),
            ]
        case .classifyMistake(let question, let right, let wrong):
            ["question": question, "right": right, "wrong": wrong]
        case .groundedCorrection(let question, let reference, let attempt, let remarks):
            [
                "question": question, "reference": WorkedSolution.withoutMarks(reference), "remarks": remarks,
                "attempt": Self.numbered(attempt),
            ]
        case .correction(let question, let attempt):
            ["question": question, "attempt": Self.numbered(attempt)]
        }
    }

    /// An attempt's steps with their numbers, a line each: what a step's own line ends would make of one are two.
    public static func numbered(_ attempt: [String]) -> String {
        attempt.enumerated().map { index, step in
            "\(index + 1). " + step.split(whereSeparator: \.isNewline).joined(separator: " ")
        }.joined(separator: "\n")
    }
}
