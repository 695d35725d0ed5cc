import Reasoning
import Schemas

/// Answers a problem that has no reference answer by agreement.
///
/// Chains are sampled, and an answer that enough of them reach is taken (self-consistency, Wang and others, 2023).
struct AgreementStage: Sendable {
    let work: TeacherWork

    /// The temperature of the samples where the role has none of its own: high enough for chains that differ.
    static let temperature = 0.7

    /// The role's own temperature; not 0, at which all samples are one.
    private var temperature: Double {
        work.options.temperatures[.solver].flatMap { $0 > 0 ? $0 : nil } ?? Self.temperature
    }

    /// Asks until an answer has the votes that it needs, or none can have them any more.
    func vote(_ problem: ProblemEvent, agreement: RunAgreement) async throws -> ProblemAgreement {
        var answers: [String] = []
        // An answer is counted with those that it equals, under the first of them.
        var groups: [(answer: String, votes: Int)] = []
        for sample in 0..<agreement.of {
            let most = groups.map(\.votes).max() ?? 0
            if most >= agreement.agreeing || most + agreement.of - sample < agreement.agreeing { break }
            let reply = try await work.ledger.ask(
                .chainOfThought(question: problem.question),
                subject: problem.id,
                temperature: temperature,
                attempt: sample
            )
            guard reply.refusal == nil, let answer = WorkedSolution.parse(reply.text).answer else {
                answers.append("")
                continue
            }
            answers.append(answer)
            if let place = groups.firstIndex(where: {
                AnswerEquivalence.equivalent(gold: $0.answer, predicted: answer)
            }) {
                groups[place].votes += 1
            } else {
                groups.append((answer, 1))
            }
        }
        let winner = groups.first { $0.votes >= agreement.agreeing }
        return ProblemAgreement(answer: winner?.answer, votes: groups.map(\.votes).max() ?? 0, answers: answers)
    }
}

/// What came of asking for a problem's answer by agreement.
public struct ProblemAgreement: Sendable, Hashable {
    /// The answer; nil where not enough samples agree.
    public let answer: String?
    /// The samples that agree on it, or on the most frequent one.
    public let votes: Int
    /// The answer of each sample in order; empty where it has none.
    public let answers: [String]
}
