import ArgumentParser
import Foundation
import PostgresClient
import Schemas
import ServiceRuntime

/// `errata trace`: one problem's whole story.
struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract:
            "Tell one problem's story in order of time: intake, teacher, key steps, stages, attempts, dead letters.",
        discussion: """
            A teacher's answer stands with the problem that paid for it first; others that ask the same use it. What was \
            stored shows what it is by now. `errata traces --problem ID --json` has the texts.
            """
    )

    @OptionGroup var system: SystemOptions

    @Argument(help: "The problem's id.")
    var problem: String

    @Flag(help: "JSON lines instead of text: at, event, and what is known of it.")
    var json = false

    func run() async throws {
        let events = try await system.withDatabase { try await Self.events(of: problem, from: $0) }
        guard !events.isEmpty else { throw CLIError("nothing names a problem \(problem)") }
        if json {
            for event in events { Terminal.out(try StoryText.line(of: event)) }
        } else {
            Terminal.out(StoryText.text(of: events))
        }
    }

    /// The story, with the message by which `errata submit` would have sent the problem.
    static func events(of problem: String, from pool: PostgresPool) async throws -> [ProblemStory.Event] {
        // What an earlier version stored may be refused by now.
        let eventID = try await ProblemStore.problem(problem, from: pool).flatMap { try? ProblemLines.eventID(of: $0) }
        return try await ProblemStory.events(of: problem, eventID: eventID, from: pool)
    }
}

/// A problem's story as lines.
enum StoryText {
    /// The most characters of a text of others in a line.
    private static let shown = 100

    /// A part as a line of JSON.
    static func line(of event: ProblemStory.Event) throws -> String {
        var members = event.details
        members["event"] = .string(event.kind.rawValue)
        members["at"] = .string(try Timestamp.format(event.at))
        return String(decoding: try EventCoding.encodeJSON(JSONValue.object(members)), as: UTF8.self)
    }

    /// The whole story, with the sum of what the teacher cost.
    static func text(of events: [ProblemStory.Event]) -> String {
        let width = ProblemStory.Kind.allCases.map(\.rawValue.count).max() ?? 0
        var lines = events.map { event in
            let kind = event.kind.rawValue.padding(toLength: width + 2, withPad: " ", startingAt: 0)
            return "\(event.at.ISO8601Format())  \(kind)" + TextTable.oneLine(words(of: event), atMost: 400)
        }
        let calls = events.filter { $0.kind == .teacherCall }
        let failed = events.filter { $0.kind == .failedCall }.count
        if !calls.isEmpty || failed > 0 {
            func sum(_ name: String) -> Int { calls.reduce(0) { $0 + Int($1.details[name]?.doubleValue ?? 0) } }
            let costs = calls.compactMap { $0.details["cost"]?.doubleValue }
            lines.append(
                "teacher: \(calls.count) answers, tokens sent \(sum("promptTokens")), received \(sum("completionTokens"))"
                    + (costs.isEmpty ? "" : ", cost " + String(format: "%.4f", costs.reduce(0, +)))
                    + (failed == 0 ? "" : "; \(failed) calls gave no answer")
            )
        }
        return lines.joined(separator: "\n")
    }

    /// A part in words.
    static func words(of event: ProblemStory.Event) -> String {
        let details = Details(event.details)
        return switch event.kind {
        case .received: "\(details["topic"])/\(details["partition"])/\(details["offset"]), event \(details["event"])"
        case .stored: stored(details)
        case .overlap:
            "\(details["kind"]) (\(details["similarity"])) with \(details["other"]) of \(details["otherDataset"]) "
                + "\(details["otherSplit"]); it stands against \(details["standsAgainst"]) problem"
        case .vote:
            "\(details["agreeing"]) of \(details["votes"]) samples agreed"
                + details.part(" on ", "answer") + details.part(", for run ", "run")
        case .teacherCall:
            "\(details["role"]) \(details["prompt"]) \(details["promptVersion"]) by \(details["model"]): "
                + "\(details["promptTokens"]) + \(details["completionTokens"]) tokens" + details.part(", cost ", "cost")
                + ", \(details["latencyMs"]) ms, \(details["finishReason"])" + details.part(", for run ", "run")
        case .failedCall:
            "\(details["role"]) \(details["prompt"]) by \(details["model"]): \(details["outcome"]): "
                + details.short("message", shown) + details.flag("mayBeBilled", " (may be billed)")
        case .trace: trace(details)
        case .keySteps:
            "of \(details["trace"]): distance \(details["distance"]), key tokens \(details["rightKeyTokens"]) right and "
                + "\(details["wrongKeyTokens"]) wrong, tokenizer \(details.short("tokenizer", 16)), ties \(details["tieRule"])"
                + details.part(", as ", "format")
        case .trained:
            "\(details["stage"]) of run \(details["name"]) (\(details.short("run", 9))), round \(details["round"]), "
                + "\(details["job"])" + details.part(", from correction ", "trace")
        case .attempt:
            answered(details)
                + ", sample \(details["sample"]) of checkpoint \(details["checkpoint"]), run \(details["run"])"
        case .evaluated:
            answered(details)
                + ", suite \(details["suite"]), checkpoint \(details["checkpoint"]), run \(details["run"])"
        case .parked:
            "by \(details["consumer"]), \(details["topic"])/\(details["partition"])/\(details["offset"]), after "
                + "\(details["tries"]) failed tries: \(details.short("reason", shown))"
        case .deadLetter:
            "\(details["id"]) of \(details["consumer"]), \(details["topic"])/\(details["partition"])/\(details["offset"]), "
                + "\(details["state"]): \(details["cause"]): \(details.short("message", shown))"
        }
    }

    private static func answered(_ details: Details) -> String {
        let verdict = details["correct"] == "true" ? "right" : "wrong"
        return verdict + details.part(", answer ", "answer") + details.flag("truncated", ", cut off")
    }

    private static func stored(_ details: Details) -> String {
        let state = details["state"]
        let meaning: [String: String] = [
            "duplicate": "left out: another of its data set was there before",
            "contaminated": "left out: an evaluation question of its data set stands in it",
            "unanswered": "there is no answer to verify by",
            "registered": "no teacher was asked",
            "ingested": "the teacher was asked",
        ]
        let known = meaning[state].map { " (\($0))" } ?? ""
        return "\(details["dataset"]) \(details["split"]), by now \(state)\(known)" + details.part(": ", "taught")
            + details.part("; answer ", "answerSource") + details.part("; W3C trace ", "traceId")
    }

    private static func trace(_ details: Details) -> String {
        let verdict =
            details["verified"] == "true"
            ? "verified" : "refused for \(details["failureKind", or: "-"]): \(details.short("failure", shown))"
        return "\(details["id"]) \(details["kind"])" + details.part(", ", "method")
            + details.part(", mistake ", "mistake")
            + details.part(", of ", "inspected") + ": \(verdict)" + details.part(", of attempt ", "attempt")
    }

    /// Details as words; what is not there is empty.
    private struct Details {
        private let values: [String: JSONValue]

        init(_ values: [String: JSONValue]) { self.values = values }

        subscript(name: String, or fallback: String = "") -> String {
            switch values[name] {
            case .string(let text)?: text
            case .integer(let number)?: String(number)
            case .number(let number)?: String(format: "%.4g", number)
            case .bool(let value)?: String(value)
            case .array(let list)?: list.compactMap(\.stringValue).joined(separator: ", ")
            case .null?, .object?, nil: fallback
            }
        }

        /// A value behind a few words; empty where there is none.
        func part(_ words: String, _ name: String) -> String {
            let value = self[name]
            return value.isEmpty ? "" : words + value
        }

        /// A few words where a value is true.
        func flag(_ name: String, _ words: String) -> String { self[name] == "true" ? words : "" }

        func short(_ name: String, _ limit: Int) -> String { TextTable.oneLine(self[name], atMost: limit) }
    }
}
