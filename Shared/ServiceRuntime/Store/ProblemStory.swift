public import Foundation
public import PostgresClient
public import Schemas

/// What happened to one problem, for people who look at it: from every table that names it.
public enum ProblemStory {
    /// What a part of the story is about.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Its message was taken from the topic.
        case received
        /// It was stored; the details tell what it is and what has become of it since.
        case stored
        /// It was found to be like another problem.
        case overlap
        /// A teacher's samples were counted for its answer.
        case vote
        /// A teacher answered, and the answer was paid for this problem or an attempt at it.
        case teacherCall = "teacher-call"
        /// A teacher gave no answer.
        case failedCall = "failed-call"
        /// A trace was made of answers.
        case trace
        /// The key steps of a dual pair were located.
        case keySteps = "key-steps"
        /// A stage began to learn from it.
        case trained
        /// A student attempted it.
        case attempt
        /// A student was scored on it.
        case evaluated
        /// A message about it was put aside to wait.
        case parked
        /// A message that names it failed for good.
        case deadLetter = "dead-letter"
    }

    /// A part of the story.
    public struct Event: Sendable, Hashable {
        /// When.
        public let at: Date
        /// What it is about.
        public let kind: Kind
        /// The figures and names, without those that are not known.
        public let details: [String: JSONValue]

        /// Makes a part.
        public init(at: Date, kind: Kind, details: [String: JSONValue]) {
            self.at = at
            self.kind = kind
            self.details = details
        }
    }

    /// The story in order of time; empty where nothing names the problem.
    ///
    /// Arguments:
    ///   - eventID: the id of the problem's message, where it is known; else the message is found where it was the only one
    ///     that was taken in at the moment at which the problem was stored.
    public static func events(of id: String, eventID: String? = nil, from pool: PostgresPool) async throws -> [Event] {
        let attempts = try await pool.values("SELECT id FROM attempts WHERE problem_id = \(id)", as: String.self)
        let corrections = try await pool.values(
            "SELECT id FROM traces WHERE problem_id = \(id) AND kind = 'correction'",
            as: String.self
        )
        // What a teacher is asked about an attempt is paid under the attempt's id.
        let subjects = [id] + attempts
        let parts: [(Kind, SQL)] = [
            (.stored, stored(id)), (.overlap, overlaps(id)), (.vote, votes(id)), (.teacherCall, calls(subjects)),
            (.failedCall, failedCalls(subjects)), (.trace, traces(id)), (.keySteps, keySteps(id)),
            (.trained, trained("problem", [id])), (.trained, trained("correction", corrections)),
            (.attempt, Self.attempts(id)), (.evaluated, evaluated(id)), (.parked, parked(id)),
            (.deadLetter, deadLetters(id)),
        ]
        var events = try await received(id, eventID: eventID, from: pool)
        for (kind, sql) in parts { events += try await read(kind, sql, from: pool) }
        let ranks = Dictionary(Kind.allCases.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        return events.sorted { ($0.at, ranks[$0.kind] ?? 0) < ($1.at, ranks[$1.kind] ?? 0) }
    }

    private static func read(_ kind: Kind, _ sql: SQL, from pool: PostgresPool) async throws -> [Event] {
        try await pool.query("SELECT part.at, jsonb_strip_nulls(part.details)::text AS details FROM (\(sql)) AS part")
            .map {
                Event(
                    at: try $0.get("at", as: Date.self),
                    kind: kind,
                    details: try EventCoding.decodeJSON(from: Data(try $0.get("details", as: String.self).utf8))
                )
            }
    }

    // MARK: Messages

    private static func received(_ id: String, eventID: String?, from pool: PostgresPool) async throws -> [Event] {
        let known = try await read(
            .received,
            """
            SELECT received_at AS at, \(message) AS details FROM inbox
            WHERE consumer = 'teacher-ingestion' AND topic = \(Topic.problems.rawValue) AND event_id = \(eventID)
            """,
            from: pool
        )
        guard known.isEmpty else { return known }
        // A message's row and its effects are of one transaction, and so of one time.
        let together = try await read(
            .received,
            """
            SELECT received_at AS at, \(message) AS details FROM inbox
            WHERE consumer = 'teacher-ingestion' AND topic = \(Topic.problems.rawValue)
              AND received_at = (SELECT created_at FROM problems WHERE id = \(id))
            LIMIT 2
            """,
            from: pool
        )
        return together.count == 1 ? together : []
    }

    private static var message: SQL {
        """
        jsonb_build_object('topic', topic, 'partition', partition, 'offset', "offset", 'event', event_id)
        """
    }

    private static func parked(_ id: String) -> SQL {
        """
        SELECT parked_at AS at, jsonb_build_object('consumer', consumer, 'topic', topic, 'partition', partition,
                   'offset', "offset", 'tries', tries, 'nextTry', next_try, 'reason', left(reason, 500)) AS details
        FROM parked_messages WHERE key = \(Data(id.utf8))
        """
    }

    private static func deadLetters(_ id: String) -> SQL {
        // Messages without a key are searched for the id.
        """
        SELECT failed_at AS at, jsonb_build_object('id', id, 'consumer', consumer, 'topic', topic, 'partition', partition,
                   'offset', "offset", 'cause', cause_code, 'message', left(cause_message, 500), 'attempts', attempts,
                   'state', \(DeadLetters.stateColumn)) AS details
        FROM dead_letters
        WHERE key = \(Data(id.utf8)) OR key IS NULL AND position(\(Data(id.utf8)) IN payload) > 0
        """
    }

    // MARK: Intake

    private static func stored(_ id: String) -> SQL {
        """
        SELECT created_at AS at, jsonb_build_object('dataset', dataset, 'split', split, 'state', state, 'taught', taught,
                   'answerSource', answer_source, 'family', family, 'question', left(question, 500),
                   'traceId', split_part(trace_context, '-', 2)) AS details
        FROM problems WHERE id = \(id)
        """
    }

    private static func overlaps(_ id: String) -> SQL {
        """
        SELECT overlap.created_at AS at, jsonb_build_object('kind', overlap.kind, 'similarity', overlap.similarity,
                   'other', other.problem_id, 'otherDataset', other.dataset, 'otherSplit', other.split,
                   'standsAgainst', CASE WHEN overlap.problem_id = \(id) THEN 'this' ELSE 'the other' END) AS details
        FROM problem_overlaps AS overlap
        JOIN problem_fingerprints AS other
          ON other.problem_id = CASE WHEN overlap.problem_id = \(id) THEN overlap.other_id ELSE overlap.problem_id END
        WHERE overlap.problem_id = \(id) OR overlap.other_id = \(id)
        """
    }

    private static func votes(_ id: String) -> SQL {
        """
        SELECT created_at AS at, jsonb_build_object('answer', answer, 'votes', votes, 'agreeing', agreeing, 'run', run_id)
                   AS details
        FROM problem_votes WHERE problem_id = \(id)
        """
    }

    // MARK: Teacher

    private static func calls(_ subjects: [String]) -> SQL {
        """
        SELECT created_at AS at, jsonb_build_object('role', role, 'prompt', prompt_id, 'promptVersion', prompt_version,
                   'model', model, 'askedModel', asked_model, 'sample', sample, 'promptTokens', prompt_tokens,
                   'completionTokens', completion_tokens, 'cost', cost, 'latencyMs', latency_ms,
                   'finishReason', finish_reason, 'run', run_id, 'for', problem_id) AS details
        FROM teacher_calls WHERE problem_id = ANY(\(subjects))
        """
    }

    private static func failedCalls(_ subjects: [String]) -> SQL {
        """
        SELECT created_at AS at, jsonb_build_object('role', role, 'prompt', prompt_id, 'model', model, 'outcome', outcome,
                   'message', left(message, 500), 'mayBeBilled', may_be_billed, 'latencyMs', latency_ms, 'run', run_id,
                   'for', problem_id) AS details
        FROM teacher_failed_calls WHERE problem_id = ANY(\(subjects))
        """
    }

    private static func traces(_ id: String) -> SQL {
        """
        SELECT created_at AS at, jsonb_build_object('id', id, 'kind', kind, 'verified', verified, 'failure', failure,
                   'failureKind', body->>'failureKind', 'method', body->'body'->>'method',
                   'mistake', body->'body'->>'mistake', 'accepted', body->'body'->'accepted',
                   'inspected', body->'body'->>'inspectedTraceId', 'model', body->'teacher'->>'model',
                   'calls', body->'teacher'->'calls', 'attempt', attempt_id, 'run', run_id) AS details
        FROM traces WHERE problem_id = \(id)
        """
    }

    private static func keySteps(_ id: String) -> SQL {
        """
        SELECT key_steps.created_at AS at, jsonb_build_object('id', key_steps.id, 'trace', key_steps.trace_id,
                   'tokenizer', tokenizer, 'tieRule', tie_rule, 'format', format, 'distance', distance,
                   'rightKeyTokens', right_keys, 'wrongKeyTokens', wrong_keys) AS details
        FROM traces JOIN key_steps ON key_steps.trace_id = traces.id WHERE traces.problem_id = \(id)
        """
    }

    // MARK: Students

    private static func trained(_ kind: String, _ ids: [String]) -> SQL {
        // By job, so that the primary key finds the rows.
        """
        SELECT coalesce(job.started_at, job.created_at) AS at, jsonb_build_object('run', job.run_id, 'name', runs.name,
                   'round', job.round, 'stage', job.stage, 'job', job.state,
                   'trace', CASE WHEN input.kind = 'correction' THEN input.id END) AS details
        FROM training_jobs AS job JOIN runs ON runs.id = job.run_id
        JOIN stage_inputs AS input
          ON input.run_id = job.run_id AND input.round = job.round AND input.stage = job.stage
        WHERE input.kind = \(kind) AND input.id = ANY(\(ids))
        """
    }

    private static func attempts(_ id: String) -> SQL {
        """
        SELECT created_at AS at, jsonb_build_object('id', id, 'run', run_id, 'checkpoint', checkpoint_id,
                   'round', body->'round', 'sample', sample, 'correct', correct, 'answer', left(body->>'answer', 200),
                   'truncated', body->'truncated', 'grader', grader) AS details
        FROM attempts WHERE problem_id = \(id)
        """
    }

    private static func evaluated(_ id: String) -> SQL {
        """
        SELECT coalesce(job.finished_at, job.created_at) AS at, jsonb_build_object('evaluation', job.id, 'run', job.run_id,
                   'checkpoint', job.checkpoint_id, 'suite', job.suite, 'correct', result.correct,
                   'answer', left(result.answer, 200), 'truncated', result.truncated, 'grader', result.grader) AS details
        FROM evaluation_jobs AS job JOIN evaluation_results AS result ON result.evaluation_id = job.id
        WHERE result.problem_id = \(id)
        """
    }
}
