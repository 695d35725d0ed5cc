import Distillation
import Foundation
public import LanguageModel
import ModelFiles
import Reasoning
import Schemas
import ServiceRuntime
import Synchronization
import Tokenization
import Training

/// The students that are asked: models of the store, the one that was asked last kept in memory.
public final class Students: Sendable {
    /// How a student writes where the run does not say.
    static let defaultDecoding = DecodingOptions(temperature: 0, maximumNewTokens: 512)

    private let store: ModelStore
    private let endpoints: [String: StudentEndpoint]
    private let loader = EndpointLoader()
    private let maximumBatch: Int
    private let last = Mutex<(key: Key, student: Student)?>(nil)

    /// Creates students of a store.
    ///
    /// Arguments:
    ///   - endpoints: the servers that a run may name, by name.
    ///   - maximumBatch: the most texts that are written at once; fewer where the memory has no room for them.
    public init(store: ModelStore, endpoints: [String: StudentEndpoint] = [:], maximumBatch: Int = 64) {
        self.store = store
        self.endpoints = endpoints
        self.maximumBatch = maximumBatch
    }

    private struct Key: Hashable {
        var modelHash: String
        var prompt: RunPrompt?
        var tokens: Int
        var endpoint: String?
    }

    /// A loaded model is used by one piece at a time.
    private struct Student: @unchecked Sendable {
        /// The solver, of whether to give up.
        let solver: (@escaping @Sendable () -> Bool) -> StudentSolver
    }

    /// Scores a checkpoint on problems.
    ///
    /// Arguments:
    ///   - shots: solved problems that are shown before each question.
    ///   - grader: what compares the answers.
    func score(
        _ checkpoint: CheckpointEvent,
        of run: RunEvent,
        on problems: [ProblemEvent],
        shots: [StudentCodec.Shot],
        grader: Grader
    ) async throws -> [EvaluationJobStore.Result] {
        let decoding = run.decoding ?? Self.defaultDecoding
        let format = StudentFormat(answers: run.answers(of: checkpoint.stage))
        let tasks = problems.map { task($0) }
        return try await asking("evaluate", checkpoint, of: run) { solver, stop in
            let parameters = GenerationParameters(decoding)
            guard decoding.selfCorrection == true else {
                let outcomes = try solver.solve(
                    tasks,
                    format: format,
                    shots: shots,
                    parameters: parameters,
                    grader: grader,
                    onFinish: stop
                )
                return zip(problems, outcomes).map { EvaluationJobStore.Result($0, $1) }
            }
            let both = try solver.solveAndCorrect(
                tasks,
                format: format,
                shots: shots,
                parameters: parameters,
                maximumCorrectionTokens: decoding.correctionTokens,
                grader: grader,
                onFinish: stop
            )
            return zip(problems, both).map { problem, outcome in
                var result = EvaluationJobStore.Result(problem, outcome.first)
                result.second = EvaluationJobStore.Result.Second(
                    output: outcome.output,
                    correct: outcome.correct,
                    readable: outcome.trace != nil,
                    named: outcome.trace?.firstWrongStep != nil,
                    truncated: outcome.isTruncated
                )
                return result
            }
        }
    }

    /// Lets a checkpoint attempt problems, with its own correction of the wrong attempts.
    ///
    /// Arguments:
    ///   - round: the round whose stages learn from the attempts.
    ///   - firstStream: the place of the first problem in the whole roll-out, which decides the random streams.
    func rollOut(
        _ checkpoint: CheckpointEvent,
        of run: RunEvent,
        round: Int,
        at problems: [ProblemEvent],
        firstStream: Int
    ) async throws -> [AttemptEvent] {
        let options = run.rollout ?? RolloutOptions()
        let decoding = run.decoding ?? Self.defaultDecoding
        var parameters = GenerationParameters(decoding)
        parameters.temperature = options.temperature
        parameters.seed = run.seed
        let format = StudentFormat(answers: run.answers(of: checkpoint.stage))
        return try await asking("roll-out", checkpoint, of: run) { [parameters] solver, stop in
            try solver.attempts(
                at: problems,
                samples: options.samples,
                format: format,
                parameters: parameters,
                maximumCorrectionTokens: decoding.correctionTokens,
                firstStream: firstStream,
                runID: run.id,
                round: round,
                checkpointID: checkpoint.id,
                onFinish: stop
            )
        }
    }

    private func task(_ problem: ProblemEvent) -> StudentSolver.Task {
        StudentSolver.Task(question: problem.question, gold: problem.answer)
    }

    private func asking<Answer: Sendable>(
        _ name: String,
        _ checkpoint: CheckpointEvent,
        of run: RunEvent,
        _ body: @escaping @Sendable (StudentSolver, @escaping (Int) throws -> Void) throws -> Answer
    ) async throws -> Answer {
        let student = try await student(checkpoint.modelHash, run)
        do {
            return try await DedicatedThread.run(name: name) { isCancelled in
                try body(student.solver(isCancelled)) { _ in if isCancelled() { throw CancellationError() } }
            }
        } catch let error as EndpointUnavailable {
            // The server may come back without the student.
            if let endpoint = run.decoding?.endpoint.flatMap({ endpoints[$0] }) { await loader.forget(endpoint) }
            throw error
        }
    }

    private func student(_ hash: String, _ run: RunEvent) async throws -> Student {
        let decoding = run.decoding ?? Self.defaultDecoding
        let folder = try store.folder(hash)
        if let name = decoding.endpoint { try await load(hash, folder, on: try endpoint(name)) }
        let key = Key(
            modelHash: hash,
            prompt: run.prompt,
            tokens: decoding.maximumNewTokens,
            endpoint: decoding.endpoint
        )
        if let last = last.withLock({ $0 }), last.key == key { return last.student }
        last.withLock { $0 = nil }
        do {
            let codec = try StudentCodec(folder: folder, prompt: run.prompt)
            let student =
                if let name = decoding.endpoint {
                    try remote(try endpoint(name), hash, folder, codec)
                } else {
                    try local(folder, codec, newTokens: decoding.maximumNewTokens)
                }
            last.withLock { $0 = (key, student) }
            return student
        } catch let error as DistillationError {
            throw StudentCannotAnswer(error.description)
        } catch let error as TokenizationError {
            throw StudentCannotAnswer("\(error)")
        }
    }

    /// A student that this service's own engine computes.
    private func local(_ folder: URL, _ codec: StudentCodec, newTokens: Int) throws -> Student {
        // Before the weights take their part of what is free.
        let batchSize = Self.batch(
            try ModelConfiguration(folder: folder),
            newTokens: newTokens,
            storedBytes: try CausalLanguageModel.inspect(folder: folder).storedBytes,
            free: MemoryBudget.current().available,
            maximum: maximumBatch
        )
        let solver = StudentSolver(
            // Generating from stored bfloat16 gives the same bits as from a float32 copy.
            model: try CausalLanguageModel.load(folder: folder, weights: .asStored),
            codec: codec,
            batchSize: batchSize
        )
        return Student { _ in solver }
    }

    // MARK: Students behind a server

    private func endpoint(_ name: String) throws -> StudentEndpoint {
        if let endpoint = endpoints[name] { return endpoint }
        let known = endpoints.keys.sorted().joined(separator: ", ")
        throw StudentCannotAnswer(
            "decoding.endpoint: '\(name)' is not among the servers of this evaluator's \(StudentEndpointKeys.file.name)"
                + (known.isEmpty ? ", which has none" : ": \(known)")
        )
    }

    private func load(_ hash: String, _ folder: URL, on endpoint: StudentEndpoint) async throws {
        try await loader.load(endpoint, folder: folder, model: endpoint.name(of: hash))
    }

    private func remote(
        _ endpoint: StudentEndpoint,
        _ hash: String,
        _ folder: URL,
        _ codec: StudentCodec
    ) throws -> Student {
        let positions = try ModelConfiguration(folder: folder).maximumPositions
        let client = try EndpointClient(endpoint: endpoint, model: endpoint.name(of: hash))
        return Student { isCancelled in
            StudentSolver(
                EndpointWriter(client: client, maximumPositions: positions, isCancelled: isCancelled),
                codec: codec
            )
        }
    }

    /// The texts that are written at once: as many as half of the memory that is free beside the weights has room for.
    ///
    /// Arguments:
    ///   - storedBytes: of the weights, which are not in memory yet.
    ///   - free: the bytes that can be had now; nil where the system does not say.
    static func batch(
        _ configuration: ModelConfiguration,
        newTokens: Int,
        storedBytes: Int,
        free: Int?,
        maximum: Int
    ) -> Int {
        guard let free else { return maximum }
        // Prompts of a thousand tokens are long ones; float32 keys and values of every layer.
        let tokens = min(configuration.maximumPositions, 1024 + newTokens)
        let bytes = tokens * configuration.layers * 2 * configuration.keyValueHeads * configuration.headDimension * 4
        return max(1, min(maximum, (free - storedBytes) / 2 / max(1, bytes)))
    }
}

/// Why a student can never answer in the form that the run asks for.
struct StudentCannotAnswer: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension EvaluationJobStore.Result {
    /// The result of a first pass.
    fileprivate init(_ problem: ProblemEvent, _ outcome: StudentSolver.Outcome) {
        self.init(
            problemID: problem.id,
            correct: outcome.correct,
            answer: outcome.answer,
            output: outcome.output,
            truncated: outcome.isTruncated,
            tokens: outcome.tokens,
            grader: outcome.grader
        )
    }
}

extension EvaluationSuite {
    /// What grades the suite's answers; by the policy `standard` where it names none.
    var grader: Grader { Grader(policy: policy.flatMap(GradingPolicy.init(rawValue:)) ?? .standard) }
}

extension DecodingOptions {
    /// The most tokens of a second pass.
    fileprivate var correctionTokens: Int { maximumCorrectionTokens ?? StudentSolver.maximumCorrectionTokens }
}

extension GenerationParameters {
    /// Decoding as a run's event gives it.
    init(_ options: DecodingOptions) {
        self.init(
            maximumNewTokens: options.maximumNewTokens,
            temperature: options.temperature,
            topK: options.topK ?? 0,
            topP: options.topP ?? 1,
            repetitionPenalty: options.repetitionPenalty ?? 1,
            stopStrings: options.stop ?? [],
            seed: options.seed ?? 0
        )
    }
}
