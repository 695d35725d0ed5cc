/// The rows that a stage trains on, written down when it starts: a process that takes the stage over trains on the same, as
/// they stood then.
public struct JobSnapshot: Sendable, Hashable {
    /// A kind of rows.
    public enum Source: String, Sendable, Hashable, CaseIterable {
        /// The training problems.
        case problems
        /// What the teacher wrote about them.
        case traces
        /// The key steps of their pairs.
        case keySteps = "key-steps"
        /// The attempts of the checkpoint that the stage starts from.
        case attempts
        /// The problems that were attempted.
        case attempted
        /// The teacher's corrections of the attempts.
        case corrections
    }

    /// A moment, as the database counts its transactions.
    struct Moment: Sendable, Hashable {
        /// The transactions that were done, in the text form of PostgreSQL's `pg_snapshot`.
        let seen: String
        /// The system identifier of the server that counted them.
        let server: Int
    }

    /// The rows of a source.
    public struct Rows: Sendable, Hashable {
        /// Their ids, in order.
        public let ids: [String]
        /// When they were chosen; all sources of a stage at one moment.
        let moment: Moment
        /// SHA-256, in hexadecimal, of the ids and of what stood under them.
        public let digest: String
    }

    /// The rows by source; a source that the stage does not read has none.
    public let rows: [Source: Rows]

    /// The ids of a source's rows, in order.
    public func ids(_ source: Source) -> [String] { rows[source]?.ids ?? [] }
}

/// Rows that a snapshot names are not there any more.
public struct SnapshotGone: Error, Sendable, CustomStringConvertible {
    /// Their kind.
    public let source: JobSnapshot.Source
    /// How many.
    public let missing: Int
    /// How many the snapshot names.
    public let named: Int

    /// The whole in a sentence, safe to log.
    public var description: String {
        "\(missing) of the \(named) \(source.rawValue) that the stage began with are gone from the database, so that it cannot "
            + "be trained on what it began with; submit the run again under an id of its own to train on what there is now"
    }
}
