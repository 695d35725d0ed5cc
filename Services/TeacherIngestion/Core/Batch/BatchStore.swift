import CompletionClient
import Foundation
import PostgresClient
import Schemas

/// A request as it goes into a batch.
struct BatchRequest: Sendable, Hashable {
    /// The hash of what is asked and of whom.
    let key: String
    /// The request's body, as JSON text.
    let body: String
}

/// What came of a request, for who asked.
enum BatchOutcome: Sendable {
    /// An answer of the API, in a batch.
    case answered(batch: String, CompletionServer.Answer)
    /// A failure; `othersAnswered` says whether requests of the same batch were answered.
    case failed(batch: String, ServerError, othersAnswered: Bool, milliseconds: Int)
    /// The request is in no batch any more, or in another one: it is to be looked for again.
    case gone
}

/// The tables `teacher_batches` and `teacher_batch_requests`, as one process sees them.
struct BatchStore: Sendable {
    /// A batch that this process has claimed.
    struct Claimed: Sendable {
        let id: String
        let inputFile: String?
        let job: String?
        let misses: Int
        let createdAt: Date
        /// Whether this process made it.
        let isOurs: Bool
    }

    /// What is known of a request before it is asked.
    enum Standing: Sendable {
        /// It is in a batch under way.
        case open(batch: String)
        /// It has an answer, or a failure that nobody has been told of.
        case settled(BatchOutcome)
    }

    let pool: PostgresPool
    /// What a process must share to ask for a job.
    let lane: String
    /// The address, for eyes.
    let server: String
    let model: String
    /// This process among all.
    let holder: String
    /// How long a claim lives without being renewed: longer than a call of the server can take.
    let lease: Duration

    private var leaseSeconds: Double { lease / .seconds(1) }

    // MARK: Requests

    /// What is known of a request; nil where it is to be asked.
    func standing(of key: String) async throws -> Standing? {
        let rows = try await pool.query(
            """
            SELECT asked.state, \(Self.outcomeColumns)
            FROM teacher_batch_requests AS asked JOIN teacher_batches AS batch ON batch.id = asked.batch_id
            WHERE asked.key = \(key) AND (asked.state <> 'failed' OR NOT asked.told)
            ORDER BY asked.state = 'answered' DESC, asked.state = 'open' DESC, batch.created_at DESC
            LIMIT 1
            """
        )
        guard let row = rows.first else { return nil }
        if try row.get("state", as: String.self) == "open" {
            return .open(batch: try row.get("batch_id", as: String.self))
        }
        return .settled(try Self.outcome(row))
    }

    /// The outcomes of requests that wait for batches, of those batches that have ended or are gone.
    func outcomes(of waiting: [String: Set<String>]) async throws -> [String: BatchOutcome] {
        guard !waiting.isEmpty else { return [:] }
        let ids = Array(waiting.keys)
        var open: Set<String> = []
        for row in try await pool.query("SELECT id FROM teacher_batches WHERE id = ANY(\(ids)) AND state <> 'ended'") {
            open.insert(try row.get("id", as: String.self))
        }
        var outcomes: [String: BatchOutcome] = [:]
        for (batch, keys) in waiting where !open.contains(batch) {
            // Where nothing is found, the batch was taken back.
            for key in keys { outcomes[key] = .gone }
            let rows = try await pool.query(
                """
                SELECT asked.key, \(Self.outcomeColumns)
                FROM teacher_batch_requests AS asked JOIN teacher_batches AS batch ON batch.id = asked.batch_id
                WHERE asked.batch_id = \(batch) AND asked.key = ANY(\(Array(keys))) AND batch.state = 'ended'
                """
            )
            for row in rows { outcomes[try row.get("key", as: String.self)] = try Self.outcome(row) }
        }
        return outcomes
    }

    /// What ``outcome(_:)`` reads.
    private static let outcomeColumns: SQL =
        """
        asked.batch_id, asked.response, asked.kind, asked.parameter, asked.error, batch.answered,
        (extract(epoch FROM batch.ended_at - batch.created_at) * 1000)::bigint AS milliseconds
        """

    private static func outcome(_ row: Row) throws -> BatchOutcome {
        let batch = try row.get("batch_id", as: String.self)
        let milliseconds = try row.get("milliseconds", as: Int?.self) ?? 0
        if let text = try row.get("response", as: String?.self) {
            let json = try EventCoding.decodeJSON([String: JSONValue].self, from: Data(text.utf8))
            return .answered(
                batch: batch,
                CompletionServer.Answer(json: json, pause: nil, milliseconds: milliseconds)
            )
        }
        let kind = try row.get("kind", as: String?.self).flatMap(ServerError.Kind.init(rawValue:)) ?? .unavailable
        let error = ServerError(
            kind,
            try row.get("error", as: String?.self) ?? "",
            parameter: try row.get("parameter", as: String?.self),
            mayBeBilled: [.malformed, .tooLarge].contains(kind)
        )
        let others = try row.get("answered", as: Int.self) > 0
        return .failed(batch: batch, error, othersAnswered: others, milliseconds: milliseconds)
    }

    /// Notes that who asked has the outcome, so that a failure is told once.
    func told(_ key: String, batch: String) async throws {
        try await pool.execute(
            "UPDATE teacher_batch_requests SET told = true WHERE batch_id = \(batch) AND key = \(key)"
        )
    }

    /// In how many batches a request ended with a kind of failure.
    func failures(of key: String, _ kind: ServerError.Kind) async throws -> Int {
        try await pool.value(
            "SELECT count(*) FROM teacher_batch_requests WHERE key = \(key) AND kind = \(kind.rawValue)",
            as: Int.self
        )
    }

    // MARK: Batches

    /// Writes a batch down and claims it.
    ///
    /// - Returns: The batch, and the requests that are in it: not those which are in another one meanwhile, or
    ///   answered. Nil where none is.
    func make(_ requests: [BatchRequest]) async throws -> (batch: Claimed, taken: Set<String>)? {
        let id = UUID().uuidString.lowercased()
        // In one order everywhere, so that two processes with the same requests do not wait for each other.
        let ordered = requests.sorted { $0.key < $1.key }
        let (keys, bodies) = (ordered.map(\.key), ordered.map(\.body))
        let taken = try await pool.withTransaction { transaction in
            try await transaction.query(
                """
                INSERT INTO teacher_batches (id, lane, server, model, requests, made_by, claimed_by, claimed_until)
                VALUES (\(id), \(lane), \(server), \(model), \(keys.count), \(holder), \(holder),
                        now() + make_interval(secs => \(leaseSeconds)))
                """
            )
            let rows = try await transaction.query(
                """
                INSERT INTO teacher_batch_requests (batch_id, key, body)
                SELECT \(id), made.key, made.body FROM unnest(\(keys), \(bodies)) AS made (key, body)
                WHERE NOT EXISTS (
                    SELECT 1 FROM teacher_batch_requests AS known
                    WHERE known.key = made.key AND known.state = 'answered'
                )
                ON CONFLICT (key) WHERE state = 'open' DO NOTHING RETURNING key
                """
            )
            let taken = try rows.map { try $0.get("key", as: String.self) }
            if taken.isEmpty {
                try await transaction.query("DELETE FROM teacher_batches WHERE id = \(id)")
            } else if taken.count < keys.count {
                try await transaction.query(
                    "UPDATE teacher_batches SET requests = \(taken.count) WHERE id = \(id)"
                )
            }
            return taken
        }
        guard !taken.isEmpty else { return nil }
        let batch = Claimed(id: id, inputFile: nil, job: nil, misses: 0, createdAt: Date(), isOurs: true)
        return (batch, Set(taken))
    }

    /// Claims the oldest batch that no process has looked at for so long, or works on now; nil where there is none.
    ///
    /// What is not confirmed to be at the server is left to the process that made it for as long as it shows that it lives.
    func claim(poll: Duration) async throws -> Claimed? {
        let seconds = poll / .seconds(1)
        let rows = try await pool.query(
            """
            UPDATE teacher_batches SET claimed_by = \(holder),
                claimed_until = now() + make_interval(secs => \(leaseSeconds))
            WHERE id = (
                SELECT id FROM teacher_batches
                WHERE lane = \(lane) AND state <> 'ended' AND claimed_until <= now()
                    AND (polled_at IS NULL OR polled_at <= now() - make_interval(secs => \(seconds)))
                    AND (state = 'created' OR made_by = \(holder)
                        OR coalesce(polled_at, created_at) <= now() - make_interval(secs => \(leaseSeconds)))
                ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
            )
            RETURNING id, input_file_id, job_id, misses, created_at, made_by
            """
        )
        return try rows.first.map { row in
            Claimed(
                id: try row.get("id", as: String.self),
                inputFile: try row.get("input_file_id", as: String?.self),
                job: try row.get("job_id", as: String?.self),
                misses: try row.get("misses", as: Int.self),
                createdAt: try row.get("created_at", as: Date.self),
                isOurs: try row.get("made_by", as: String.self) == holder
            )
        }
    }

    /// Renews the claim before a call of the server.
    ///
    /// - Returns: Whether the batch is still this process'.
    func renew(_ id: String) async throws -> Bool {
        try await pool.execute(
            """
            UPDATE teacher_batches SET claimed_until = now() + make_interval(secs => \(leaseSeconds))
            WHERE id = \(id) AND claimed_by = \(holder) AND state <> 'ended'
            """
        ) > 0
    }

    /// Gives a batch back until it is due again.
    func release(_ id: String) async throws {
        try await pool.execute(
            """
            UPDATE teacher_batches SET claimed_until = now(), polled_at = now()
            WHERE id = \(id) AND claimed_by = \(holder)
            """
        )
    }

    /// Gives all batches back, as the process ends, for others to look at at once.
    func releaseAll() async throws {
        try await pool.execute(
            """
            UPDATE teacher_batches SET claimed_until = now(), polled_at = to_timestamp(0)
            WHERE (claimed_by = \(holder) OR made_by = \(holder) AND state = 'made') AND state <> 'ended'
            """
        )
    }

    /// The requests of a batch.
    func requests(of id: String) async throws -> [BatchRequest] {
        try await pool.query("SELECT key, body FROM teacher_batch_requests WHERE batch_id = \(id) ORDER BY key").map {
            BatchRequest(key: try $0.get("key", as: String.self), body: try $0.get("body", as: String.self))
        }
    }

    /// Notes the server's name of the file of requests.
    func uploaded(_ id: String, file: String) async throws {
        try await pool.execute("UPDATE teacher_batches SET input_file_id = \(file.withoutNUL) WHERE id = \(id)")
    }

    /// Notes the job.
    func created(_ id: String, job: BatchJob) async throws {
        try await pool.execute(
            """
            UPDATE teacher_batches SET state = 'created', job_id = \(job.id.withoutNUL), status = \(job.status.withoutNUL)
            WHERE id = \(id) AND state <> 'ended'
            """
        )
    }

    /// Notes what the server says of a job that goes on.
    func looked(_ id: String, status: String) async throws {
        try await pool.execute(
            "UPDATE teacher_batches SET status = \(status.withoutNUL), misses = 0 WHERE id = \(id)"
        )
    }

    /// Notes that the server does not know the job, or a file of it.
    func missed(_ id: String) async throws {
        try await pool.execute("UPDATE teacher_batches SET misses = misses + 1 WHERE id = \(id)")
    }

    /// Takes a batch back of which nothing is at the server: its requests are asked anew by whoever still wants them.
    func takeBack(_ id: String) async throws {
        try await pool.execute("DELETE FROM teacher_batches WHERE id = \(id) AND state = 'made'")
    }

    /// Writes down what came of a batch, once.
    ///
    /// - Parameters:
    ///   - id: The batch.
    ///   - status: What the server said of the job last.
    ///   - results: The results by key.
    ///   - rest: Why the other requests have none.
    /// - Throws: `PostgresError`.
    func end(_ id: String, status: String?, results: [String: BatchResult], rest: ServerError) async throws {
        var (answeredKeys, answeredStatuses, responses) = ([String](), [Int32?](), [String]())
        var (failedKeys, failedStatuses, kinds) = ([String](), [Int32?](), [String]())
        var (parameters, messages) = ([String?](), [String]())
        for result in results.values {
            let status = result.status.flatMap { Int32(exactly: $0) }
            switch result.outcome {
            case .success(let text):
                answeredKeys.append(result.key.withoutNUL)
                answeredStatuses.append(status)
                responses.append(text)
            case .failure(let error):
                failedKeys.append(result.key.withoutNUL)
                failedStatuses.append(status)
                kinds.append(error.kind.rawValue)
                parameters.append(error.parameter?.withoutNUL)
                messages.append(error.message.withoutNUL)
            }
        }
        try await pool.withTransaction { transaction in
            let ended = try await transaction.query(
                """
                UPDATE teacher_batches SET state = 'ended', status = coalesce(\(status?.withoutNUL), status),
                    ended_at = now(), claimed_until = now()
                WHERE id = \(id) AND state <> 'ended' RETURNING id
                """
            )
            guard !ended.isEmpty else { return }
            try await transaction.query(
                """
                UPDATE teacher_batch_requests AS asked
                SET state = 'answered', status = line.status, response = line.response
                FROM unnest(\(answeredKeys), \(answeredStatuses), \(responses)) AS line (key, status, response)
                WHERE asked.batch_id = \(id) AND asked.key = line.key AND asked.state = 'open'
                """
            )
            try await transaction.query(
                """
                UPDATE teacher_batch_requests AS asked
                SET state = 'failed', status = line.status, kind = line.kind, parameter = line.parameter,
                    error = line.error
                FROM unnest(\(failedKeys), \(failedStatuses), \(kinds), \(parameters), \(messages))
                    AS line (key, status, kind, parameter, error)
                WHERE asked.batch_id = \(id) AND asked.key = line.key AND asked.state = 'open'
                """
            )
            let untold = try await transaction.query(
                """
                UPDATE teacher_batch_requests
                SET state = 'failed', kind = \(rest.kind.rawValue), parameter = \(rest.parameter?.withoutNUL),
                    error = \(rest.message.withoutNUL)
                WHERE batch_id = \(id) AND state = 'open' RETURNING key
                """
            )
            let error = untold.isEmpty ? nil : rest.message.withoutNUL
            try await transaction.query(
                """
                UPDATE teacher_batches SET error = \(error), answered = (
                    SELECT count(*) FROM teacher_batch_requests WHERE batch_id = \(id) AND state = 'answered'
                ) WHERE id = \(id)
                """
            )
        }
    }

    /// Forgets batches that ended thirty days ago, as servers forget their files.
    func forgetOld() async throws {
        try await pool.execute(
            "DELETE FROM teacher_batches WHERE state = 'ended' AND ended_at < now() - interval '30 days'"
        )
    }
}
