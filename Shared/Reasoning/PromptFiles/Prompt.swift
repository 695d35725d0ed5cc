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
    /// Solve a problem as a thought template: asked of a student.
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
    /// Say what kind of mistake a wrong chain makes.
    case classifyMistake = "classify-mistake"
    /// Correct an attempt, knowing the solution.
    case groundedCorrection = "grounded-correction"
    /// Correct an attempt without the solution: asked of a student.
    case correction
    /// Solve a problem, one step a line: asked of a student.
    case studentChain = "student-chain"

    /// The places that a prompt file of this id must have: what the teacher cannot do without.
    public var requiredPlaces: [String] {
        switch self {
        case .chainOfThought, .hierarchicalThought, .studentChain: ["question"]
        case .templateExtraction: ["question", "reference"]
        case .inspectTemplate, .inspectCorrection: ["question", "reference", "candidate"]
        case .corrupt: ["question", "chain"]
        case .rectify: ["question", "answer"]
        case .classifyMistake: ["question", "right", "wrong"]
        case .groundedCorrection: ["question", "reference", "attempt"]
        case .correction: ["question", "attempt"]
        }
    }

    /// The places that it may have beside them; each may be filled with nothing.
    public var optionalPlaces: [String] {
        switch self {
        case .chainOfThought, .corrupt: ["demonstrations"]
        case .rectify: ["demonstrations", "chain"]
        case .templateExtraction, .groundedCorrection: ["remarks"]
        case .hierarchicalThought, .inspectTemplate, .inspectCorrection, .classifyMistake, .correction, .studentChain:
            []
        }
    }
}

/// A prompt file: `version: n`, then `[system]`, `[user]` and `[assistant]` sections with `{{name}}` places.
public struct Prompt: Sendable, Hashable {
    /// Which prompt it is.
    public let id: PromptID
    /// The file's version, recorded in every trace; ``PromptLibrary`` adds a hash of the content to a user's.
    public internal(set) var version: String
    /// The sections with their places still open.
    public let sections: [PromptMessage]

    /// Reads a prompt file.
    ///
    /// - Throws: ``ReasoningError`` where the version or every section is missing, or where a place is unknown,
    ///   unclosed, or missing.
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
        guard let version, (1...40).contains(version.count) else {
            throw ReasoningError(
                .prompt,
                "the prompt \(id.rawValue) has no line \"version: n\" before its sections, n of at most 40 characters"
            )
        }
        guard !sections.isEmpty else {
            throw ReasoningError(.prompt, "the prompt \(id.rawValue) has no [system] or [user] section")
        }
        self.id = id
        self.version = version
        self.sections = sections
        try checkPlaces()
    }

    /// The names of the places, in order of appearance.
    public var places: [String] { sections.flatMap { Self.places(in: $0.content).names } }

    private func checkPlaces() throws {
        let known = id.requiredPlaces + id.optionalPlaces
        let list = known.map { "{{\($0)}}" }.joined(separator: ", ")
        if sections.contains(where: { !Self.places(in: $0.content).isClosed }) {
            throw ReasoningError(
                .prompt,
                "the prompt \(id.rawValue) has a {{ without a }} after it; its places are \(list)"
            )
        }
        let places = places
        if let unknown = places.first(where: { !known.contains($0) }) {
            throw ReasoningError(
                .prompt,
                "the prompt \(id.rawValue) has the unknown place {{\(unknown.prefix(40))}}; its places are \(list)"
            )
        }
        if let missing = id.requiredPlaces.first(where: { !places.contains($0) }) {
            throw ReasoningError(
                .prompt,
                "the prompt \(id.rawValue) does not have the place {{\(missing)}}, which the teacher cannot do without: "
                    + "add it to a section"
            )
        }
    }

    private static func places(in text: String) -> (names: [String], isClosed: Bool) {
        var names: [String] = []
        var rest = text[...]
        while let open = rest.range(of: "{{") {
            guard let close = rest.range(of: "}}", range: open.upperBound..<rest.endIndex) else {
                return (names, false)
            }
            names.append(String(rest[open.upperBound..<close.lowerBound]))
            rest = rest[close.upperBound...]
        }
        return (names, true)
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
