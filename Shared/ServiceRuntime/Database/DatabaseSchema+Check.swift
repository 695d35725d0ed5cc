import PostgresClient

extension DatabaseSchema {
    /// The version of the tables that this program works with.
    static let version = migrations.map(\.version).max() ?? 0

    /// Fails where the database's tables are not those that this program works with, and says what mends it.
    static func check(_ database: some PostgresQueryable) async throws {
        let latest: Int?
        do {
            latest = try await database.value("SELECT max(version) FROM errata_migrations", as: Int?.self)
        } catch let error as PostgresError where error.sqlState == "42P01" {
            throw NotReady("the database has no tables of Errata; `errata migrate` makes them")
        }
        guard let found = latest, found >= version else {
            throw NotReady(
                "the database's tables are of version \(latest ?? 0), this program's of \(version); `errata migrate` "
                    + "brings them up to date"
            )
        }
        guard found == version else {
            throw NotReady(
                "the database's tables are of version \(found), this program's of \(version): the program is older; "
                    + "start the newer one"
            )
        }
    }
}
