public import Schemas

/// What a stage's examples are made of: training problems, what the teacher made of them, and the parent's attempts.
///
/// Everything is in order of the problem's id, whatever order it is given in: a stage learns from the same examples in
/// the same order wherever they come from.
public struct StageMaterial: Sendable {
    /// The training problems.
    public let problems: [ProblemEvent]
    /// The verified traces of these problems.
    public let traces: [TraceEvent]
    /// The located key steps by dual trace; a pair without is located when its examples are made.
    public let keySteps: [String: KeyStepsEvent]
    /// The parent's attempts at the problems of the roll-out.
    public let attempts: [AttemptEvent]
    /// The problems of the roll-out.
    public let attempted: [ProblemEvent]
    /// The teacher's corrections of wrong attempts, verified or not.
    public let corrections: [TraceEvent]

    /// Collects material.
    ///
    /// Arguments:
    ///   - traces: those that are not verified, or of other problems, are left out.
    ///   - keySteps: of these traces, in the form and by the tie rule that the stage asks for.
    public init(
        problems: [ProblemEvent],
        traces: [TraceEvent] = [],
        keySteps: [KeyStepsEvent] = [],
        attempts: [AttemptEvent] = [],
        attempted: [ProblemEvent] = [],
        corrections: [TraceEvent] = []
    ) {
        let known = Set(problems.map(\.id))
        self.problems = problems.sorted { Self.isBefore($0.id, $1.id) }
        self.traces = traces.filter { $0.verified && known.contains($0.problemId) }
            .sorted { Self.isBefore($0.problemId, $0.id, $1.problemId, $1.id) }
        self.keySteps = Dictionary(keySteps.map { ($0.traceId, $0) }) { first, _ in first }
        // Ids of attempts depend on the run: another run of the same recipe has the same order all the same.
        let attempts = attempts.sorted {
            $0.problemId == $1.problemId
                ? ($0.sample, $0.id) < ($1.sample, $1.id) : Self.isBefore($0.problemId, $1.problemId)
        }
        let places = Dictionary(attempts.enumerated().map { ($0.element.id, $0.offset) }) { first, _ in first }
        func place(_ trace: TraceEvent) -> Int { trace.attemptId.flatMap { places[$0] } ?? .max }
        self.attempts = attempts
        self.attempted = attempted.sorted { Self.isBefore($0.id, $1.id) }
        self.corrections = corrections.sorted {
            place($0) == place($1) ? Self.isBefore($0.id, $1.id) : place($0) < place($1)
        }
    }

    /// By bytes, as PostgreSQL's collation "C".
    private static func isBefore(_ first: String, _ second: String) -> Bool {
        first.utf8.lexicographicallyPrecedes(second.utf8)
    }

    private static func isBefore(_ key: String, _ id: String, _ otherKey: String, _ otherID: String) -> Bool {
        key == otherKey ? isBefore(id, otherID) : isBefore(key, otherKey)
    }

    /// The training problems by id.
    var problemsByID: [String: ProblemEvent] {
        Dictionary(problems.map { ($0.id, $0) }) { first, _ in first }
    }
}
