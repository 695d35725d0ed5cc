public import Foundation
public import KafkaClient
public import PostgresClient
import Schemas

/// What people do with dead letters: send them again, or give them up. Both are written down with the letter.
extension DeadLetters {
    /// What came of sending a dead letter again.
    public struct Replayed: Sendable {
        /// Its id.
        public let id: String
        /// Why it was not sent; nil where it was.
        public let error: (any Error)?
    }

    /// The dead letters whose bytes are held at a time.
    private static let batch = 25

    /// Sends dead letters to their topics again, in the order of the ids, each with its own key, headers and bytes, or with
    /// a mended body.
    ///
    /// A process that ends in the middle has sent some that are not marked; sent again, consumers recognise them.
    ///
    /// Arguments:
    ///   - body: what is sent in place of the bytes.
    ///   - by: who wants it, for the note.
    /// - Returns: what came of each; ids that there is no dead letter of are left out.
    public static func replay(
        _ ids: [String],
        body: Data? = nil,
        by person: String = "unknown",
        from pool: PostgresPool,
        through producer: KafkaProducer
    ) async throws -> [Replayed] {
        var outcomes: [Replayed] = []
        for start in stride(from: 0, to: ids.count, by: batch) {
            let part = Array(ids[start..<min(start + batch, ids.count)])
            outcomes += try await replay(part: part, body: body, by: person, from: pool, through: producer)
        }
        return outcomes
    }

    private static func replay(
        part ids: [String],
        body: Data?,
        by person: String,
        from pool: PostgresPool,
        through producer: KafkaProducer
    ) async throws -> [Replayed] {
        let found = Dictionary(
            try await letters(ids, from: pool).map { ($0.entry.id, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        let letters = ids.compactMap { found[$0] }
        let sendable = letters.filter { body != nil || !$0.entry.isErased }
        var errors: [String: any Error] = [:]
        for letter in letters where body == nil && letter.entry.isErased {
            errors[letter.entry.id] = PermanentFailure(
                code: "erased",
                message: "its bytes were erased when it was dropped; send a body with it"
            )
        }
        var sent: [Letter] = []
        let results = try await producer.deliver(sendable.map { record(of: $0, body: body) })
        for (letter, result) in zip(sendable, results) {
            switch result {
            case .success: sent.append(letter)
            case .failure(let error): errors[letter.entry.id] = error
            }
        }
        try await mark(sent, mended: body != nil, by: person, in: pool)
        return letters.map { Replayed(id: $0.entry.id, error: errors[$0.entry.id]) }
    }

    private static func record(of letter: Letter, body: Data?) -> KafkaRecord {
        KafkaRecord(
            topic: letter.entry.topic,
            key: letter.entry.key,
            value: body ?? letter.payload,
            headers: letter.headers.map {
                KafkaHeader(key: $0.name, value: $0.valueBase64.flatMap { Data(base64Encoded: $0) })
            }
        )
    }

    private static func mark(_ sent: [Letter], mended: Bool, by person: String, in pool: PostgresPool) async throws {
        guard !sent.isEmpty else { return }
        let ids = sent.map(\.entry.id)
        try await pool.withTransaction { transaction in
            try await transaction.execute(
                """
                UPDATE dead_letters SET replayed_at = now(), notes = notes || jsonb_build_array(
                    jsonb_build_object('action', 'replayed', 'at', \(timeOfNote), 'by', \(person)::text,
                                       'mended', \(mended)))
                WHERE id = ANY(\(ids))
                """
            )
            // An event of our own that the broker refused is published now.
            try await transaction.execute(
                """
                UPDATE outbox SET published_at = now(), refused_at = NULL
                FROM dead_letters AS letter
                WHERE letter.id = ANY(\(ids)) AND letter.consumer = \(outbox) AND outbox.sequence = letter."offset"
                """
            )
        }
    }

    /// Gives dead letters up: they stay, with who wanted it, when and why, and the size and digest of what they held.
    ///
    /// One that was dropped before is left as it is, unless its bytes are to be erased and are there still.
    ///
    /// Arguments:
    ///   - reason: why.
    ///   - by: who wants it.
    ///   - erasing: whether the body and the headers are deleted, for good; their notes stay.
    /// - Returns: how many were dropped.
    public static func drop(
        _ ids: [String],
        reason: String,
        by person: String,
        erasing: Bool = false,
        in pool: PostgresPool
    ) async throws -> Int {
        try await pool.execute(
            """
            UPDATE dead_letters SET
                payload = CASE WHEN \(erasing) THEN NULL ELSE payload END,
                headers = CASE WHEN \(erasing) THEN '[]' ELSE headers END,
                notes = notes || jsonb_build_array(jsonb_build_object(
                    'action', 'dropped', 'at', \(timeOfNote), 'by', \(person)::text, 'reason', \(reason)::text,
                    'bytes', octet_length(payload), 'sha256', encode(sha256(payload), 'hex'), 'erased', \(erasing)))
            WHERE id = ANY(\(ids))
              AND (\(stateColumn) <> 'dropped'
                   OR \(erasing) AND NOT notes @> '[{"erased": true}]')
            """
        )
    }

    /// The time of a note, as events write times.
    private static var timeOfNote: SQL {
        """
        to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        """
    }
}
