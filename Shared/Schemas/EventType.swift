/// The CloudEvents types of Errata.
///
/// The version is part of the name; inside a version changes are additive only.
public enum EventType: String, Sendable, Hashable, Codable, CaseIterable {
    /// A problem to learn from or to be tested on.
    case problem = "errata.problem.v1"
    /// That the teacher is to be asked more about a stored problem.
    case teachingOrder = "errata.teaching-order.v1"
    /// A run: student, recipe, rounds, gate and suites.
    case run = "errata.run.v1"
    /// What the teacher gave: chain of thought, dual chain, template, verdict or correction.
    case trace = "errata.trace.v1"
    /// A trace that was recorded elsewhere, to be verified.
    case recordedTrace = "errata.recorded-trace.v1"
    /// The key steps of a dual chain.
    case keySteps = "errata.key-steps.v1"
    /// A student's attempt at a problem.
    case attempt = "errata.attempt.v1"
    /// A trained model.
    case checkpoint = "errata.checkpoint.v1"
    /// A checkpoint's score on a suite.
    case evaluation = "errata.evaluation.v1"
    /// A decision on a round's candidate.
    case verdict = "errata.verdict.v1"
    /// What a person tells a run that goes on.
    case runControl = "errata.run-control.v1"
    /// That a problem is not learned from, and why.
    case removal = "errata.removal.v1"
    /// That a teacher is not asked for now, and why.
    case pause = "errata.pause.v1"
    /// A message that failed for good.
    case deadLetter = "errata.dead-letter.v1"

    /// The topic that carries events of this type.
    public var topic: Topic {
        switch self {
        case .problem, .teachingOrder: .problems
        case .run: .runs
        case .trace, .recordedTrace: .traces
        case .keySteps: .keySteps
        case .attempt: .attempts
        case .checkpoint: .checkpoints
        case .evaluation: .evaluations
        case .verdict: .verdicts
        case .runControl: .runs
        case .removal: .removals
        case .pause: .pauses
        case .deadLetter: .deadLetters
        }
    }

    /// The `dataschema` attribute of events of this type, which is also the `$id` of their JSON Schema.
    public var schemaIdentifier: String { "urn:errata:schema:\(rawValue)" }
}

/// The topics of Errata; the raw value is the name at the broker.
public enum Topic: String, Sendable, Hashable, Codable, CaseIterable {
    /// Problems, from anyone, and TeacherIngestion's orders about them to itself.
    case problems = "errata.problems.v1"
    /// Runs and what people tell them, from anyone.
    case runs = "errata.runs.v1"
    /// Traces, from TeacherIngestion, and those that were recorded elsewhere, from anyone.
    case traces = "errata.traces.v1"
    /// Key steps, from KeyStepLocator.
    case keySteps = "errata.key-steps.v1"
    /// Attempts, from Evaluator.
    case attempts = "errata.attempts.v1"
    /// Checkpoints, from TemplateDistiller and DPOTrainer.
    case checkpoints = "errata.checkpoints.v1"
    /// Evaluations, from Evaluator, for downstream tools.
    case evaluations = "errata.evaluations.v1"
    /// Verdicts on candidates, from TemplateDistiller, for downstream tools.
    case verdicts = "errata.verdicts.v1"
    /// Problems that are left out, from TeacherIngestion, for downstream tools.
    case removals = "errata.removals.v1"
    /// Teachers that are not asked for now, from TeacherIngestion, for downstream tools.
    case pauses = "errata.pauses.v1"
    /// Dead letters, from every service.
    case deadLetters = "errata.dead-letters.v1"

    /// What the key of a record is, and so what order holds within.
    public enum KeyMeaning: String, Sendable, Hashable, CaseIterable {
        /// The id of the problem that the event is about.
        case problem = "problem id"
        /// The id of the run that the event belongs to.
        case run = "run id"
        /// What is paused.
        case scope = "what is paused"
        /// `topic/partition` of the message that failed.
        case origin = "topic and partition of the message that failed"
    }

    /// The topic's name at the broker.
    public var name: String { rawValue }

    /// The event types that may stand on the topic.
    public var eventTypes: [EventType] {
        switch self {
        case .problems: [.problem, .teachingOrder]
        case .runs: [.run, .runControl]
        case .traces: [.trace, .recordedTrace]
        case .keySteps: [.keySteps]
        case .attempts: [.attempt]
        case .checkpoints: [.checkpoint]
        case .evaluations: [.evaluation]
        case .verdicts: [.verdict]
        case .removals: [.removal]
        case .pauses: [.pause]
        case .deadLetters: [.deadLetter]
        }
    }

    /// What a message without CloudEvents headers on the topic is taken for: what anyone may send there.
    public var plainEventType: EventType {
        switch self {
        case .traces: .recordedTrace
        default: eventTypes[0]
        }
    }

    /// What the key of a record on the topic means.
    public var keyMeaning: KeyMeaning {
        switch self {
        case .problems, .traces, .keySteps, .attempts, .removals: .problem
        case .runs, .checkpoints, .evaluations, .verdicts: .run
        case .pauses: .scope
        case .deadLetters: .origin
        }
    }

    /// The number of partitions that the topic is made with: the number of copies of a service that can share it.
    public var defaultPartitions: Int {
        switch self {
        case .problems, .traces, .keySteps, .attempts: 4
        case .runs, .checkpoints, .evaluations, .verdicts: 2
        case .removals, .pauses, .deadLetters: 1
        }
    }

    /// How long the broker keeps a record, in milliseconds (`retention.ms`).
    ///
    /// What a service has worked on is in PostgreSQL, and `errata replay` publishes it again. Of what none has worked on yet
    /// the topic has the only copy: services must not be away for so long.
    public var retentionMilliseconds: Int64 {
        let day: Int64 = 24 * 60 * 60 * 1000
        return switch self {
        case .problems, .traces, .keySteps, .attempts: 30 * day
        case .runs, .checkpoints, .evaluations, .verdicts, .removals, .pauses, .deadLetters: 90 * day
        }
    }

    /// What stands on the topic, in a line.
    public var summary: String {
        switch self {
        case .problems: "Problems to learn from or to be tested on; anyone may produce them."
        case .runs: "Runs: a student, the recipe of its stages, rounds, gate and suites; and what people tell runs."
        case .traces:
            "What the teacher gave, verified or not, with the provenance of every call; and what was recorded elsewhere."
        case .keySteps: "Key steps of dual chains: operations, spans and signed token weights."
        case .attempts: "A student's attempts at problems held back for roll-out."
        case .checkpoints: "Trained models, content-addressed."
        case .evaluations: "Scores of checkpoints on suites, with intervals and paired tests."
        case .verdicts: "Whether a round's candidate is the best student now, with the figures."
        case .removals: "Problems that are not learned from: duplicates, and those with an evaluation question in them."
        case .pauses:
            "Teachers that are not asked for now, or are asked again: away, refusing, or a budget that is spent."
        case .deadLetters: "Messages that failed for good, with their cause and original bytes."
        }
    }
}
