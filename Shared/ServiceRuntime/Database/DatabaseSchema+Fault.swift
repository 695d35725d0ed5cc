public import PostgresClient

extension DatabaseSchema {
    /// The version of the tables that this program works with.
    static let version = migrations.map(\.version).max() ?? 0

    /// How a database's tables differ from those that this program works with.
    public enum Fault: Sendable, Hashable, CustomStringConvertible {
        /// There are none.
        case missing
        /// They are of an earlier version.
        case older(found: Int, wanted: Int)
        /// They are of a later version.
        case newer(found: Int, wanted: Int)

        /// What is wrong and what mends it, in a sentence.
        public var description: String {
            switch self {
            case .missing: "the database has no tables of Errata; `errata migrate` makes them"
            case .older(let found, let wanted):
                "the database's tables are of version \(found), this program's of \(wanted); `errata migrate` brings them up "
                    + "to date"
            case .newer(let found, let wanted):
                "the database's tables are of version \(found), this program's of \(wanted): the program is older; start the "
                    + "newer one"
            }
        }
    }

    /// What is wrong with a database's tables; nil where they are right, and where the user may not look at that.
    public static func fault(of database: some PostgresQueryable) async throws -> Fault? {
        let isThere = try await database.value("SELECT to_regclass('errata_migrations') IS NOT NULL", as: Bool.self)
        guard isThere else { return .missing }
        let found: Int?
        do {
            found = try await database.value("SELECT max(version) FROM errata_migrations", as: Int?.self)
        } catch let error as PostgresError where error.sqlState == "42501" {
            return nil
        }
        guard let found else { return .missing }
        if found == version { return nil }
        return found < version ? .older(found: found, wanted: version) : .newer(found: found, wanted: version)
    }
}
