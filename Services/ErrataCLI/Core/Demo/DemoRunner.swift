import Distillation
import Foundation
import KafkaClient
import LanguageModel
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Tokenization

/// The main job from end to end: problems in, a trained student and evaluation events out.
struct DemoRunner: Sendable {
    private let system: LocalSystem
    private let seed: UInt64
    private let problemsFile: String?
    private let plan: DemoPlan

    init(system: LocalSystem, plan: DemoPlan, seed: UInt64, problemsFile: String?) {
        self.system = system
        self.plan = plan
        self.seed = seed
        self.problemsFile = problemsFile
    }

    /// Runs the job.
    ///
    /// Throws ``CLIError`` naming the first stage that did not do its work.
    func run() async throws {
        let started = ContinuousClock.now
        let problems =
            if let problemsFile { try plan.problems(file: problemsFile) } else {
                try plan.generatedProblems(seed: seed)
            }
        Terminal.out(
            "\n\(problems.training.count) training problems, \(problems.rollout.count) held back for roll-outs, "
                + "\(problems.test.count) held out for the table, \(problems.development.count) for the gate (seed \(seed))\n"
        )
        let producer = try KafkaProducer(system.kafka)
        do {
            try await submit(problems.first, through: producer)
            try await waitForTraces(problems)
            let run = try await makeRun(problems)
            let id = DeterministicID.make(cause: run.id, parts: "submitted")
            _ = try await producer.send(
                try OutgoingEvent.created(run, id: id, source: "/errata/cli", time: Date()).record()
            )
            try await waitForRound(1, of: run)
            let events = try await readEvaluationEvents(run)
            try await report(run, events: events)
            Terminal.out("\n\(problems.later.count) more problems stream in; the run goes on\n")
            try await submit(problems.later, through: producer)
            await producer.close()
            try await waitForRound(2, of: run)
            try await reportVerdicts(run)
            Terminal.out("Took \(Int((ContinuousClock.now - started) / .seconds(1))) s after the start of the services")
        } catch {
            await producer.close()
            throw error
        }
    }

    // MARK: Problems and traces

    private func submit(_ problems: [ProblemEvent], through producer: KafkaProducer) async throws {
        for start in stride(from: 0, to: problems.count, by: 200) {
            let part = problems[start..<min(start + 200, problems.count)]
            _ = try await producer.send(try part.map { try ProblemLines.record(of: $0) })
        }
    }

    private func waitForTraces(_ problems: DemoPlan.Problems) async throws {
        var board = ProgressBoard()
        var lastChange = ContinuousClock.now
        var last = -1
        while true {
            let counts = try await PipelineCounts.read(from: system.pool)
            let training = problems.training.count
            let complete = counts.problems >= problems.first.count && counts.ingested + counts.leftOut >= training
            board.show(
                [
                    .init(name: "problems", done: counts.problems, total: problems.first.count, note: ""),
                    .init(name: "teacher traces", done: counts.ingested, total: training, note: ""),
                    .init(name: "verified templates", done: counts.templates, total: training, note: ""),
                    .init(name: "verified dual pairs", done: counts.duals, total: training, note: ""),
                ],
                final: complete
            )
            if complete {
                guard counts.templates > 0, counts.duals > 0 else {
                    throw CLIError("the teacher gave no verified template or dual pair; see \(system.logs.path)")
                }
                return
            }
            if counts.problems + counts.ingested + counts.leftOut != last {
                last = counts.problems + counts.ingested + counts.leftOut
                lastChange = .now
            }
            try await checkAlive(since: lastChange, stage: "teacher traces", patience: .seconds(180))
        }
    }

    // MARK: The run

    private var models: URL { system.options.state.appending(path: "models") }

    /// Makes the student from what the teacher wrote: its tokenizer is trained on these texts, its weights are random.
    private func makeRun(_ problems: DemoPlan.Problems) async throws -> RunEvent {
        let pool = system.pool
        var texts = problems.training.map(\.question)
        for kind in [TraceKind.template, .dual] {
            for trace in try await TraceStore.verified(kind, datasets: [plan.dataset], from: pool) {
                texts += trace.body.texts
            }
        }
        let store = try ModelStore(root: models)
        let stored = try StudentFactory.create(texts: texts, size: .demo, seed: seed, in: store)
        let pairs = try await TraceStore.countVerified(.dual, dataset: plan.dataset, from: pool)
        let templates = try await TraceStore.countVerified(.template, dataset: plan.dataset, from: pool)
        return RunEvent(
            id: DeterministicID.make(cause: plan.dataset, parts: "run", String(seed), stored.hash),
            name: "demo-\(seed)",
            dataset: plan.dataset,
            seed: seed,
            student: StudentReference(modelHash: stored.hash, tokenizerFingerprint: stored.tokenizerFingerprint),
            stages: plan.stages(templates: templates, pairs: pairs),
            rollout: RolloutOptions(split: .rollout, samples: 1, temperature: 0.7, limit: plan.rolloutProblems),
            suites: [
                EvaluationSuite(
                    name: Self.suite,
                    dataset: plan.dataset,
                    split: .test,
                    expectedProblems: problems.test.count
                ),
                EvaluationSuite(
                    name: "gate",
                    dataset: plan.dataset,
                    split: .development,
                    expectedProblems: problems.development.count,
                    stages: [RunStage.initial, "dpo"]
                ),
            ],
            decoding: DecodingOptions(temperature: 0, maximumNewTokens: 260),
            rounds: RunRounds(
                newProblems: problems.later.count,
                maximum: 2,
                data: "replay",
                replayShare: plan.replayShare
            ),
            gate: RunGate(suite: "gate", stage: "dpo")
        )
    }

    /// The suite of the table.
    private static let suite = "held-out"

    /// Waits until all stages of a round are trained and scored, and its candidate is judged.
    private func waitForRound(_ round: Int, of run: RunEvent) async throws {
        let trained = run.stages(ofRound: round)
        let stages = (round == 1 ? [RunStage.initial] : []) + trained.map(\.name)
        let rolledOut = trained.first(where: \.needsRollout)?.parentName
        var board = ProgressBoard()
        var lastChange = ContinuousClock.now
        var last = ""
        while true {
            let jobs = try await JobStore.jobs(run: run.id, from: system.pool).filter { $0.id.round == round }
            if let failed = jobs.first(where: { $0.state == .failed }) {
                throw CLIError("stage \(failed.id.stage) failed: \(failed.error ?? "no reason given")")
            }
            let evaluations = try await EvaluationStore.evaluations(run: run.id, from: system.pool)
                .filter { $0.suite == Self.suite && ($0.round ?? 1) == round }
            let verdicts = try await RoundStore.verdicts(of: run.id, from: system.pool)
            var lines: [ProgressBoard.Line] = []
            for stage in trained {
                if let method = stage.keySteps {
                    let located = try await TraceStore.countKeySteps(
                        KeyStepForm(method, of: run),
                        TrainingSelection(datasets: [run.dataset]),
                        from: system.pool
                    )
                    lines.append(.init(name: "key steps", done: located, total: stage.start?.examples ?? 0, note: ""))
                }
            }
            for stage in trained {
                guard let job = jobs.first(where: { $0.id.stage == stage.name }) else { continue }
                let loss = job.loss.map { "loss \(($0 * 1000).rounded() / 1000)" } ?? job.state.rawValue
                lines.append(
                    .init(name: "training \(stage.name)", done: job.step, total: job.totalSteps, note: loss)
                )
                if stage.name == rolledOut {
                    let rollout = try await EvaluationStore.rolloutProgress(
                        checkpoint: CheckpointEvent.id(run: run.id, round: round, stage: stage.name),
                        round: round,
                        from: system.pool
                    )
                    lines.append(
                        .init(
                            name: "corrections",
                            done: rollout?.answered ?? 0,
                            total: rollout?.wrong ?? 0,
                            note: rollout.map { "\($0.verified) verified of \($0.wrong) wrong attempts" } ?? "waiting"
                        )
                    )
                }
            }
            lines.append(.init(name: "evaluations", done: evaluations.count, total: stages.count, note: ""))
            let complete = evaluations.count >= stages.count && verdicts.contains { $0.round == round }
            board.show(lines, final: complete)
            if complete { return }
            let state = "\(lines)"
            if state != last {
                last = state
                lastChange = .now
            }
            try await checkAlive(since: lastChange, stage: "training", patience: .seconds(240))
        }
    }

    private func checkAlive(since change: ContinuousClock.Instant, stage: String, patience: Duration) async throws {
        let failed = system.failedServices
        guard failed.isEmpty else {
            throw CLIError("\(failed.joined(separator: ", ")) cannot be kept running; see \(system.logs.path)")
        }
        guard ContinuousClock.now - change < patience else {
            throw CLIError("no progress in \(stage) for \(patience); see \(system.logs.path)")
        }
        try system.writeEndpoint()
        try await Task.sleep(for: .milliseconds(300))
    }

    // MARK: Results

    /// The evaluation events of the first round, as a consumer of its own finds them on the topic.
    private func readEvaluationEvents(_ run: RunEvent) async throws -> [EvaluationEvent] {
        try await events(EvaluationEvent.self, on: .evaluations, wanted: run.stages.count + 1) {
            $0.runId == run.id && $0.suite == Self.suite && ($0.round ?? 1) == 1
        }
    }

    /// So many events of a topic, each id once.
    private func events<Payload: EventPayload>(
        _ type: Payload.Type,
        on topic: Topic,
        wanted: Int,
        where isWanted: (Payload) -> Bool
    ) async throws -> [Payload] {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let reader = try await KafkaReader(
                system.kafka,
                topics: [topic.rawValue],
                from: .earliest,
                stopAtEnd: true
            )
            var events: [String: Payload] = [:]
            for try await batch in reader.batches {
                for message in batch {
                    guard let value = message.value else { continue }
                    let event = try EventCoding.decode(type, from: value)
                    if isWanted(event) { events[event.id] = event }
                }
            }
            await reader.close()
            if events.count >= wanted { return Array(events.values) }
            guard ContinuousClock.now < deadline else {
                throw CLIError("only \(events.count) of \(wanted) events are on the topic \(topic.rawValue)")
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private func report(_ run: RunEvent, events: [EvaluationEvent]) async throws {
        let table = ResultsTable(run: run, events: events)
        Terminal.out("\nAccuracy on held-out problems, with 95 % Wilson intervals, measured in this run\n")
        Terminal.out(try await table.rendered(from: system.pool))
        Terminal.out("\nEvaluation events, as an independent consumer read them from \(Topic.evaluations.rawValue)\n")
        for event in table.ordered {
            Terminal.out(String(decoding: try EventCoding.encode(event), as: UTF8.self))
        }
    }

    /// The verdicts of the run, as a consumer of its own finds them on the topic, and the student that is the best one.
    private func reportVerdicts(_ run: RunEvent) async throws {
        Terminal.out(
            "\nVerdicts on the rounds' students, as an independent consumer read them from \(Topic.verdicts.rawValue)\n"
        )
        for event in try await events(VerdictEvent.self, on: .verdicts, wanted: 2, where: { $0.runId == run.id })
            .sorted(by: { $0.round < $1.round })
        {
            Terminal.out(String(decoding: try EventCoding.encode(event), as: UTF8.self))
        }
        let champion = try await RoundStore.champion(of: run.id, from: system.pool)
        if let champion, let final = try await RunStore.checkpoint(champion, from: system.pool) {
            Terminal.out("\nThe trained student: \(models.appending(path: final.path).path)")
        }
        Terminal.out("State folder: \(system.options.state.path)")
    }
}
