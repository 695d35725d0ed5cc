import ArgumentParser
import Foundation
import ServiceRuntime

/// Which dead letters a command is about.
struct DeadLetterChoice: ParsableArguments {
    /// What became of them.
    enum Selection: String, CaseIterable, ExpressibleByArgument {
        case open, replayed, dropped, all
    }

    @Option(
        help: "Only those of a consumer, such as teacher-ingestion; outbox: events of our own that the broker refused."
    )
    var consumer: String?

    @Option(help: "Only those of a topic: problems, runs, traces, attempts, checkpoints, or a topic's whole name.")
    var topic: String?

    @Option(help: "Only those with a cause of this code, such as malformed-payload.")
    var cause: String?

    @Option(
        help:
            "Only those that failed since then: 2026-01-31T12:00:00Z, 2026-01-31 (UTC), or so long ago: 90s, 30m, 2h, 7d."
    )
    var since: Moment?

    @Option(help: "Only those that failed before then, said in the same way.")
    var until: Moment?

    @Option(help: "open, replayed, dropped or all. Default: those that were not dropped in lists, open ones elsewhere.")
    var status: Selection?

    /// Whether anything is said.
    var isGiven: Bool {
        consumer != nil || topic != nil || cause != nil || since != nil || until != nil || status != nil
    }

    func validate() throws {
        if let since, let until, since.date >= until.date {
            throw ValidationError("--since must be earlier than --until")
        }
    }

    /// The filter.
    ///
    /// Arguments:
    ///   - states: those that are meant where `--status` is not given.
    func filter(_ states: [DeadLetters.State]) -> DeadLetterFilter {
        let chosen: [DeadLetters.State] =
            switch status {
            case .open: [.open]
            case .replayed: [.replayed]
            case .dropped: [.dropped]
            case .all: DeadLetters.State.allCases
            case nil: states
            }
        return DeadLetterFilter(
            consumer: consumer,
            topic: topic.map(TopicName.full),
            cause: cause,
            since: since?.date,
            until: until?.date,
            states: chosen
        )
    }
}

/// The dead letters that something is done to: named one by one, or all of a choice.
struct DeadLetterTargets: ParsableArguments {
    @Argument(help: "The dead letters' ids; or a choice with --all.")
    var id: [String] = []

    @OptionGroup var choice: DeadLetterChoice

    @Flag(help: "All that the choice fits: it is said how many, and asked.")
    var all = false

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    func validate() throws {
        if id.isEmpty, !all {
            throw ValidationError(
                choice.isGiven
                    ? "--all is needed to choose all that fit; `errata dead-letters list` with the same options shows them"
                    : "name a dead letter by its <id>, or choose with --cause CODE --all"
            )
        }
        if !id.isEmpty, all || choice.isGiven {
            throw ValidationError("ids and a choice are both given; keep one")
        }
    }
}
