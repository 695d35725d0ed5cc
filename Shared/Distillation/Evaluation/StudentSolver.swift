public import LanguageModel
public import Reasoning
import Tokenization

/// Lets a student solve problems and grades its answers.
public struct StudentSolver {
    /// The version of extraction and equivalence, for events.
    public static let graderVersion = "1"

    private let model: CausalLanguageModel
    private let codec: StudentCodec

    /// Creates a solver.
    public init(model: CausalLanguageModel, codec: StudentCodec) {
        self.model = model
        self.codec = codec
    }

    /// A problem to solve.
    public struct Task: Sendable {
        /// The question.
        public var question: String
        /// The gold answer.
        public var gold: String
        /// The random stream of its sampling; equal streams give equal samples whatever else is in the batch.
        public var stream: UInt64

        /// Creates a task.
        public init(question: String, gold: String, stream: UInt64 = 0) {
            self.question = question
            self.gold = gold
            self.stream = stream
        }
    }

    /// What came of a task.
    public struct Outcome: Sendable, Hashable {
        /// The student's text.
        public var output: String
        /// The answer in it.
        public var answer: String?
        /// Whether the answer is the gold one.
        public var correct: Bool
    }

    /// Solves tasks.
    ///
    /// Arguments:
    ///   - parameters: decoding; the end-of-text token is added to the stop tokens.
    ///   - onFinish: called with the number of finished tasks; throwing cancels.
    public func solve(
        _ tasks: [Task],
        format: StudentFormat,
        parameters: GenerationParameters,
        onFinish: ((Int) throws -> Void)? = nil
    ) throws -> [Outcome] {
        let outputs = try complete(
            tasks.map { codec.prompt(format, question: $0.question) },
            streams: tasks.map(\.stream),
            parameters: parameters,
            onFinish: onFinish
        )
        return zip(tasks, outputs).map { task, output in Self.grade(output, gold: task.gold) }
    }

    /// Lets the student correct attempts of its own, without any reference.
    public func correct(
        _ attempts: [(task: Task, output: String)],
        parameters: GenerationParameters,
        onFinish: ((Int) throws -> Void)? = nil
    ) throws -> [(output: String, trace: CorrectionTrace?)] {
        let steps = attempts.map { StudentFormat.steps(of: $0.output) }
        let outputs = try complete(
            zip(attempts, steps).map { codec.correctionPrompt(question: $0.task.question, attempt: $1) },
            streams: attempts.map(\.task.stream),
            parameters: parameters,
            onFinish: onFinish
        )
        return zip(outputs, steps).map { ($0, try? StudentFormat.parseCorrection($0, attempt: $1)) }
    }

    /// Grades an output.
    public static func grade(_ output: String, gold: String) -> Outcome {
        let answer = AnswerExtraction.extract(output)
        let correct = answer.map { AnswerEquivalence.equivalent(gold: gold, predicted: $0) } ?? false
        return Outcome(output: output, answer: answer, correct: correct)
    }

    private func complete(
        _ prompts: [[TokenID]],
        streams: [UInt64],
        parameters: GenerationParameters,
        onFinish: ((Int) throws -> Void)?
    ) throws -> [String] {
        var parameters = parameters
        if !parameters.stopTokens.contains(codec.endOfText) { parameters.stopTokens.append(codec.endOfText) }
        // A prompt that fills all positions of the model leaves no room for an answer, so that there is none.
        let positions = model.configuration.maximumPositions
        let answerable = prompts.indices.filter { prompts[$0].count < positions }
        var finished = prompts.count - answerable.count
        if finished > 0 { try onFinish?(finished) }
        let generations = try model.generate(
            prompts: answerable.map { prompts[$0] },
            parameters: parameters,
            batchSize: 64,
            streams: answerable.map { streams[$0] },
            decode: { codec.tokenizer.decode($0) },
            onFinish: { _, _ in
                finished += 1
                try onFinish?(finished)
            }
        )
        var outputs = prompts.map { _ in "" }
        for (index, generation) in zip(answerable, generations) {
            outputs[index] = codec.tokenizer.decode(generation.tokens)
        }
        return outputs
    }
}
