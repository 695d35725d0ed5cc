import Distillation
import Foundation
import LanguageModel
import Reasoning
import Schemas

/// Wrong attempts of a student with the teacher's corrections of them.
struct Rollout: Sendable, Codable {
    /// What decides the outcome.
    var fingerprint: String
    /// Problems attempted.
    var attempted = 0
    /// The wrong attempts.
    var wrong: [Entry] = []

    /// A wrong attempt.
    struct Entry: Sendable, Codable {
        var problem: ProblemEvent
        var attempt: AttemptEvent
        /// The teacher's correction, verified or not.
        var correction: TraceEvent?
    }
}
