import ArgumentParser
import Distillation
import Foundation
import KafkaClient
import KeyStepLocatorCore
import Logging
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Tokenization

/// KeyStepLocator end to end: the event of a pair in, its key steps written, their events out.
struct PairRounds: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pairs",
        abstract: "Dual pairs a second through KeyStepLocator, and what its parts cost alone."
    )

    @Option(help: "Pairs a round.") var pairs = 10_000
    @Option(help: "Words and marks of a chain.") var tokens = 200
    @Option(help: "Rounds, each with a new broker and a new database.") var rounds = 3
    @Option(help: "Active runs, of one student, that learn from the pairs as chains.") var runs = 0
    @Option(help: "Runs that have ended, which must cost nothing.") var endedRuns = 0
    @Option(help: "Partitions of the topic of traces.") var partitions = 32
    @Option(help: "Messages that are worked on at the same time.") var concurrency = 16
    @Option(help: "Connections of the pool.") var connections = 8
    @Option(help: "Fail where the median of pairs a second is lower than this.") var atLeast: Double?
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        guard pairs > 0, tokens >= 20, rounds > 0, runs >= 0, endedRuns >= 0, partitions > 0, concurrency > 0,
            connections > 1
        else {
            throw ValidationError(
                "--runs and --ended-runs may be 0, --tokens must be at least 20, --connections 2, all others positive"
            )
        }
        guard pairs / partitions * (20 * tokens + 1_000) < 4 << 20 else {
            throw ValidationError("the embedded broker keeps 5 MiB a partition; raise --partitions or lower --pairs")
        }
    }

    func run() async throws {
        var generator = PairGenerator(tokens: tokens)
        let traces = (0..<pairs).map { generator.trace($0) }
        let texts = traces.prefix(500).flatMap { $0.pair.map { [$0.right, $0.wrong] } ?? [] }
        let tokenizer = try BytePairTrainer(eosToken: "<|endoftext|>").train(
            texts,
            vocabularySize: 2_000,
            specialTokens: ["<|endoftext|>"]
        )
        try printParts(traces, tokenizer)
        var figures: [DeliveryRound.Figures] = []
        var isEmbedded = true
        let topics = [
            Topic.traces.rawValue: partitions, Topic.runs.rawValue: 1, Topic.keySteps.rawValue: partitions,
        ]
        for _ in 0..<rounds {
            try await database.withServer { server in
                try await server.withDatabase(connections: connections) { pool in
                    try await Broker.with(topics: topics) { broker in
                        isEmbedded = broker.isEmbedded
                        figures.append(try await round(traces, tokenizer, server, pool, broker))
                    }
                }
            }
        }
        print(
            "\(pairs) pairs a round, \(runs) active runs and \(endedRuns) ended ones, \(concurrency) at a time on "
                + "\(connections) connections, \(rounds) rounds"
        )
        DeliveryRound.print(figures, what: "pairs", isEmbedded: isEmbedded)
        let median = figures.map(\.published).median
        if let atLeast, !(median >= atLeast) {
            throw BenchmarkError("\(median.text(0)) pairs a second, \(atLeast.text(0)) were asked for")
        }
    }

    private func round(
        _ traces: [TraceEvent],
        _ tokenizer: Tokenizer,
        _ server: BenchmarkServer,
        _ pool: PostgresPool,
        _ broker: Broker
    ) async throws -> DeliveryRound.Figures {
        try await broker.checkIsEmpty([Topic.traces.rawValue, Topic.runs.rawValue])
        try await ingest(traces, tokenizer, into: pool)
        let time = Date()
        try await broker.produce(traces.map { try OutgoingEvent($0, source: "/benchmark", time: time).record() })
        let figures = try await DeliveryRound(
            server: server,
            pool: pool,
            broker: broker,
            processor: KeyStepLocatorProcessor(
                pool: pool,
                tokenizers: OneTokenizer(tokenizer: tokenizer),
                logger: .quiet
            ),
            messages: traces.count,
            concurrency: concurrency
        ).run()
        // Over words, and over the tokens of the runs' one student.
        let expected = traces.count * (runs > 0 ? 2 : 1)
        let located = try await pool.value("SELECT count(*) FROM key_steps", as: Int.self)
        let sent = try await pool.value(
            "SELECT count(*) FROM outbox WHERE topic = \(Topic.keySteps.rawValue) AND published_at IS NOT NULL",
            as: Int.self
        )
        guard located == expected, sent == expected else {
            throw BenchmarkError("\(located) key steps and \(sent) of their events, where \(expected) should be")
        }
        return figures
    }

    /// Writes what TeacherIngestion and the runs' senders have written before.
    private func ingest(_ traces: [TraceEvent], _ tokenizer: Tokenizer, into pool: PostgresPool) async throws {
        for first in stride(from: 0, to: traces.count, by: 500) {
            let part = Array(traces[first..<min(first + 500, traces.count)])
            try await pool.withTransaction { transaction in
                for trace in part {
                    let problem = ProblemEvent(
                        id: trace.problemId,
                        dataset: "benchmark",
                        split: .train,
                        question: "How many are left?",
                        answer: "7"
                    )
                    try await ProblemStore.insert(problem, state: .ingested, in: transaction)
                }
                try await TraceStore.insert(part, in: transaction)
            }
        }
        for number in 0..<(runs + endedRuns) {
            let run = RunEvent(
                id: "run-\(number)",
                name: "benchmark",
                dataset: "benchmark",
                seed: 1,
                student: StudentReference(
                    modelHash: String(repeating: "a", count: 64),
                    tokenizerFingerprint: tokenizer.fingerprint
                ),
                stages: [RunStage(name: "krsl", keySteps: KeyStepMethod(), start: StageStart(examples: 1))],
                suites: []
            )
            let hasEnded = number >= runs
            try await pool.withTransaction { transaction in
                try await RunStore.insert(run, in: transaction)
                guard hasEnded else { return }
                _ = try await RunStore.end(run.id, as: .finished, reason: "done", in: transaction)
            }
        }
        // As a database that has been in use for a while is.
        try await pool.execute("ANALYZE")
    }

    // MARK: The parts alone

    /// Prints what each part of the work on a pair costs on one core, without database and broker.
    private func printParts(_ traces: [TraceEvent], _ tokenizer: Tokenizer) throws {
        let sample = Array(traces.prefix(500))
        let payloads = try sample.map { try EventCoding.encode($0) }
        let pairs = sample.compactMap(\.pair)
        let words = pairs.map { (WordTokens.tokens(of: $0.right).ids, WordTokens.tokens(of: $0.wrong).ids) }
        let lengths = words.map { Double($0.0.count) }
        let students = pairs.map { Double(tokenizer.encode($0.right).count) }
        var table = Table("part, one core", "us a pair", "pairs a second")
        func add(_ name: String, _ body: () throws -> Void) rethrows {
            try body()
            let start = ContinuousClock.now
            var passes = 0
            while start.duration(to: .now) < .seconds(1) {
                try body()
                passes += 1
            }
            let seconds = start.duration(to: .now) / .seconds(1) / Double(passes * sample.count)
            table.add(name, (1e6 * seconds).text(1), (1 / seconds).text(0))
        }
        var distance = 0
        try add("reading the event") {
            for payload in payloads { _ = try EventCoding.decode(TraceEvent.self, from: payload) }
        }
        add("alignment of the words") {
            for pair in words { distance += KeyStepAlignment.align(right: pair.0, wrong: pair.1).distance }
        }
        for (name, tokens) in [
            ("words", KeyStepLocation.Tokens.words), ("student's tokens", KeyStepLocation.Tokens.student(tokenizer)),
        ] {
            add("cutting, alignment and spans, \(name)") {
                for pair in pairs {
                    let located = KeyStepLocation(
                        right: pair.right,
                        wrong: pair.wrong,
                        tokens: tokens,
                        options: KeyStepOptions()
                    )
                    distance += located.distance
                }
            }
        }
        let events = sample.compactMap(Self.keySteps)
        let time = Date()
        try add("checking and writing the event") {
            for event in events {
                distance += try OutgoingEvent(event, source: "/benchmark", time: time).payload.utf8.count
            }
        }
        print(
            "chains of \(lengths.median.text(0)) words, \(students.median.text(0)) of the student's tokens, events of "
                + "\(payloads.map { Double($0.count) }.median.text(0)) bytes"
        )
        table.print()
        guard distance > 0 else { throw BenchmarkError("the chains do not differ") }
    }

    /// An event of the size that the locator's has.
    private static func keySteps(_ trace: TraceEvent) -> KeyStepsEvent? {
        guard let pair = trace.pair else { return nil }
        let location = KeyStepLocation(
            right: pair.right,
            wrong: pair.wrong,
            tokens: .words,
            options: KeyStepOptions()
        )
        func side(_ side: KeyStepLocation.Side) -> KeyStepSide {
            KeyStepSide(
                text: side.text,
                spans: side.spans.map {
                    KeyStepSpan(
                        start: $0.bytes.lowerBound,
                        end: $0.bytes.upperBound,
                        tokenStart: $0.tokens.lowerBound,
                        tokenEnd: $0.tokens.upperBound,
                        kind: .replace,
                        step: $0.step
                    )
                },
                tokenWeights: side.weights
            )
        }
        return KeyStepsEvent(
            id: trace.id,
            problemId: trace.problemId,
            traceId: trace.id,
            tokenizer: KeyStepsEvent.wordTokenizer,
            distance: location.distance,
            right: side(location.right),
            wrong: side(location.wrong),
            alpha: 1,
            beta: 0.025,
            gamma: 0,
            tieRule: "edit"
        )
    }
}

private struct OneTokenizer: StudentTokenizers {
    let tokenizer: Tokenizer

    func tokenizer(of student: StudentReference) async throws -> Tokenizer { tokenizer }

    func check(_ run: RunEvent) {}
}

extension TraceEvent {
    fileprivate var pair: DualBody? { if case .dual(let dual) = body { dual } else { nil } }
}

/// Makes pairs of chains of about so many words and marks, the same ones every time.
private struct PairGenerator {
    private var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    private let tokens: Int

    private static let names = ["Ann", "Tom", "Maria", "Chen", "Olga", "Ravi", "Lena", "Omar"]
    private static let things = ["pens", "apples", "boxes", "tickets", "stamps", "coins", "books", "marbles"]

    init(tokens: Int) { self.tokens = tokens }

    private mutating func next(_ bound: Int) -> Int {
        // Knuth's MMIX constants; the high bits are the random ones.
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }

    /// A chain that adds line by line, and one that goes wrong in its first third.
    mutating func trace(_ number: Int) -> TraceEvent {
        var (right, wrong) = (1 + next(50), 0)
        wrong = right
        var lines: (right: [String], wrong: [String]) = ([], [])
        var length = 0
        // The slip lies in a line that every chain has.
        let slip = next(max(1, tokens / 60))
        while length < tokens {
            let (name, thing, more) = (Self.names[next(8)], Self.things[next(8)], 1 + next(9))
            let off = lines.right.count == slip ? 1 : 0
            let line = "Then \(name) gets \(more) more \(thing), which makes"
            lines.right.append("\(line) \(right) + \(more) = \(right + more).")
            lines.wrong.append("\(line) \(wrong) + \(more) = \(wrong + more + off).")
            right += more
            wrong += more + off
            length += WordTokens.ranges(of: lines.right.last ?? "").count + 1
        }
        let ends = (right: "The answer is \(right).", wrong: "The answer is \(wrong).")
        return TraceEvent(
            id: "trace-\(number)",
            problemId: "problem-\(number)",
            verified: true,
            body: .dual(
                DualBody(
                    right: (lines.right + [ends.right]).joined(separator: "\n"),
                    wrong: (lines.wrong + [ends.wrong]).joined(separator: "\n"),
                    rightAnswer: "\(right)",
                    wrongAnswer: "\(wrong)",
                    method: .corrupted
                )
            ),
            teacher: TeacherCall(
                model: "benchmark",
                promptId: "corrupt",
                promptVersion: "1",
                temperature: 0,
                promptTokens: 1,
                completionTokens: 1,
                latencyMs: 1,
                finishReason: "stop"
            )
        )
    }
}
