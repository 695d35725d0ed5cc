public import PostgresClient
public import Schemas

/// What KeyStepLocator reads and writes: the pairs of a problem, and their key steps.
extension TraceStore {
    /// What the key steps of problems' pairs depend on.
    public struct PairContext: Sendable {
        /// A problem, and what is known of it.
        public struct Problem: Sendable {
            /// Its data set.
            public let dataset: String
            /// Its right answer.
            public let answer: String
            private let templateText: String?

            /// Its verified template, read when it is asked for: few runs ask for templates.
            public func template() throws -> TraceEvent? {
                try templateText.map { try EventBody.event(TraceEvent.self, from: $0) }
            }

            fileprivate init(_ row: Row) throws {
                dataset = try row.get("dataset", as: String.self)
                answer = try row.get("answer", as: String.self)
                templateText = try row.get("template", as: String?.self)
            }
        }

        /// The ids of the runs that are active, oldest first.
        public let activeRuns: [String]
        /// The forms in which pairs have key steps already, by the ids of their traces; a pair without is not there.
        public let located: [String: Set<KeyStepForm>]
        /// The problems by their ids; one that there is not is not there.
        public let problems: [String: Problem]
    }

    /// What the key steps of pairs depend on, in two statements, however many there are.
    ///
    /// Arguments:
    ///   - problems: the ids of the pairs' problems.
    ///   - traces: the ids of the pairs' traces.
    public static func pairContext(
        problems: [String],
        traces: [String],
        from database: some PostgresQueryable
    ) async throws -> PairContext {
        let rows = try await database.query(
            """
            SELECT problems.id, problems.dataset, problems.answer, (
                SELECT body::text FROM traces
                WHERE problem_id = problems.id AND kind = 'template' AND verified ORDER BY id LIMIT 1
            ) AS template
            FROM problems WHERE problems.id = ANY(\(problems))
            """
        )
        let state = try await database.first(
            """
            SELECT active.runs, located.*
            FROM (
                SELECT coalesce(array_agg(id ORDER BY created_at, id), '{}') AS runs FROM runs WHERE state = 'active'
            ) AS active
            CROSS JOIN (\(locatedForms(of: traces))) AS located
            """
        )
        let known = try rows.map { (try $0.get("id", as: String.self), try PairContext.Problem($0)) }
        return PairContext(
            activeRuns: try state?.get("runs", as: [String].self) ?? [],
            located: try state.map { try located(in: $0) } ?? [:],
            problems: Dictionary(known) { first, _ in first }
        )
    }

    /// The forms in which pairs have key steps, by the ids of their traces; a pair without is not there.
    public static func located(
        traces: [String],
        from database: some PostgresQueryable
    ) async throws -> [String: Set<KeyStepForm>] {
        guard let row = try await database.first(locatedForms(of: traces)) else { return [:] }
        return try located(in: row)
    }

    /// One row of four arrays, in which each place is a form of a pair.
    ///
    /// Each trace is looked up by the index: a join would be planned while the table is small, and its plan kept.
    private static func locatedForms(of traces: [String]) -> SQL {
        """
        SELECT coalesce(array_agg(asked.id), '{}') AS traces,
               coalesce(array_agg(form.tokenizer), '{}') AS tokenizers,
               coalesce(array_agg(form.tie_rule), '{}') AS tie_rules,
               coalesce(array_agg(form.format), '{}') AS formats
        FROM unnest(\(traces)) AS asked (id)
        CROSS JOIN LATERAL (
            SELECT tokenizer, tie_rule, format FROM key_steps WHERE trace_id = asked.id ORDER BY id OFFSET 0
        ) AS form
        """
    }

    private static func located(in row: Row) throws -> [String: Set<KeyStepForm>] {
        let tokenizers = try row.get("tokenizers", as: [String].self)
        let tieRules = try row.get("tie_rules", as: [String].self)
        let formats = try row.get("formats", as: [String].self)
        var located: [String: Set<KeyStepForm>] = [:]
        for (index, trace) in try row.get("traces", as: [String].self).enumerated() {
            located[trace, default: []].insert(
                KeyStepForm(tokenizer: tokenizers[index], tieRule: tieRules[index], format: formats[index])
            )
        }
        return located
    }

    /// The most key steps of one statement, some 5 KB each.
    private static let keyStepRows = 500

    /// Writes the key steps of pairs, each with its body as the event that tells of it has it.
    ///
    /// - Returns: whether all of them are there now as given: not where another writer was faster with the same form and
    ///   other weights.
    public static func insert(
        _ keySteps: [(event: KeyStepsEvent, body: String)],
        in transaction: PostgresTransaction
    ) async throws -> Bool {
        var areAllThere = true
        for start in stride(from: 0, to: keySteps.count, by: keyStepRows) {
            let part = keySteps[start..<min(start + keyStepRows, keySteps.count)]
            areAllThere = try await insert(part: part, in: transaction) && areAllThere
        }
        return areAllThere
    }

    private static func insert(
        part: ArraySlice<(event: KeyStepsEvent, body: String)>,
        in transaction: PostgresTransaction
    ) async throws -> Bool {
        let events = part.map(\.event)
        let (ids, bodies) = (events.map(\.id), part.map(\.body))
        let inserted = try await transaction.execute(
            """
            INSERT INTO key_steps
                   (id, trace_id, problem_id, tokenizer, tie_rule, format, distance, right_keys, wrong_keys, body)
            SELECT id, trace_id, problem_id, tokenizer, tie_rule, format, distance, right_keys, wrong_keys, body::json
            FROM unnest(\(ids), \(events.map(\.traceId)), \(events.map(\.problemId)), \(events.map(\.tokenizer)),
                        \(events.map(\.tieRule)), \(events.map(\.form.format)), \(events.map(\.distance)),
                        \(events.map(\.right.keyTokens)), \(events.map(\.wrong.keyTokens)), \(bodies))
                 AS made (id, trace_id, problem_id, tokenizer, tie_rule, format, distance, right_keys, wrong_keys, body)
            ON CONFLICT DO NOTHING
            """
        )
        guard inserted < events.count else { return true }
        return try await transaction.value(
            """
            SELECT count(*) FROM unnest(\(ids), \(bodies)) AS given (id, body)
            JOIN key_steps ON key_steps.id = given.id AND key_steps.body::jsonb = given.body::jsonb
            """,
            as: Int.self
        ) == events.count
    }
}

extension KeyStepsEvent {
    /// The form in which the pair was located.
    public var form: KeyStepForm { KeyStepForm(tokenizer: tokenizer, tieRule: tieRule, format: format ?? "") }
}

extension KeyStepSide {
    /// The number of tokens that lie in a span.
    fileprivate var keyTokens: Int { spans.reduce(0) { $0 + $1.tokenEnd - $1.tokenStart } }
}
