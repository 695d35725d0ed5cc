import Distillation
import Reasoning
import Schemas
import Testing
import Tokenization
import Training

/// Hand-made material: problems whose ids sort otherwise by letters than by bytes, and what a teacher made of them.
enum StageSamples {
    static let pens = problem(
        "Q1",
        "Tom has 2 pens and gets 3. How many?",
        "5",
        solution: "Tom has 2+3=<<2+3=5>>5 pens.\n#### 5"
    )
    static let figs = problem("p10", "Ann has 9 figs and eats 2. How many?", "7")
    static let cups = problem("p2", "Bo has 4 cups of 2 pints. How many?", "8", solution: "4*2=8.\n#### 8")
    static let problems = [pens, figs, cups]

    static let chains = [
        chain("c1", pens, "2+3=5.\nThe answer is 5."), chain("c2", pens, "Tom has 2+3=5 pens.\n#### 5"),
        chain("c3", figs, "9-2=7.\n#### 7"), chain("c4", cups, "4+2=6.\n#### 6", verified: false),
        chain("c5", problem("other", "Who?", "1"), "1.\n#### 1"),
    ]
    /// A corrupted and two rectified pairs; the last wrong chain has no answer.
    static let duals = [
        dual(
            "d1",
            pens,
            right: "2+3=5.\nThe answer is 5.",
            wrong: "2+3=6.\nThe answer is 6.",
            .corrupted,
            "calculation",
            wrongAnswer: "6"
        ),
        dual("d2", figs, right: "9-2=7.\n#### 7", wrong: "9+2=11.\n#### 11", .rectified, "logical"),
        dual("d3", cups, right: "4*2=8.\n#### 8", wrong: "I do not know.", .rectified, nil),
    ]
    static let templates = [
        template("t1", pens, step: "2+3=5.", notes: ["Mind the sum."], method: "Add."),
        template("t2", cups, step: "4*2=8.", notes: [], method: "Multiply."),
    ]

    // MARK: Parts

    static func problem(_ id: String, _ question: String, _ answer: String, solution: String? = nil) -> ProblemEvent {
        ProblemEvent(id: id, dataset: "d", split: .train, question: question, solution: solution, answer: answer)
    }

    static func trace(
        _ id: String,
        _ problem: ProblemEvent,
        _ body: TraceBody,
        verified: Bool = true,
        attempt: String? = nil
    ) -> TraceEvent {
        TraceEvent(
            id: id,
            problemId: problem.id,
            verified: verified,
            failure: verified ? nil : "planted",
            body: body,
            teacher: TeacherCall(
                model: "m",
                promptId: "p",
                promptVersion: "1",
                temperature: 0,
                promptTokens: 1,
                completionTokens: 1,
                latencyMs: 1,
                finishReason: "stop"
            ),
            attemptId: attempt
        )
    }

    static func chain(_ id: String, _ problem: ProblemEvent, _ text: String, verified: Bool = true) -> TraceEvent {
        trace(id, problem, .chainOfThought(ChainOfThoughtBody(text: text, correct: verified)), verified: verified)
    }

    static func dual(
        _ id: String,
        _ problem: ProblemEvent,
        right: String,
        wrong: String,
        _ method: DualBody.Method,
        _ mistake: String?,
        wrongAnswer: String? = nil
    ) -> TraceEvent {
        let body = DualBody(right: right, wrong: wrong, wrongAnswer: wrongAnswer, method: method, mistake: mistake)
        return trace(id, problem, .dual(body))
    }

    static func template(
        _ id: String,
        _ problem: ProblemEvent,
        step: String,
        notes: [String],
        method: String
    ) -> TraceEvent {
        let steps = [TemplateBody.Step(text: step, keyNotes: notes)]
        return trace(id, problem, .template(TemplateBody(steps: steps, generalization: method, answer: problem.answer)))
    }

    static func correction(
        _ id: String,
        _ problem: ProblemEvent,
        steps: [String],
        wrong: Int? = 0,
        cause: String = "It is not.",
        correction: String,
        attempt: String? = nil,
        verified: Bool = true
    ) -> TraceEvent {
        let body = CorrectionBody(
            steps: steps,
            firstWrongStep: wrong,
            cause: cause,
            correction: correction,
            answer: problem.answer
        )
        return trace(id, problem, .correction(body), verified: verified, attempt: attempt)
    }

    static func attempt(
        _ id: String,
        _ problem: ProblemEvent,
        _ output: String,
        correct: Bool,
        sample: Int = 0,
        truncated: Bool? = nil,
        selfCorrection: SelfCorrection? = nil
    ) -> AttemptEvent {
        AttemptEvent(
            id: id,
            runId: "r1",
            checkpointId: "k",
            problemId: problem.id,
            sample: sample,
            output: output,
            correct: correct,
            truncated: truncated,
            selfCorrection: selfCorrection,
            promptFormat: "x"
        )
    }

    // MARK: Runs

    /// A run of one stage, whose untrained student writes chains or templates.
    static func run(_ stage: RunStage, parentAnswers: String = "chain", prompt: RunPrompt? = nil) -> RunEvent {
        var prompt = prompt ?? RunPrompt()
        prompt.answers = parentAnswers
        return RunEvent(
            id: "r1",
            name: "run",
            dataset: "d",
            seed: 5,
            student: StudentReference(modelHash: "h", tokenizerFingerprint: "f"),
            prompt: prompt,
            stages: [stage],
            suites: []
        )
    }

    /// What a stage makes of material, with a token a byte unless told otherwise.
    static func collect(
        _ stage: RunStage,
        _ material: StageMaterial,
        parentAnswers: String = "chain",
        codec: StudentCodec? = nil
    ) throws -> StageExamples.Collected {
        try StageExamples(
            stage: stage,
            of: run(stage, parentAnswers: parentAnswers),
            material: material,
            codec: codec ?? TokenizerKind.bytes.codec()
        ).collect()
    }

    /// A stage on whole responses.
    static func supervised(_ sources: ExampleSource..., data: StageData? = nil) -> RunStage {
        RunStage(name: "sft", supervised: SupervisedMethod(sources), data: data)
    }

    /// What an error says; empty where there is none.
    static func failure(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch { return "\(error)" }
    }
}

extension StudentCodec {
    /// The text of tokens, with ⏹ for the end of text.
    func text(_ tokens: some Sequence<TokenID>) -> String {
        tokenizer.decode(Array(tokens), skipSpecialTokens: false).replacing("<|endoftext|>", with: "⏹")
    }

    /// An example's prompt and response, with ‖ between them.
    func text(_ example: SupervisedExample) -> String {
        let response = example.responseLength ?? example.weights.count { $0 != 0 }
        return text(example.tokens.dropLast(response)) + "‖" + text(example.tokens.suffix(response))
    }

    /// The text of the tokens that have a weight.
    func marked(_ weight: Float, in example: SupervisedExample) -> String {
        text(zip(example.tokens, example.weights).filter { $0.1 == weight }.map(\.0))
    }

    /// A pair's prompt and sides, with ‖ before the chosen and ✗ before the rejected one.
    func text(_ pair: PreferenceExample) -> String {
        text(pair.prompt) + "‖" + text(pair.chosen) + "✗" + text(pair.rejected)
    }
}
