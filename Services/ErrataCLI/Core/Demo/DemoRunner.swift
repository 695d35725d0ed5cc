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
                + "\(problems.test.count) held out for the table (seed \(seed))\n"
        )
        let producer = try KafkaProducer(system.kafka)
        do {
            try await submit(problems.all, through: producer)
            try await waitForTraces(problems)
            let run = try await makeRun(problems)
            let id = DeterministicID.make(cause: run.id, parts: "submitted")
            _ = try await producer.send(try OutgoingEvent(run, id: id, source: "/errata/cli", time: Date()).record())
            try await waitForEvaluations(run)
            await producer.close()
            let events = try await readEvaluationEvents(run)
            try await report(run, events: events, seconds: (ContinuousClock.now - started) / .seconds(1))
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
            let complete = counts.problems >= problems.all.count && counts.ingested >= training
            board.show(
                [
                    .init(name: "problems", done: counts.problems, total: problems.all.count, note: ""),
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
            if counts.problems + counts.ingested != last {
                last = counts.problems + counts.ingested
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
            for trace in try await TraceStore.verified(kind, dataset: plan.dataset, from: pool) {
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
            stages: plan.stages,
            // Not every dual pair has a template to be rendered with: a few may be missing.
            thresholds: RunThresholds(templates: templates, pairs: pairs, maximumWaitSeconds: 30),
            rollout: RolloutOptions(split: .rollout, samples: 1, temperature: 0.7, limit: plan.rolloutProblems),
            suites: [
                EvaluationSuite(
                    name: "held-out",
                    dataset: plan.dataset,
                    split: .test,
                    expectedProblems: problems.test.count
                )
            ],
            decoding: DecodingOptions(temperature: 0, maximumNewTokens: 260)
        )
    }

    private func waitForEvaluations(_ run: RunEvent) async throws {
        let stages: [TrainingStage] = [.initial] + run.trainedStages
        var board = ProgressBoard()
        var lastChange = ContinuousClock.now
        var last = ""
        while true {
            let jobs = try await RunStore.jobs(run: run.id, from: system.pool)
            if let failed = jobs.first(where: { $0.state == "failed" }) {
                throw CLIError("stage \(failed.stage.rawValue) failed: \(failed.error ?? "no reason given")")
            }
            let evaluations = try await EvaluationStore.evaluations(run: run.id, from: system.pool)
            let rollout = try await EvaluationStore.rolloutProgress(run: run.id, from: system.pool)
            let keySteps = try await TraceStore.countKeySteps(KeyStepQuery(run), from: system.pool)
            var lines = [
                ProgressBoard.Line(name: "key steps", done: keySteps, total: run.thresholds.pairs, note: "")
            ]
            for stage in run.trainedStages {
                guard let job = jobs.first(where: { $0.stage == stage }) else { continue }
                let loss = job.loss.map { "loss \(($0 * 1000).rounded() / 1000)" } ?? job.state
                lines.append(
                    .init(name: "training \(stage.rawValue)", done: job.step, total: job.totalSteps, note: loss)
                )
                if stage == run.stageOneFinal {
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
            let complete = evaluations.count >= stages.count * run.suites.count
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

    /// The evaluation events of the run, as a consumer of its own finds them on the topic.
    private func readEvaluationEvents(_ run: RunEvent) async throws -> [EvaluationEvent] {
        let wanted = (run.trainedStages.count + 1) * run.suites.count
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let reader = try await KafkaReader(
                system.kafka,
                topics: [Topic.evaluations.rawValue],
                from: .earliest,
                stopAtEnd: true
            )
            var events: [String: EvaluationEvent] = [:]
            for try await batch in reader.batches {
                for message in batch {
                    guard let value = message.value else { continue }
                    let event = try EventCoding.decode(EvaluationEvent.self, from: value)
                    if event.runId == run.id { events[event.id] = event }
                }
            }
            await reader.close()
            if events.count >= wanted { return Array(events.values) }
            guard ContinuousClock.now < deadline else {
                throw CLIError("only \(events.count) of \(wanted) evaluation events are on the topic")
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private func report(_ run: RunEvent, events: [EvaluationEvent], seconds: Double) async throws {
        let table = ResultsTable(run: run, events: events)
        Terminal.out("\nAccuracy on held-out problems, with 95 % Wilson intervals, measured in this run\n")
        Terminal.out(try await table.rendered(from: system.pool))
        Terminal.out("\nEvaluation events, as an independent consumer read them from \(Topic.evaluations.rawValue)\n")
        for event in table.ordered {
            Terminal.out(String(decoding: try EventCoding.encode(event), as: UTF8.self))
        }
        let checkpoints = try await RunStore.checkpoints(run: run.id, from: system.pool)
        if let final = checkpoints.first(where: { $0.stage == .dpo }) ?? checkpoints.last {
            Terminal.out("\nThe trained student: \(models.appending(path: final.path).path)")
        }
        Terminal.out("State folder: \(system.options.state.path)")
        Terminal.out("Took \(Int(seconds)) s after the start of the services")
    }
}
