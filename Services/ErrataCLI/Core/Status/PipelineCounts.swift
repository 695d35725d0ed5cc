import PostgresClient

/// What the database holds.
struct PipelineCounts: Sendable {
    /// Problems by state, and of the ingested ones those with a verified template and dual pair.
    let problems: Int
    let ingested: Int
    let awaited: Int
    /// Training problems that are stored, and about which no teacher was asked: no run needs more of them.
    let untaught: Int
    /// Problems without an answer.
    let unanswered: Int
    /// Problems that are left out within their data set.
    let duplicates: Int
    let contaminated: Int
    /// Of them, those of the training split.
    let leftOut: Int
    /// Pairs that overlap across data sets, which are left out of the runs that have both.
    let overlaps: Int
    let templates: Int
    let duals: Int
    let keySteps: Int
    let corrections: Int
    let attempts: Int
    let evaluations: Int
    let deadLetters: Int
    let unpublished: Int
    /// Of the dead letters, events of our own that the broker refuses.
    let refused: Int

    static func read(from pool: PostgresPool) async throws -> PipelineCounts {
        let rows = try await pool.query(
            """
            SELECT (SELECT count(*) FROM problems) AS problems,
                   (SELECT count(*) FROM problems WHERE state = 'ingested') AS ingested,
                   (SELECT count(*) FROM problems WHERE split = 'train') AS awaited,
                   (SELECT count(*) FROM problems WHERE split = 'train' AND state = 'registered') AS untaught,
                   (SELECT count(*) FROM problems WHERE state = 'unanswered') AS unanswered,
                   (SELECT count(*) FROM problems WHERE state = 'duplicate') AS duplicates,
                   (SELECT count(*) FROM problems WHERE state = 'contaminated') AS contaminated,
                   (SELECT count(*) FROM problems WHERE state IN ('duplicate', 'contaminated') AND split = 'train')
                       AS left_out,
                   (SELECT count(*) FROM problem_overlaps AS overlap
                    JOIN problem_fingerprints AS own ON own.problem_id = overlap.problem_id
                    JOIN problem_fingerprints AS other ON other.problem_id = overlap.other_id
                    WHERE own.dataset <> other.dataset) AS overlaps,
                   (SELECT count(DISTINCT problem_id) FROM traces WHERE kind = 'template' AND verified) AS templates,
                   (SELECT count(DISTINCT problem_id) FROM traces WHERE kind = 'dual' AND verified) AS duals,
                   (SELECT count(DISTINCT trace_id) FROM key_steps) AS key_steps,
                   (SELECT count(*) FROM traces WHERE kind = 'correction' AND verified) AS corrections,
                   (SELECT count(*) FROM attempts) AS attempts,
                   (SELECT count(*) FROM evaluations) AS evaluations,
                   (SELECT count(*) FROM dead_letters) AS dead_letters,
                   (SELECT count(*) FROM outbox WHERE published_at IS NULL AND refused_at IS NULL) AS unpublished,
                   (SELECT count(*) FROM outbox WHERE refused_at IS NOT NULL) AS refused
            """
        )
        guard let row = rows.first else { throw CLIError("the database did not answer") }
        func count(_ name: String) throws -> Int { try row.get(name, as: Int.self) }
        return PipelineCounts(
            problems: try count("problems"),
            ingested: try count("ingested"),
            awaited: try count("awaited"),
            untaught: try count("untaught"),
            unanswered: try count("unanswered"),
            duplicates: try count("duplicates"),
            contaminated: try count("contaminated"),
            leftOut: try count("left_out"),
            overlaps: try count("overlaps"),
            templates: try count("templates"),
            duals: try count("duals"),
            keySteps: try count("key_steps"),
            corrections: try count("corrections"),
            attempts: try count("attempts"),
            evaluations: try count("evaluations"),
            deadLetters: try count("dead_letters"),
            unpublished: try count("unpublished"),
            refused: try count("refused")
        )
    }

    /// A share in percent, empty of nothing.
    static func share(_ part: Int, of whole: Int) -> String {
        whole == 0 ? "" : "\((Double(part) / Double(whole) * 1000).rounded() / 10) %"
    }

    /// The lines of `errata status`.
    var lines: [(name: String, count: Int, share: String)] {
        let share = Self.share
        return [
            ("problems", problems, ""),
            ("  left out as duplicates", duplicates, ""),
            ("  left out for an evaluation question in them", contaminated, ""),
            ("  overlaps across data sets", overlaps, ""),
            ("  to learn from, not asked about: no run needs it", untaught, ""),
            ("  without an answer to verify by", unanswered, ""),
            ("  answered by the teacher", ingested, ""),
            ("  with a verified template", templates, share(templates, ingested)),
            ("  with a verified dual pair", duals, share(duals, ingested)),
            ("dual pairs with key steps", keySteps, share(keySteps, duals)),
            ("attempts", attempts, ""),
            ("verified corrections", corrections, ""),
            ("evaluations", evaluations, ""),
            ("events to publish", unpublished, ""),
            ("dead letters", deadLetters, ""),
            ("  events that the broker refused", refused, ""),
        ]
    }
}
