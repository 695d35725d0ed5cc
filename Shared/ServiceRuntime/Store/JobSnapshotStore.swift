public import PostgresClient
public import Schemas

/// The table `job_snapshots`, and the rows that it names.
public enum JobSnapshotStore {
    /// What a stage trains on as it was written down when it started; written down now where it was not.
    ///
    /// To be called in the transaction that starts the stage and verifies its lease, and in which each statement sees what
    /// was committed before it.
    ///
    /// Arguments:
    ///   - inputs: the problems and corrections that the start noted.
    public static func keep(
        _ ready: ReadyStage,
        _ inputs: JobStore.Inputs,
        in transaction: PostgresTransaction
    ) async throws -> JobSnapshot {
        if let known = try await snapshot(of: ready.id, from: transaction) { return known }
        try await RowVersions.keepAll(in: transaction)
        let taken = try await look(ready, inputs, from: transaction)
        for (source, rows) in taken.rows {
            try await transaction.execute(
                """
                INSERT INTO job_snapshots (run_id, round, stage, source, ids, digest, seen, server)
                VALUES (\(ready.id.run), \(ready.id.round), \(ready.id.stage), \(source.rawValue), \(rows.ids),
                        \(rows.digest), \(rows.moment.seen)::pg_snapshot, \(rows.moment.server))
                """
            )
        }
        return taken
    }

    /// The snapshot of a stage; nil before it was started.
    public static func snapshot(
        of id: StageID,
        from database: some PostgresQueryable
    ) async throws -> JobSnapshot? {
        var rows: [JobSnapshot.Source: JobSnapshot.Rows] = [:]
        for row in try await database.query(
            """
            SELECT source, ids, digest, seen::text AS seen, server FROM job_snapshots
            WHERE run_id = \(id.run) AND round = \(id.round) AND stage = \(id.stage)
            """
        ) {
            rows[try source(of: row)] = JobSnapshot.Rows(
                ids: try row.get("ids", as: [String].self),
                moment: try moment(of: row),
                digest: try row.get("digest", as: String.self)
            )
        }
        return rows.isEmpty ? nil : JobSnapshot(rows: rows)
    }

    /// What a stage would train on as the database stands now.
    public static func look(
        _ ready: ReadyStage,
        _ inputs: JobStore.Inputs,
        from database: some PostgresQueryable
    ) async throws -> JobSnapshot {
        // One statement, so that all sources are of one moment; what stands under the ids is then read as of that moment.
        let found = try await database.query(
            """
            SELECT source, ids, pg_current_snapshot()::text AS seen,
                   (SELECT system_identifier FROM pg_control_system()) AS server
            FROM (\(SQL.joined(choices(ready, inputs), separator: " UNION ALL "))) AS chosen
            """
        )
        var named: [JobSnapshot.Source: Named] = [:]
        for row in found {
            named[try source(of: row)] = (ids: try row.get("ids", as: [String].self), moment: try moment(of: row))
        }
        let digests = try await digests(of: named, from: database)
        return JobSnapshot(
            rows: Dictionary(
                uniqueKeysWithValues: named.map { source, named in
                    (
                        source,
                        JobSnapshot.Rows(ids: named.ids, moment: named.moment, digest: digests[source] ?? "")
                    )
                }
            )
        )
    }

    /// The sources of a snapshot of which a row is not known any more as it was when it was taken, or is gone, in order.
    ///
    /// What is replaced is kept for the stages that began with it: as a rule there are none unless somebody deleted some.
    public static func changed(
        since snapshot: JobSnapshot,
        from pool: PostgresPool
    ) async throws -> [JobSnapshot.Source] {
        let named = snapshot.rows.mapValues { (ids: $0.ids, moment: $0.moment) }
        let now = try await pool.withTransaction { transaction in
            // It looks at all that the stage learns from, as the start did.
            try await transaction.allowLongStatements()
            return try await digests(of: named, from: transaction)
        }
        return JobSnapshot.Source.allCases.filter { source in
            snapshot.rows[source].map { $0.digest != now[source] } ?? false
        }
    }

    // MARK: The rows

    /// The problems of a source as the snapshot saw them, in its order.
    ///
    /// - Throws: ``SnapshotGone`` where one is not there any more.
    public static func problems(
        _ source: JobSnapshot.Source,
        of snapshot: JobSnapshot,
        from pool: PostgresPool
    ) async throws -> [ProblemEvent] {
        try await rows(
            source,
            of: snapshot,
            // No stage learns from the difficulty, so no version of it is kept.
            "id, \(RowVersions.problems.columns), NULL AS difficulty",
            from: pool
        ).map(ProblemStore.problem(of:))
    }

    /// The events that the rows of a source held when the snapshot was taken, in its order.
    ///
    /// - Throws: ``SnapshotGone`` where one is not there any more.
    public static func events<Payload: EventPayload>(
        _ source: JobSnapshot.Source,
        of snapshot: JobSnapshot,
        from pool: PostgresPool
    ) async throws -> [Payload] {
        try await rows(source, of: snapshot, "body::text AS body", from: pool)
            .map { try EventBody.event(Payload.self, of: $0) }
    }

    private static func rows(
        _ source: JobSnapshot.Source,
        of snapshot: JobSnapshot,
        _ columns: SQL,
        from pool: PostgresPool
    ) async throws -> [Row] {
        guard let named = snapshot.rows[source], !named.ids.isEmpty else { return [] }
        let rows = try await pool.query(
            "SELECT \(columns) FROM \(asStood(source, (ids: named.ids, moment: named.moment))) ORDER BY place"
        )
        guard rows.count == named.ids.count else {
            throw SnapshotGone(source: source, missing: named.ids.count - rows.count, named: named.ids.count)
        }
        return rows
    }

    // MARK: Statements

    /// A query of the ids for each source that the stage reads.
    private static func choices(_ ready: ReadyStage, _ inputs: JobStore.Inputs) -> [SQL] {
        var choices = [
            choice(.problems, #"id COLLATE "C""#, "id = ANY(\(inputs.problems))"),
            choice(
                .traces,
                #"problem_id COLLATE "C", id COLLATE "C""#,
                "problem_id = ANY(\(inputs.problems)) AND verified AND (kind <> 'correction' OR run_id IS NULL)"
            ),
        ]
        if case .keySteps(let method) = ready.stage.method {
            let form = KeyStepForm(method, of: ready.run)
            choices.append(
                choice(
                    .keySteps,
                    #"problem_id COLLATE "C", id COLLATE "C""#,
                    """
                    problem_id = ANY(\(inputs.problems)) AND tokenizer = \(form.tokenizer) AND tie_rule = \(form.tieRule)
                    AND format = \(form.format)
                    """
                )
            )
        }
        guard ready.stage.needsRollout else { return choices }
        let isChosen: SQL = """
            checkpoint_id = \(ready.parent.id)
            AND (\(inputs.attempts)::text[] IS NULL OR attempts.id = ANY(\(inputs.attempts)))
            """
        return choices + [
            choice(.attempts, #"id COLLATE "C""#, isChosen),
            choice(.attempted, #"id COLLATE "C""#, "id IN (SELECT problem_id FROM attempts WHERE \(isChosen))"),
            choice(.corrections, #"id COLLATE "C""#, "id = ANY(\(inputs.corrections))"),
        ]
    }

    private static func choice(_ source: JobSnapshot.Source, _ order: SQL, _ condition: SQL) -> SQL {
        """
        SELECT \(source.rawValue)::text AS source, coalesce(array_agg(id ORDER BY \(order)), '{}') AS ids
        FROM \(source.table) WHERE \(condition)
        """
    }

    /// The digests of rows as they were at their moments, by source.
    private static func digests(
        of named: [JobSnapshot.Source: Named],
        from database: some PostgresQueryable
    ) async throws -> [JobSnapshot.Source: String] {
        guard !named.isEmpty else { return [:] }
        let parts = named.map { source, named -> SQL in
            """
            SELECT \(source.rawValue)::text AS source,
                   encode(sha256(convert_to(coalesce(
                       string_agg(id || ' ' || md5(\(source.content)), chr(10) ORDER BY place), ''
                   ), 'UTF8')), 'hex') AS digest
            FROM \(asStood(source, named))
            """
        }
        var digests: [JobSnapshot.Source: String] = [:]
        for row in try await database.query(SQL.joined(parts, separator: " UNION ALL ")) {
            digests[try source(of: row)] = try row.get("digest", as: String.self)
        }
        return digests
    }

    /// Rows by their ids, and the moment as of which they are read.
    private typealias Named = (ids: [String], moment: JobSnapshot.Moment)

    /// What a query reads to have rows as they were at a moment, each with its `place` among their ids.
    private static func asStood(_ source: JobSnapshot.Source, _ named: Named) -> SQL {
        let wanted: SQL = "unnest(\(named.ids)::text[]) WITH ORDINALITY AS wanted (id, place)"
        guard let versions = source.versions else { return "\(wanted) JOIN \(source.table) USING (id)" }
        let isLater = RowVersions.isReplaced(after: "\(named.moment.seen)::pg_snapshot", of: "\(named.moment.server)")
        return """
            \(wanted) CROSS JOIN LATERAL (
                SELECT * FROM (
                    SELECT \(versions.columns), NULL::bigint AS number FROM \(source.table) WHERE id = wanted.id
                    UNION ALL
                    SELECT \(versions.columns), number FROM \(versions.name) AS version
                    WHERE version.\(versions.row) = wanted.id AND \(isLater)
                ) AS known ORDER BY number NULLS LAST LIMIT 1
            ) AS stood
            """
    }

    private static func moment(of row: Row) throws -> JobSnapshot.Moment {
        JobSnapshot.Moment(seen: try row.get("seen", as: String.self), server: try row.get("server", as: Int.self))
    }

    private static func source(of row: Row) throws -> JobSnapshot.Source {
        try row.named("source", in: "job_snapshots")
    }
}

extension JobSnapshot.Source {
    /// Where the rows are.
    fileprivate var table: SQL {
        switch self {
        case .problems, .attempted: "problems"
        case .traces, .corrections: "traces"
        case .keySteps: "key_steps"
        case .attempts: "attempts"
        }
    }

    /// What stood in the rows before; nil where nothing is ever replaced.
    fileprivate var versions: RowVersions.Table? {
        switch self {
        case .problems, .attempted: RowVersions.problems
        case .traces, .corrections: RowVersions.traces
        case .keySteps, .attempts: nil
        }
    }

    /// What a stage reads of a row, as text.
    fileprivate var content: SQL {
        switch self {
        case .problems, .attempted:
            "ROW(\(RowVersions.problems.columns))::text"
        case .traces, .corrections, .keySteps, .attempts: "body::text"
        }
    }
}
