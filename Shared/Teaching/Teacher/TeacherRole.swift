public import Reasoning

/// What a teacher is asked to be: each role may be another model with settings of its own.
public enum TeacherRole: String, Sendable, Hashable, CaseIterable, Codable {
    /// Writes chains of thought: right ones, with a hint, and corrupted ones.
    case solver
    /// Turns reference solutions into thought templates.
    case template
    /// Judges templates and corrections.
    case inspector
    /// Finds and corrects the first wrong step of an attempt.
    case corrector
    /// Says what kind of mistake a wrong chain makes.
    case classifier
}

extension PromptID {
    /// Who is asked with this prompt.
    public var role: TeacherRole {
        switch self {
        case .chainOfThought, .studentChain, .corrupt, .rectify: .solver
        case .hierarchicalThought, .templateExtraction: .template
        case .inspectTemplate, .inspectCorrection: .inspector
        case .groundedCorrection, .correction: .corrector
        case .classifyMistake: .classifier
        }
    }
}
