import Logging

/// One step of the database's schema.
public struct Migration: Sendable, Hashable {
    /// Its place in the order, from 1 without gaps being required.
    public var version: Int
    /// A short name for people.
    public var name: String
    /// One or more statements; they run in one transaction.
    public var sql: String

    /// A migration from its parts.
    public init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }
}

extension PostgresPool {
    /// Brings the schema up to date and returns the migrations that this call applied.
    ///
    /// An advisory lock lets one process at a time in. Refused by name: a migration whose text changed after it was
    /// applied, a version that is unknown here (the database is newer), and one that comes before an applied one.
    @discardableResult
    public func migrate(_ migrations: [Migration], table: String = "errata_migrations") async throws -> [Migration] {
        let ordered = migrations.sorted { $0.version < $1.version }
        for (first, second) in zip(ordered, ordered.dropFirst()) where first.version == second.version {
            throw PostgresError(
                kind: .migration,
                message: "version \(first.version) is used twice, by \"\(first.name)\" and \"\(second.name)\""
            )
        }
        return try await withConnection { connection in
            // Another process's migrations, and those of large tables, take as long as they take.
            _ = try await connection.simple("SET statement_timeout TO 0")
            _ = try await connection.query("SELECT pg_advisory_lock(hashtextextended(\(table), 0))")
            do {
                let applied = try await self.apply(ordered, table: table, on: connection)
                _ = try await connection.query("SELECT pg_advisory_unlock(hashtextextended(\(table), 0))")
                _ = try await connection.simple(self.configuration.statementTimeoutText)
                return applied
            } catch {
                // A broken connection has lost its locks already.
                _ = try? await connection.simple("ROLLBACK")
                _ = try? await connection.query("SELECT pg_advisory_unlock(hashtextextended(\(table), 0))")
                _ = try? await connection.simple(self.configuration.statementTimeoutText)
                throw error
            }
        }
    }

    private func apply(
        _ migrations: [Migration],
        table: String,
        on connection: PostgresConnection
    ) async throws -> [Migration] {
        try await connection.execute(
            """
            CREATE TABLE IF NOT EXISTS \(identifier: table) (
                version bigint PRIMARY KEY,
                name text NOT NULL,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        var known: [Int: (name: String, checksum: String)] = [:]
        for row in try await connection.query("SELECT version, name, checksum FROM \(identifier: table)") {
            known[try row.get("version")] = (try row.get("name"), try row.get("checksum"))
        }
        let here = Set(migrations.map(\.version))
        if let newer = known.keys.filter({ !here.contains($0) }).max() {
            throw PostgresError(
                kind: .migration,
                message: "the database has migration \(newer) \"\(known[newer]?.name ?? "")\", which this program does "
                    + "not know: the database is newer; run a newer program"
            )
        }
        let latest = known.keys.max() ?? Int.min
        var applied: [Migration] = []
        for migration in migrations {
            let checksum: String = try await connection.value(
                "SELECT encode(sha256(convert_to(\(migration.sql)::text, 'UTF8')), 'hex')"
            )
            if let entry = known[migration.version] {
                guard entry.checksum == checksum else {
                    throw PostgresError(
                        kind: .migration,
                        message: "migration \(migration.version) \"\(migration.name)\" was changed after it was "
                            + "applied; restore its text and add a new migration instead"
                    )
                }
                continue
            }
            guard migration.version > latest else {
                throw PostgresError(
                    kind: .migration,
                    message: "migration \(migration.version) \"\(migration.name)\" comes before \(latest), which is "
                        + "applied already; give it a later version"
                )
            }
            _ = try await connection.simple("BEGIN")
            do {
                _ = try await connection.simple(migration.sql)
                try await connection.execute(
                    """
                    INSERT INTO \(identifier: table) (version, name, checksum)
                    VALUES (\(migration.version), \(migration.name), \(checksum))
                    """
                )
                try await connection.commit()
            } catch var error as PostgresError {
                error.message = "migration \(migration.version) \"\(migration.name)\": \(error.message)"
                throw error
            }
            logger.info(
                "migration applied",
                metadata: ["version": "\(migration.version)", "name": "\(migration.name)"]
            )
            applied.append(migration)
        }
        return applied
    }
}
