public import PostgresClient
public import Schemas

/// The tables `problem_fingerprints` and `problem_overlaps`, written by TeacherIngestion: which problems are the same.
public enum ProblemOverlapStore {
    /// What a problem is found by.
    public struct Fingerprint: Sendable {
        /// The problem.
        public let problem: ProblemEvent
        /// The hash of the normalised question.
        public let digest: Int64
        /// The bands of its MinHash signature.
        public let bands: [Int64]
        /// The hashes of its runs of 13 words.
        public let grams: [Int64]

        /// Makes a fingerprint.
        public init(problem: ProblemEvent, digest: Int64, bands: [Int64], grams: [Int64]) {
            self.problem = problem
            self.digest = digest
            self.bands = bands
            self.grams = grams
        }
    }

    /// A problem that stands against one that a student would learn from.
    public struct Overlap: Sendable, Hashable {
        /// The problem to learn from.
        public let problemID: String
        /// The one that stands against it.
        public let otherID: String
        /// `exact`, `near` or `contains`.
        public let kind: String
        /// How similar they are, 0...1.
        public let similarity: Double

        /// Makes an overlap.
        public init(problemID: String, otherID: String, kind: String, similarity: Double) {
            self.problemID = problemID
            self.otherID = otherID
            self.kind = kind
            self.similarity = similarity
        }
    }

    /// An overlap with what there is to say of both problems.
    public struct Report: Sendable {
        /// The overlap.
        public let overlap: Overlap
        /// Data set and split of the problem to learn from, and how far it has come; nil before it is stored.
        public let dataset: String, split: String, state: String?
        /// Data set and split of the other one.
        public let otherDataset: String, otherSplit: String
    }

    /// The most problems that are compared with one, the likeliest first.
    static let candidateLimit = 1_000

    /// Lets one transaction at a time find and write overlaps, so that of two that are alike the second sees the first.
    public static func lock(in transaction: PostgresTransaction) async throws {
        try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended('problem_overlaps', 0))")
    }

    /// Whether the problem's fingerprint is there; that of another text under its id is removed.
    public static func isKnown(_ problem: ProblemEvent, in transaction: PostgresTransaction) async throws -> Bool {
        let known = try await transaction.query(
            """
            SELECT dataset = \(problem.dataset) AND split = \(problem.split.rawValue) AND question = \(problem.question)
                   AND answer = \(problem.answer) AS same
            FROM problem_fingerprints WHERE problem_id = \(problem.id)
            """
        ).first
        guard let known else { return false }
        if try known.get("same", as: Bool.self) { return true }
        try await transaction.execute(
            "DELETE FROM problem_overlaps WHERE problem_id = \(problem.id) OR other_id = \(problem.id)"
        )
        try await transaction.execute("DELETE FROM problem_fingerprints WHERE problem_id = \(problem.id)")
        return false
    }

    /// Writes a fingerprint.
    public static func insert(_ fingerprint: Fingerprint, in transaction: PostgresTransaction) async throws {
        let problem = fingerprint.problem
        try await transaction.execute(
            """
            INSERT INTO problem_fingerprints (problem_id, dataset, split, question, answer, digest, bands, grams)
            VALUES (\(problem.id), \(problem.dataset), \(problem.split.rawValue), \(problem.question),
                    \(problem.answer), \(fingerprint.digest), \(fingerprint.bands), \(fingerprint.grams))
            ON CONFLICT (problem_id) DO NOTHING
            """
        )
    }

    /// The other problems that could be duplicates, in the order in which they came.
    public static func alike(
        _ fingerprint: Fingerprint,
        in transaction: PostgresTransaction
    ) async throws -> [ProblemEvent] {
        try await transaction.query(
            """
            SELECT problem_id, dataset, split, question, answer FROM problem_fingerprints
            WHERE (digest = \(fingerprint.digest) OR bands && \(fingerprint.bands))
              AND problem_id <> \(fingerprint.problem.id)
            ORDER BY sequence LIMIT \(candidateLimit)
            """
        ).map(problem(of:))
    }

    /// The other problems of some splits that share runs of words, those with the most of them first.
    public static func sharing(
        _ fingerprint: Fingerprint,
        splits: [ProblemSplit],
        in transaction: PostgresTransaction
    ) async throws -> [ProblemEvent] {
        try await transaction.query(
            """
            SELECT problem_id, dataset, split, question, answer FROM (
                SELECT *, (SELECT count(*) FROM unnest(grams) AS gram WHERE gram = ANY(\(fingerprint.grams))) AS shared
                FROM problem_fingerprints
                WHERE grams && \(fingerprint.grams) AND split = ANY(\(splits.map(\.rawValue)))
                  AND problem_id <> \(fingerprint.problem.id)
            ) AS sharing
            ORDER BY shared DESC, sequence LIMIT \(candidateLimit)
            """
        ).map(problem(of:))
    }

    /// Writes overlaps, and marks the problems that are stored already and are left out by them.
    public static func insert(_ overlaps: [Overlap], in transaction: PostgresTransaction) async throws {
        for overlap in overlaps {
            try await transaction.execute(
                """
                INSERT INTO problem_overlaps (problem_id, other_id, kind, similarity)
                VALUES (\(overlap.problemID), \(overlap.otherID), \(overlap.kind), \(overlap.similarity))
                ON CONFLICT (problem_id, other_id) DO NOTHING
                """
            )
        }
        for id in Set(overlaps.map(\.problemID)) {
            guard let state = try await state(of: id, in: transaction) else { continue }
            try await transaction.execute("UPDATE problems SET state = \(state.rawValue) WHERE id = \(id)")
        }
    }

    /// The state of a problem that is left out within its own data set; nil of one that is not.
    public static func state(
        of problemID: String,
        in transaction: PostgresTransaction
    ) async throws -> ProblemStore.State? {
        try await transaction.query(
            """
            SELECT CASE WHEN bool_or(other.split IN ('development', 'test')) THEN 'contaminated' ELSE 'duplicate' END
                   AS state
            FROM problem_overlaps AS overlap
            JOIN problem_fingerprints AS own ON own.problem_id = overlap.problem_id
            JOIN problem_fingerprints AS other ON other.problem_id = overlap.other_id AND other.dataset = own.dataset
            WHERE overlap.problem_id = \(problemID)
            HAVING count(*) > 0
            """
        ).first.flatMap { ProblemStore.State(rawValue: try $0.get("state", as: String.self)) }
    }

    /// The stored problems without a fingerprint, as an earlier version left them: so many of the first that came.
    public static func unknown(limit: Int, from pool: PostgresPool) async throws -> [ProblemEvent] {
        try await pool.query(
            """
            SELECT id AS problem_id, dataset, split, question, answer FROM problems
            WHERE NOT EXISTS (SELECT 1 FROM problem_fingerprints WHERE problem_id = problems.id)
            ORDER BY created_at, id LIMIT \(limit)
            """
        ).map(problem(of:))
    }

    /// The overlaps of problems of a data set, of all where none is named, in the order in which they were found.
    public static func reports(
        dataset: String? = nil,
        limit: Int? = nil,
        from pool: PostgresPool
    ) async throws -> [Report] {
        try await pool.query(
            """
            SELECT overlap.problem_id, overlap.other_id, overlap.kind, overlap.similarity, own.dataset, own.split,
                   problems.state, other.dataset AS other_dataset, other.split AS other_split
            FROM problem_overlaps AS overlap
            JOIN problem_fingerprints AS own ON own.problem_id = overlap.problem_id
            JOIN problem_fingerprints AS other ON other.problem_id = overlap.other_id
            LEFT JOIN problems ON problems.id = overlap.problem_id
            WHERE \(dataset)::text IS NULL OR own.dataset = \(dataset)
            ORDER BY overlap.created_at, overlap.problem_id, overlap.other_id LIMIT \(limit)
            """
        ).map { row in
            Report(
                overlap: Overlap(
                    problemID: try row.get("problem_id", as: String.self),
                    otherID: try row.get("other_id", as: String.self),
                    kind: try row.get("kind", as: String.self),
                    similarity: try row.get("similarity", as: Double.self)
                ),
                dataset: try row.get("dataset", as: String.self),
                split: try row.get("split", as: String.self),
                state: try row.get("state", as: String?.self),
                otherDataset: try row.get("other_dataset", as: String.self),
                otherSplit: try row.get("other_split", as: String.self)
            )
        }
    }

    private static func problem(of row: Row) throws -> ProblemEvent {
        ProblemEvent(
            id: try row.get("problem_id", as: String.self),
            dataset: try row.get("dataset", as: String.self),
            split: try row.named("split", in: "problem_fingerprints"),
            question: try row.get("question", as: String.self),
            answer: try row.get("answer", as: String.self)
        )
    }
}

/// The condition on the table `problems` that keeps out what must not be learned from.
struct OverlapCondition {
    /// The datasets that are learned from: of problems that are the same in several of them, the first to come is taken.
    let datasets: [String]
    /// The suites, each as dataset and split with a blank between, which no id holds.
    let suites: [String]

    init(datasets: [String], suites: [String]) {
        self.datasets = datasets
        self.suites = suites
    }

    /// The condition of a run.
    ///
    /// Arguments:
    ///   - datasets: those that are learned from.
    ///   - run: the run whose suites must not be learned from.
    init(datasets: [String], _ run: RunEvent) {
        self.init(datasets: datasets, suites: Self.suites(of: run))
    }

    static func suites(of run: RunEvent) -> [String] {
        Set(run.suites.map { "\($0.dataset) \($0.split.rawValue)" }).sorted()
    }

    var sql: SQL {
        """
        problems.state NOT IN ('duplicate', 'contaminated', 'unanswered')
        AND NOT EXISTS (
            SELECT 1 FROM problem_overlaps AS overlap
            JOIN problem_fingerprints AS other ON other.problem_id = overlap.other_id
            WHERE overlap.problem_id = problems.id AND other.split = 'train' AND other.dataset = ANY(\(datasets))
        )
        AND NOT EXISTS (
            SELECT 1 FROM problem_likes AS likes
            JOIN problem_fingerprints AS other ON other.problem_id = likes.other_id
            WHERE likes.problem_id = problems.id AND other.dataset || ' ' || other.split = ANY(\(suites))
        )
        """
    }
}
