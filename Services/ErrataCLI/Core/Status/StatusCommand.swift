import ArgumentParser
import Foundation
import KafkaClient
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime
import Teaching

/// `errata status`: how much is done, what it costs, and what waits for what.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract:
            "Show what the system holds, what it does and costs now, what waits and why, and how far consumers are behind.",
        discussion: """
            The rate of a training is over the time since it was begun, and with --watch since the last look. A day's budget \
            is a teacher-ingestion's own; it is shown where ERRATA_TEACHER_DAY_TOKENS or ERRATA_TEACHER_DAY_COST is set here.

            With --json it prints one JSON object. These keys stay as they are, further ones may come, and what is not there \
            is null:

            \(StatusReport.keys.map { "\($0.path): \($0.meaning)" }.joined(separator: "\n"))
            """
    )

    @OptionGroup var system: SystemOptions

    @Flag(help: "What came of the teacher's work by stage; it reads every trace.")
    var yields = false

    @Flag(help: "Print one JSON object, with the keys that are listed above.")
    var json = false

    @Flag(help: "Go on until it is interrupted: one screen on a terminal, the whole text each time elsewhere.")
    var watch = false

    @Option(help: "With --watch: the seconds between two looks.")
    var every = 2.0

    func validate() throws {
        let given = [("--watch", watch), ("--yields", yields), ("--json", json)].filter { $0.1 }.map { $0.0 }
        if given.count > 1 { throw ValidationError("\(given[0]) and \(given[1]) are both given; keep one") }
        guard (0.1...3_600).contains(every) else {
            throw ValidationError("--every must be 0.1 to 3600 seconds, not \(every)")
        }
    }

    func run() async throws {
        guard !json else { return try await report() }
        guard watch else { return try await once() }
        let interruption = await Interruption()
        let screen = LiveScreen()
        screen.begin()
        do {
            try await interruption.cancelling { try await follow(on: screen) }
        } catch {
            screen.end()
            if error is CancellationError { return }
            throw error
        }
        screen.end()
    }

    /// The models of this system, where it has some here.
    private func models() throws -> ModelStore? {
        let options = try ModelStoreOptions.parse(["--state=\(system.state)"])
        guard FileManager.default.fileExists(atPath: options.folder().path) else { return nil }
        return try options.store()
    }

    private func once() async throws {
        let text = try await system.withDatabase { pool in
            var text = StatusText.text(of: try await StatusFigures.read(from: pool, models: try models()))
            if yields {
                var work = TeachingYields()
                try await TraceStore.forEach(from: pool) { work.add($0) }
                text += "\n\n" + Self.rendered(work)
            }
            return text
        }
        Terminal.out(text)
        Terminal.out("\n" + StatusText.text(of: try await ConsumerLag.read(system)))
    }

    /// Prints the object; without the consumers, before the broker's error comes out, where it does not answer.
    private func report() async throws {
        let figures = try await system.withDatabase {
            try await StatusFigures.read(from: $0, models: try models())
        }
        func show(_ lags: [ConsumerLag]?) throws {
            let object = try StatusReport.object(of: figures, lags: lags, at: Date())
            Terminal.out(String(decoding: try EventCoding.encodeJSON(object), as: UTF8.self))
        }
        let lags: [ConsumerLag]
        do {
            lags = try await ConsumerLag.read(system)
        } catch {
            try show(nil)
            throw error
        }
        try show(lags)
    }

    private func follow(on screen: LiveScreen) async throws {
        try await system.withDatabase { pool in
            var rates = TrainingRates()
            var lag = "consumer groups: not asked yet"
            var askedAt: ContinuousClock.Instant?
            while true {
                let began = ContinuousClock.now
                let figures = try await StatusFigures.read(from: pool, models: try models())
                rates.add(figures.system.trainings, at: began)
                if askedAt.map({ began - $0 >= ConsumerLag.interval }) ?? true {
                    do {
                        lag = StatusText.text(of: try await ConsumerLag.read(system))
                    } catch is CancellationError {
                        throw CancellationError()
                    } catch {
                        lag = "consumer groups: \(Explanation.text(of: error))"
                    }
                    askedAt = .now
                }
                let time = Date().ISO8601Format()
                screen.show("\(time)\n\n" + StatusText.text(of: figures, rates: rates.perSecond) + "\n\n" + lag)
                // A look never takes more than a fifth of the time.
                try await Task.sleep(for: max(.seconds(every), (ContinuousClock.now - began) * 4))
            }
        }
    }
}

extension StatusCommand {
    /// The yields of the teacher's work, stage by stage.
    static func rendered(_ yields: TeachingYields) -> String {
        var table = TextTable([
            ("teacher's work", .left), ("asked", .right), ("verified", .right), ("share", .right), ("", .left),
        ])
        for line in yields.lines {
            let share = PipelineCounts.share(line.verified, of: line.asked)
            table.add([line.stage, String(line.asked), String(line.verified), share, line.note])
        }
        let patterns = yields.patterns.map { "\($0.name) \($0.count)" }.joined(separator: ", ")
        return table.rendered()
            + (patterns.isEmpty ? "" : "\n\nmistakes of the dual pairs: \(patterns)")
    }
}
