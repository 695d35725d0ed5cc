import Foundation

/// One message of a chat.
public struct PromptMessage: Sendable, Hashable, Codable {
    /// `system`, `user` or `assistant`.
    public var role: String
    /// The text.
    public var content: String

    /// Makes a message.
    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}

/// The prompts of the pipeline.
public enum PromptID: String, Sendable, Hashable, Codable, CaseIterable {
    /// Solve a problem, one step a line.
    case chainOfThought = "chain-of-thought"
    /// Solve a problem as a thought template.
    case hierarchicalThought = "hierarchical-thought"
    /// Turn a worked solution into a thought template.
    case templateExtraction = "template-extraction"
    /// Judge a thought template.
    case inspectTemplate = "inspect-template"
    /// Judge a correction trace.
    case inspectCorrection = "inspect-correction"
    /// Make a plausible wrong chain of a right one (CCP).
    case corrupt
    /// Solve a problem with the answer as a hint (AHP).
    case rectify
    /// Correct an attempt, knowing the solution.
    case groundedCorrection = "grounded-correction"
    /// Correct an attempt without the solution.
    case correction
}

/// A prompt file: `version: n`, then `[system]`, `[user]` and `[assistant]` sections with `{{name}}` places.
public struct Prompt: Sendable, Hashable {
    /// Which prompt it is.
    public let id: PromptID
    /// The file's version, recorded in every trace.
    public let version: String
    /// The sections with their places still open.
    public let sections: [PromptMessage]

    /// Reads a prompt file.
    ///
    /// - Throws: ``ReasoningError`` where the version or every section is missing.
    public init(id: PromptID, file text: String) throws {
        var version: String?
        var sections: [PromptMessage] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            switch line.trimmingCharacters(in: .whitespaces) {
            case "[system]": sections.append(PromptMessage(role: "system", content: ""))
            case "[user]": sections.append(PromptMessage(role: "user", content: ""))
            case "[assistant]": sections.append(PromptMessage(role: "assistant", content: ""))
            case let line where sections.isEmpty:
                if line.hasPrefix("version:") { version = String(line.dropFirst(8)).trimmed }
            default:
                sections[sections.count - 1].content += line + "\n"
            }
        }
        guard let version, !version.isEmpty else {
            throw ReasoningError(.prompt, "the prompt \(id.rawValue) has no line \"version: n\" before its sections")
        }
        guard !sections.isEmpty else {
            throw ReasoningError(.prompt, "the prompt \(id.rawValue) has no [system] or [user] section")
        }
        self.id = id
        self.version = version
        self.sections = sections
    }

    /// The messages with their places filled.
    ///
    /// A `### Heading` that would stand over nothing is left out.
    ///
    /// - Throws: ``ReasoningError`` that names a place without a value.
    public func messages(_ values: [String: String]) throws -> [PromptMessage] {
        try sections.map { PromptMessage(role: $0.role, content: try fill($0.content, values)) }
    }

    private func fill(_ text: String, _ values: [String: String]) throws -> String {
        var result = ""
        var rest = text[...]
        while let open = rest.range(of: "{{"), let close = rest.range(of: "}}", range: open.upperBound..<rest.endIndex)
        {
            let name = String(rest[open.upperBound..<close.lowerBound])
            guard let value = values[name] else {
                throw ReasoningError(.prompt, "the prompt \(id.rawValue) needs a value for {{\(name)}}")
            }
            result += rest[..<open.lowerBound]
            if value.isEmpty, result.hasSuffix("\n"), let heading = result.dropLast().lastIndex(of: "\n"),
                result[result.index(after: heading)...].hasPrefix("### ")
            {
                result = String(result[...heading])
            }
            result += value
            rest = rest[close.upperBound...]
        }
        return (result + rest).trimmed
    }
}

/// The prompts that come with the project.
public enum PromptLibrary {
    /// A prompt as it is shipped.
    public static func prompt(_ id: PromptID) throws -> Prompt {
        try Prompt(id: id, file: String(decoding: bytes(id), as: UTF8.self))
    }

    private static func bytes(_ id: PromptID) -> [UInt8] {
        switch id {
        case .chainOfThought: PackageResources.chain_of_thought_md
        case .hierarchicalThought: PackageResources.hierarchical_thought_md
        case .templateExtraction: PackageResources.template_extraction_md
        case .inspectTemplate: PackageResources.inspect_template_md
        case .inspectCorrection: PackageResources.inspect_correction_md
        case .corrupt: PackageResources.corrupt_md
        case .rectify: PackageResources.rectify_md
        case .groundedCorrection: PackageResources.grounded_correction_md
        case .correction: PackageResources.correction_md
        }
    }
}

/// A problem with a right and a wrong chain, shown to the teacher as an example of a corruption.
public struct CorruptionDemonstration: Sendable, Hashable, Codable {
    /// The problem's question.
    public var question: String
    /// A right chain.
    public var right: String
    /// A wrong chain.
    public var wrong: String

    /// Makes a demonstration.
    public init(question: String, right: String, wrong: String) {
        self.question = question
        self.right = right
        self.wrong = wrong
    }
}

/// A question to the teacher with everything that it needs.
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
    /// Correct an attempt, knowing the reference.
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
        case .groundedCorrection: .groundedCorrection
        case .correction: .correction
        }
    }

    /// The messages to send, by the shipped prompt or one of the user's.
    public func messages(prompt: Prompt? = nil) throws -> [PromptMessage] {
        try (prompt ?? PromptLibrary.prompt(promptID)).messages(values)
    }

    private var values: [String: String] {
        switch self {
        case .chainOfThought(let question), .hierarchicalThought(let question):
            ["question": question]
        case .templateExtraction(let question, let reference, let remarks):
            ["question": question, "reference": reference, "remarks": remarks]
        case .inspectTemplate(let question, let reference, let candidate),
            .inspectCorrection(let question, let reference, let candidate):
            ["question": question, "reference": reference, "candidate": candidate]
        case .corrupt(let question, let chain, let demonstrations):
            [
                "question": question, "chain": chain,
                "demonstrations": demonstrations.map {
                    "### Problem\n\($0.question)\n### Right response\n\($0.right)\n### Wrong response\n\($0.wrong)\n"
                }.joined(separator: "\n"),
            ]
        case .rectify(let question, let answer, let chain):
            ["question": question, "answer": answer, "chain": chain]
        case .groundedCorrection(let question, let reference, let attempt, let remarks):
            [
                "question": question, "reference": reference, "remarks": remarks,
                "attempt": attempt.joined(separator: "\n"),
            ]
        case .correction(let question, let attempt):
            ["question": question, "attempt": attempt.joined(separator: "\n")]
        }
    }
}
