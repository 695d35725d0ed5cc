import Reasoning
import Schemas
import Teaching

/// A part of the teacher's work on a problem, as `errata submit --parts` names it.
enum EstimatePart: String, CaseIterable, Sendable {
    case chains, duals, mistakes, templates

    /// What the teacher is asked with for it.
    var prompts: [PromptID] {
        switch self {
        case .chains: [.chainOfThought]
        case .duals: [.rectify, .corrupt]
        case .mistakes: [.classifyMistake]
        case .templates: [.templateExtraction, .inspectTemplate]
        }
    }
}

/// What an estimate takes where no call was made yet from which it could be measured.
///
/// What a teacher will write is not known before it is asked. In its place stands the problem's reference solution, or, where
/// it has none, a text as long as the question.
enum EstimateDefaults {
    /// The characters of a token: English prose has some 4 with the vocabularies of today's models, numbers and signs fewer.
    static let charactersPerToken = 3.5
    /// The calls with each prompt for a problem, all of whose answers are right at once.
    ///
    /// Of a dual pair that is one call more than it takes, as a chain is either rectified or corrupted; answers that are
    /// refused and asked for again take more.
    static let callsPerProblem = 1.0
    /// The characters of a key note, a summary and their tags: about those of the example in the prompt for templates.
    static let templateNotes = 250
    /// The characters of a told mistake: those of the example in the prompt for them.
    static let mistake = 140
    /// The characters of an inspector's verdict that finds nothing: `<Verdict>ok</Verdict>`.
    static let verdict = 21

    /// What stands for a chain of thought.
    static func chain(of problem: ProblemEvent) -> String {
        problem.solution.map { WorkedSolution.withoutMarks($0) } ?? problem.question
    }

    /// What stands for a thought template, without its notes.
    static func template(of problem: ProblemEvent) -> String {
        ThoughtTemplate(
            steps: WorkedSolution.parse(chain(of: problem)).steps.map { TemplateStep(text: $0.text) },
            generalization: "",
            answer: problem.answer
        ).xml
    }

    /// The characters that one call sends, by the prompts as they are really made.
    ///
    /// - Throws: `ReasoningError` where a prompt file cannot be read.
    static func sent(_ prompt: PromptID, for problem: ProblemEvent, prompts: PromptLibrary) throws -> Int {
        guard let request = try request(prompt, for: problem, prompts: prompts) else { return 0 }
        let messages = try request.messages(prompts: prompts)
        let characters = messages.reduce(0) { $0 + $1.content.unicodeScalars.count }
        return prompt == .inspectTemplate ? characters + templateNotes : characters
    }

    /// The characters that one call gives back.
    static func received(_ prompt: PromptID, for problem: ProblemEvent) -> Int {
        switch prompt {
        case .chainOfThought, .rectify, .corrupt: chain(of: problem).unicodeScalars.count
        case .templateExtraction: template(of: problem).unicodeScalars.count + templateNotes
        case .classifyMistake: mistake
        default: verdict
        }
    }

    /// What is asked; nil of prompts that are no part of the work on a problem.
    private static func request(
        _ prompt: PromptID,
        for problem: ProblemEvent,
        prompts: PromptLibrary
    ) throws -> TeacherRequest? {
        let chain = chain(of: problem)
        switch prompt {
        case .chainOfThought: return .chainOfThought(question: problem.question)
        case .rectify: return .rectify(question: problem.question, answer: problem.answer, chain: chain)
        case .corrupt:
            let examples = try LibraryDemonstrations(prompts).corruption(for: problem)
            return .corrupt(question: problem.question, chain: chain, demonstrations: examples)
        case .classifyMistake: return .classifyMistake(question: problem.question, right: chain, wrong: chain)
        case .templateExtraction: return .templateExtraction(question: problem.question, reference: chain)
        case .inspectTemplate:
            return .inspectTemplate(question: problem.question, reference: chain, candidate: template(of: problem))
        default: return nil
        }
    }
}

/// What a file's problems would have the teacher asked, one call of each prompt a problem.
struct EstimateTally: Sendable {
    /// The prompts, in the order in which they are asked.
    let ids: [PromptID]
    let prompts: PromptLibrary
    /// Problems that the teacher is asked about.
    private(set) var taught = 0
    /// Problems that no teacher is asked about: those to roll out and to evaluate on.
    private(set) var others = 0
    /// Training problems without an answer, which is asked for first where a run says how.
    private(set) var unanswered = 0
    /// Characters, by prompt.
    private(set) var sent: [PromptID: Int] = [:]
    private(set) var received: [PromptID: Int] = [:]

    init(parts: [EstimatePart], prompts: PromptLibrary) {
        ids = parts.flatMap(\.prompts)
        self.prompts = prompts
    }

    /// Adds a problem.
    ///
    /// - Throws: `ReasoningError` where a prompt file cannot be read.
    mutating func add(_ problem: ProblemEvent) throws {
        guard problem.split == .train else {
            others += 1
            return
        }
        guard problem.isAnswered else {
            unanswered += 1
            return
        }
        taught += 1
        for id in ids {
            sent[id, default: 0] += try EstimateDefaults.sent(id, for: problem, prompts: prompts)
            received[id, default: 0] += EstimateDefaults.received(id, for: problem)
        }
    }
}
