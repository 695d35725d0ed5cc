public import PostgresClient

extension DatabaseSchema {
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
            case .missing: "the database has no tables of Errata; make them with `errata migrate`"
            case .older(let found, let wanted):
                "the database's tables are of version \(found) and this program needs version \(wanted); bring them up to "
                    + "date with `errata migrate`"
            case .newer(let found, let wanted):
                "the database's tables are of version \(found) and this program knows version \(wanted) at most; use the "
                    + "newer program"
            }
        }
    }

    /// What is wrong with a database's tables; nil where they are right, and where the user may not look at that.
    public static func fault(of database: some PostgresQueryable) async throws -> Fault? {
        let wanted = migrations.map(\.version).max() ?? 0
        let isThere = try await database.value("SELECT to_regclass('errata_migrations') IS NOT NULL", as: Bool.self)
        guard isThere else { return .missing }
        let found: Int?
        do {
            found = try await database.value("SELECT max(version) FROM errata_migrations", as: Int?.self)
        } catch let error as PostgresError where error.sqlState == "42501" {
            return nil
        }
        guard let found else { return .missing }
        if found == wanted { return nil }
        return found < wanted ? .older(found: found, wanted: wanted) : .newer(found: found, wanted: wanted)
    }
}
