import Foundation
import KafkaClient
import PostgresClient

/// Why a command cannot reach what it needs, and what to do about it.
struct SystemFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Errors of the database and the broker in words that say what to do, without the codes of protocols.
enum Explanation {
    /// An error as a command ends with it.
    static func of(_ error: any Error) -> any Error {
        error is PostgresError || error is KafkaError ? SystemFault(text(of: error)) : error
    }

    /// An error in a line.
    static func text(of error: any Error) -> String {
        switch error {
        case let error as PostgresError: text(of: error)
        case let error as KafkaError: text(of: error)
        default: line("\(error)")
        }
    }

    private static func text(of error: PostgresError) -> String {
        let cause = plain(error.message)
        let state = error.sqlState ?? ""
        switch state {
        case "42P01", "42703", "42883", "3F000":
            return
                "the database lacks what this version works with (\(cause)); bring it up to date with `errata migrate`"
        case "42501": return "the database's user may not do that (\(cause)); use another, or grant it"
        case "3D000": return "\(cause); create the database, then run `errata migrate`"
        case _ where state.hasPrefix("28"):
            return "\(cause); look at ERRATA_POSTGRES_URL and ERRATA_POSTGRES_PASSWORD (or their _FILE)"
        default: return error.kind == .server ? "the database refuses it: \(cause)" : cause
        }
    }

    private static func text(of error: KafkaError) -> String {
        let cause = line(error.message)
        if error.setting != nil { return "\(cause); look at ERRATA_KAFKA_SETTINGS" }
        switch error.code {
        case .unknownTopicOrPartition: return "\(cause); make the topics with `errata migrate`"
        case .transport, .timedOut, .messageTimedOut, .requestTimedOut, .allBrokersDown:
            return
                "the broker does not answer: \(cause); look at ERRATA_KAFKA_BOOTSTRAP_SERVERS and ERRATA_KAFKA_SETTINGS"
        case .authentication, .topicAuthorizationFailed, .groupAuthorizationFailed:
            return
                "the broker refuses this user: \(cause); look at ERRATA_KAFKA_SETTINGS and ERRATA_KAFKA_SASL_PASSWORD"
        default: return cause
        }
    }

    /// libpq's words without the server's code, the place in its source, and its guess whether a server runs.
    static func plain(_ message: String) -> String {
        let lines = message.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.hasPrefix("LOCATION:") && !$0.hasPrefix("Is the server running") }
            .map { $0.replacing(#/(FATAL|ERROR):\s+([0-9A-Z]{5}:\s+)?/#, with: "") }
        var seen: Set<String> = []
        return lines.filter { seen.insert($0).inserted }.joined(separator: "; ")
    }

    private static func line(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
