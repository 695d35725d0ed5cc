import ArgumentParser
import DataSupport
import Foundation
import KafkaClient
import LanguageModel
import PostgresClient
import Testing

@testable import ErrataCLICore

@Suite("What operators say and are told")
struct OperatorTests {
    private static let now = Date(timeIntervalSince1970: 1_000_000)

    @Test(
        "a time is a moment, a day, or so long ago",
        arguments: [
            ("90s", 999_910.0), ("30m", 998_200), ("2h", 992_800), ("7d", 395_200), ("0s", 1_000_000),
            ("1970-01-02", 86_400), ("1970-01-01T00:01:00Z", 60), ("1970-01-01T01:00:00.5+01:00", 0.5),
        ] as [(String, Double)]
    )
    func moments(text: String, seconds: Double) {
        #expect(Moment(text, now: Self.now)?.date == Date(timeIntervalSince1970: seconds))
    }

    @Test("what is no time is refused", arguments: ["", "h", "-1h", "1w", "yesterday", "2026-13-01", "99999999d"])
    func noMoments(text: String) {
        #expect(Moment(text, now: Self.now) == nil)
    }

    @Test("what is collected lives as long as the services say, unless an option says otherwise, within reason")
    func lives() throws {
        let standard = try GCCommand.parse([])
        #expect(standard.inboxDays == 200 && standard.outboxDays == 180 && standard.modelDays == 90)
        let own = try GCCommand.parse(["--outbox-days", "0.5", "--dry-run"])
        #expect(own.outboxDays == 0.5 && own.inboxDays == 200 && own.dryRun)
        for wrong in [["--inbox-days=-1"], ["--model-days", "nan"], ["--outbox-days", "40000"]] {
            #expect(throws: (any Error).self) { try GCCommand.parse(wrong) }
        }
    }

    @Test("a collection leaves models alone where the database or their store alone is set, and says so")
    func pairedStore() throws {
        try withTemporaryFolder { folder in
            let url = "postgresql://errata@localhost/errata"
            let elsewhere = folder.appending(path: "elsewhere")
            for place in ["models", "elsewhere"] {
                try FileManager.default.createDirectory(
                    at: folder.appending(path: place),
                    withIntermediateDirectories: true
                )
            }
            let command = try GCCommand.parse(["--state", folder.path])
            var told: [String] = []
            func root(_ environment: [String: String]) throws -> String? {
                try command.models(environment: environment) { told.append($0) }?.root.lastPathComponent
            }
            let local = try root([:])
            let both = try root(["ERRATA_POSTGRES_URL": url, "ERRATA_MODEL_STORE": elsewhere.path])
            #expect(local == "models" && both == "elsewhere" && told.isEmpty)
            for environment in [
                ["ERRATA_POSTGRES_URL": url], ["ERRATA_POSTGRES_URL_FILE": "/run/secrets/url"],
                ["ERRATA_MODEL_STORE": elsewhere.path], ["ERRATA_POSTGRES_URL": url, "ERRATA_MODEL_STORE": ""],
            ] {
                let store = try root(environment)
                #expect(store == nil, "\(environment)")
            }
            #expect(told.count == 4 && told.allSatisfy { $0.contains("ERRATA_MODEL_STORE") })
        }
    }

    @Test("only a plain yes agrees")
    func answers() {
        #expect(["y", "Y", " yes ", "YES"].allSatisfy { Confirmation.isYes($0) })
        #expect([nil, "", "n", "no", "yesterday", "yy"].allSatisfy { !Confirmation.isYes($0) })
    }

    @Test("without a terminal nobody is asked: --yes is named, and nothing happens")
    func nobodyToAsk() throws {
        try Confirmation.ask("Go on?", yes: true)
        guard isatty(STDIN_FILENO) == 0 else { return }
        let error = #expect(throws: CLIError.self) { try Confirmation.ask("drop: 3 dead letters. Go on?", yes: false) }
        #expect(error?.description.contains("--yes") == true)
    }

    @Test("a text of others gives a terminal no orders")
    func printable() {
        #expect(Terminal.printable("a\u{1B}[2Jb\tc\nd\u{9B}1m") == "a\u{FFFD}[2Jb\tc\nd\u{FFFD}1m")
        #expect(TextTable.oneLine("one\ntwo\u{7}", atMost: 20) == "one two\u{FFFD}")
        #expect(TextTable.oneLine("abcdef", atMost: 4) == "abc…")
    }

    @Test("a database's error says what to do, without its code and the place in its source")
    func databaseErrors() {
        let missing = PostgresError(kind: .server, sqlState: "42P01", message: "relation \"problems\" does not exist")
        let text = Explanation.text(of: missing)
        #expect(text.contains("errata migrate") && !text.contains("42P01") && !text.contains("PostgresError"))

        let login = PostgresError(
            kind: .connection,
            sqlState: "28P01",
            message: """
                no connection to postgres://a@h/d: connection to server at "h", port 5432 failed: FATAL:  28P01: password \
                authentication failed for user "a"
                LOCATION:  auth_failed, auth.c:326
                """
        )
        #expect(
            Explanation.text(of: login)
                == "no connection to postgres://a@h/d: connection to server at \"h\", port 5432 failed: password "
                + "authentication failed for user \"a\"; look at ERRATA_POSTGRES_URL and ERRATA_POSTGRES_PASSWORD (or "
                + "their _FILE)"
        )
        let refused = "connection to server at \"h\", port 1 failed: Connection refused"
        #expect(Explanation.plain("\(refused)\n\tIs the server running on that host?\n\(refused)\n") == refused)
    }

    @Test("a broker's error says what to do, without librdkafka's name of it")
    func brokerErrors() {
        let topic = KafkaError(code: .unknownTopicOrPartition, message: "there is no topic 'x'")
        #expect(Explanation.text(of: topic) == "there is no topic 'x'; make the topics with `errata migrate`")
        let away = Explanation.text(
            of: KafkaError(code: .transport, message: "metadata from h:1: Local: Broker transport failure")
        )
        #expect(away.contains("ERRATA_KAFKA_BOOTSTRAP_SERVERS") && !away.contains("_TRANSPORT"))
        #expect(Explanation.of(CLIError("as it is")) is CLIError)
        #expect(Explanation.of(topic) is SystemFault)
        #expect(
            LastWords.shortened(
                "[thrd:h:1/bootstrap]: h:1/bootstrap: Connect to ipv4#1.2.3.4:1 failed: Connection refused "
                    + "(after 0ms in state CONNECT)"
            ) == "h:1/bootstrap: Connect to ipv4#1.2.3.4:1 failed: Connection refused"
        )
    }
}
