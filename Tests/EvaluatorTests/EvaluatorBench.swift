import Distillation
import Foundation
import LanguageModel
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import StageSupport
import TensorEngine
import TestSupport
import Testing
import Tokenization
import Training

@testable import EvaluatorCore

extension EvaluationSuite {
    /// A suite of six problems, numbers 30 to 35.
    static func ofSix(
        wait: Double? = nil,
        limit: Int? = nil,
        shots: Int? = nil,
        policy: String? = nil
    ) -> EvaluationSuite {
        EvaluationSuite(
            name: "held",
            dataset: StageBench.dataset,
            split: .test,
            expectedProblems: 6,
            waitSeconds: wait,
            limit: limit,
            shots: shots,
            policy: policy
        )
    }
}

extension StageBench {
    // MARK: Students and problems

    /// A student that answers every question for a template with the same text, at first 7.
    ///
    /// With `correcting` it answers every request for a correction by saying that the step gives 8.
    func parrot(
        says text: String = " <Step1>add</Step1><Answer>7</Answer>",
        correcting: Bool = false
    ) throws -> String {
        var examples = try (0..<8).map { number in
            codec.supervised(
                prompt: try codec.prompt(.hierarchicalThought, question: Sum(number).question),
                response: text
            )
        }
        if correcting {
            let trace = CorrectionTrace(steps: ["add"], firstWrongStep: 0, cause: "c", correction: "d", answer: "8")
            for number in 0..<8 {
                examples.append(
                    try SupervisedExamples.correction(trace, question: Sum(number).question, codec: codec)
                )
            }
        }
        return try StageTrainer(store: store, workFolder: workFolder).supervised(
            from: student.hash,
            name: "parrot",
            examples: examples,
            options: TrainingOptions(learningRate: 2e-2, epochs: 60, batchSequences: 8, schedule: .constant)
        ) { _ in }.stored.hash
    }

    /// An untrained student with weights so large that each word depends on all that it has read.
    ///
    /// A broken one writes nothing at all, as nothing that follows from its weights is a number.
    func fickle(isBroken: Bool = false) throws -> String {
        let configuration = ModelConfiguration(
            vocabularySize: codec.tokenizer.vocabularySize,
            hiddenSize: 16,
            intermediateSize: 24,
            layers: 2,
            heads: 2,
            maximumPositions: 1024,
            initializerRange: 1,
            eosTokenIDs: [codec.endOfText]
        )
        let model = try CausalLanguageModel(configuration: configuration, seed: 1)
        if isBroken {
            for parameter in model.parameters where parameter.name == "model.norm.weight" {
                parameter.tensor.withMutableValues { $0[7] = .nan }
            }
        }
        return try store.make { folder in
            try model.save(to: folder)
            try codec.tokenizer.save(to: folder)
        }.hash
    }

    /// The problems of the suite, of which a student that says 7 solves the first two.
    func insertSuite(_ numbers: Range<Int> = 30..<36) async throws {
        for number in numbers { try await insert(problem: number, split: .test, answer: number < 32 ? "7" : "8") }
    }

    // MARK: Work

    /// Asks for what a checkpoint needs, as the checkpoint's event does.
    func ask(_ checkpoint: CheckpointEvent) async throws {
        let effects = try await CheckpointProcessor(pool: pool).process(try StageBench.received(checkpoint))
        try await pool.withTransaction { try await effects.apply($0) }
    }

    /// Work on the bench's jobs.
    func work(pieceSize: Int = EvaluationWork.pieceSize, log: LogBook = LogBook()) -> EvaluationWork {
        EvaluationWork(pool: pool, students: Students(store: store), pieceSize: pieceSize, logger: log.logger)
    }

    /// Lets a process work until a condition holds; then its process ends.
    func run(
        _ work: EvaluationWork,
        as holder: String = "first",
        until what: String,
        _ condition: () async throws -> Bool
    ) async throws {
        try await whileRunning(work.runner(holder: holder, interval: .milliseconds(2))) {
            try await eventually(what, condition)
        }
    }

    /// Lets a process work until nothing is left to do.
    func finish(_ work: EvaluationWork? = nil, as holder: String = "first") async throws {
        try await run(work ?? self.work(), as: holder, until: "the end of all jobs") {
            try await EvaluationJobStore.jobs(from: pool).allSatisfy { $0.state == .done || $0.state == .leftOut }
        }
    }

    /// Asks for a checkpoint's scoring on the run's only suite, and gives its event.
    func evaluate(
        _ checkpoint: CheckpointEvent,
        pieceSize: Int = EvaluationWork.pieceSize
    ) async throws
        -> EvaluationEvent
    {
        try await ask(checkpoint)
        try await finish(work(pieceSize: pieceSize))
        return try #require(try await outbox(EvaluationEvent.self).last { $0.checkpointId == checkpoint.id })
    }

    // MARK: Looks

    /// The job of a checkpoint on the suite, or its roll-out where there is no suite.
    func evaluationJob(
        _ checkpoint: CheckpointEvent,
        suite: String? = "held",
        round: Int = 1
    ) async throws
        -> EvaluationJobStore.Job
    {
        try #require(
            try await EvaluationJobStore.jobs(from: pool).first {
                $0.checkpoint == checkpoint.id && $0.suite == suite && (suite != nil || $0.round == round)
            }
        )
    }

    /// The pieces of a job that are done.
    func donePieces(_ job: EvaluationJobStore.Job) async throws -> [Int] {
        try await EvaluationJobStore.pieces(of: job.id, from: pool).filter { $0.seconds != nil }.map(\.number)
    }

    /// The results of a checkpoint on the suite.
    func results(_ checkpoint: CheckpointEvent) async throws -> [EvaluationJobStore.Result] {
        try await EvaluationJobStore.results(
            of: EvaluationJobStore.evaluationID(checkpoint: checkpoint.id, suite: "held"),
            from: pool
        )
    }

    // MARK: Other processes

    /// Lets a process hold a piece, as one does that works on it, or that died while it did.
    func give(_ pieces: [Int], of job: EvaluationJobStore.Job, to holder: String) async throws {
        for piece in pieces {
            let name = "evaluate/\(job.id)/\(piece)"
            let lease = try await JobLease.acquire(name, holder: holder, lifetime: .seconds(3600), from: pool)
            try #require(lease != nil, "the lease \(name) is free")
        }
    }

    /// Lets the time of all leases run out.
    func expireLeases() async throws {
        try await pool.execute("UPDATE leases SET expires_at = now() - interval '1 second'")
    }

    /// Lets a job have waited for so many seconds more.
    func age(_ job: EvaluationJobStore.Job, by seconds: Double) async throws {
        try await pool.execute(
            """
            UPDATE evaluation_jobs SET created_at = created_at - make_interval(secs => \(seconds)) WHERE id = \(job.id)
            """
        )
    }
}
