import Foundation
import Schemas
import Testing

/// One fully populated and one minimal sample of every type, and one of every kind of trace.
enum Samples {
    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let type: EventType
        let payload: any EventPayload
        let isFull: Bool

        var testDescription: String { name }

        func encoded() throws -> Data { try EventCoding.encode(payload) }

        /// Reads and checks data as the sample's type, in the form of today alone: what the many small changes of a sample
        /// need, as reading a run twice, once for its keys, takes most of a test's time.
        func read(_ data: Data) throws {
            func open<Payload: EventPayload>(_ payload: Payload) throws {
                try EventCoding.decodeJSON(Payload.self, from: data, what: type.rawValue).validate()
            }
            try open(payload)
        }

        /// Decodes data as the sample's type and encodes it again.
        func decodeAgain(_ data: Data) throws -> Data {
            func open<Payload: EventPayload>(_ payload: Payload) throws -> Data {
                try EventCoding.encode(EventCoding.decode(Payload.self, from: data))
            }
            return try open(payload)
        }
    }

    static let full: [Sample] = {
        var samples: [Sample] = [
            sample("full", problem, isFull: true), sample("full", run, isFull: true),
            sample("full", keySteps, isFull: true), sample("full", attempt, isFull: true),
            sample("full", checkpoint, isFull: true), sample("full", evaluation, isFull: true),
            sample("full", verdict, isFull: true), sample("full", runControl, isFull: true),
            sample("full", deadLetter, isFull: true), sample("full unverified", unverified, isFull: true),
            sample("full", teachingOrder, isFull: true), sample("full", removal, isFull: true),
            sample("full", pause, isFull: true), sample("full budget", budgetOrder, isFull: true),
        ]
        for trace in recorded { samples.append(sample("full \(trace.kind.rawValue)", trace, isFull: true)) }
        for body in bodies { samples.append(sample("full \(body.kind.rawValue)", trace(body), isFull: true)) }
        return samples
    }()

    static let minimal: [Sample] = [
        sample(
            "minimal",
            ProblemEvent(id: "p", dataset: "d", split: .test, question: "q", answer: "1"),
            isFull: false
        ),
        sample("minimal", minimalRun, isFull: false), sample("one stage", oneStage, isFull: false),
        sample("minimal", RunControlEvent(id: "o", runId: "r", action: .cancel), isFull: false),
        sample("minimal", TeachingOrderEvent(id: "o", problemId: "p", parts: [.chains]), isFull: false),
        sample("resumed", PauseEvent(id: "o", scope: "budget", state: .resumed), isFull: false),
        sample(
            "template as a text",
            RecordedTraceEvent(problemId: "p", kind: .template, text: "<Step1>a</Step1><Answer>1</Answer>"),
            isFull: false
        ),
        sample(
            "minimal",
            VerdictEvent(
                id: "v",
                runId: "r",
                round: 1,
                decision: .hold,
                by: .operator,
                reasons: ["no candidate"],
                championCheckpointId: "c"
            ),
            isFull: false
        ),
        sample(
            "minimal",
            AttemptEvent(
                id: "a",
                runId: "r",
                checkpointId: "c",
                problemId: "p",
                sample: 0,
                output: "",
                correct: false,
                promptFormat: "x"
            ),
            isFull: false
        ),
        sample(
            "minimal",
            CheckpointEvent(
                id: "c",
                runId: "r",
                stage: "initial",
                modelHash: "m",
                path: "m",
                tokensTrained: 0,
                steps: 0,
                trainSeconds: 0
            ),
            isFull: false
        ),
        sample(
            "minimal",
            EvaluationEvent(
                id: "e",
                runId: "r",
                checkpointId: "c",
                stage: "initial",
                suite: "s",
                problems: 1,
                correct: 0,
                accuracy: 0,
                interval: ConfidenceInterval(low: 0, high: 0.8),
                answered: 0,
                seconds: 0,
                decoding: DecodingOptions(maximumNewTokens: 1),
                graderVersion: "1"
            ),
            isFull: false
        ),
        sample(
            "tombstone",
            DeadLetterEvent(
                id: "d",
                topic: "t",
                partition: 0,
                offset: 0,
                recordKey: nil,
                consumer: "c",
                cause: DeadLetterCause(code: "x", message: "y"),
                payload: nil,
                headers: [],
                failedAt: Date(timeIntervalSince1970: 0),
                attempts: 1
            ),
            isFull: false
        ),
    ]

    static func sample<Payload: EventPayload>(_ name: String, _ payload: Payload, isFull: Bool) -> Sample {
        let type = Payload.type
        return Sample(name: "\(type.rawValue), \(name)", type: type, payload: payload, isFull: isFull)
    }

    static let problem = ProblemEvent(
        id: "p-1",
        dataset: "gsm8k",
        split: .train,
        question: "How many? \u{1F34E}",
        solution: "2+3=5\n#### 5",
        answer: "5",
        answerSource: .agreed,
        family: "apples",
        steps: 2,
        difficulty: "Level 1",
        metadata: ["origin": "shell"]
    )

    static let teachingOrder = TeachingOrderEvent(
        id: "o-1",
        problemId: "p-1",
        parts: TeachingPart.allCases,
        agreement: RunAgreement(agreeing: 3, of: 5),
        runId: "r-1"
    )
    static let removal = RemovalEvent(
        id: "x-1",
        problemId: "p-1",
        dataset: "gsm8k",
        split: .train,
        from: .runs,
        kind: .near,
        similarity: 0.875,
        otherId: "p-2",
        otherDataset: "other",
        otherSplit: .test
    )
    static let pause = PauseEvent(id: "x-2", scope: "run:r-1", state: .paused, reason: "the budget is spent")
    static let budgetOrder = RunControlEvent(
        id: "o-2",
        runId: "r-1",
        action: .setTeacherBudget,
        reason: "more is needed",
        by: "ann",
        teacherBudget: RunTeacherBudget(tokens: 1_000_000, cost: 12.5)
    )
    static let recorded = [
        RecordedTraceEvent(id: "t-1", problemId: "p-1", kind: .chainOfThought, text: "so 5", model: "own"),
        RecordedTraceEvent(
            id: "t-2",
            problemId: "p-1",
            kind: .dual,
            right: "so 5",
            wrong: "so 6",
            method: .rectified,
            mistake: "knowledge+calculation",
            model: "own"
        ),
        RecordedTraceEvent(
            id: "t-3",
            problemId: "p-1",
            kind: .template,
            template: TemplateBody(
                steps: [.init(text: "add", keyNotes: ["mind the carry"])],
                generalization: "add",
                answer: "5",
                inspectorRounds: 1
            ),
            model: "own"
        ),
        RecordedTraceEvent(
            id: "t-4",
            problemId: "p-1",
            kind: .correction,
            correction: CorrectionBody(
                steps: ["2+3=6"],
                firstWrongStep: 0,
                cause: "sum",
                correction: "2+3=5",
                answer: "5",
                inspectorRounds: 1
            ),
            attemptId: "a-1",
            model: "own"
        ),
    ]

    static let extra: [String: JSONValue] = ["note": ["a": 1, "b": [true, 0.5, "c"]]]
    static let decoding = DecodingOptions(
        temperature: 0.5,
        maximumNewTokens: 128,
        topK: 5,
        topP: 0.9,
        repetitionPenalty: 1.1,
        seed: 7,
        selfCorrection: true,
        maximumCorrectionTokens: 96,
        stop: ["</answer>", "\n\n"],
        endpoint: "gpu"
    )

    static let teacher = TeacherCall(
        model: "simulator",
        promptId: "chain-of-thought",
        promptVersion: "1",
        temperature: 0.7,
        seed: 3,
        calls: 2,
        promptTokens: 100,
        completionTokens: 50,
        cost: 0.01,
        latencyMs: 12.5,
        finishReason: "stop"
    )
    static let bodies: [TraceBody] = [
        .chainOfThought(ChainOfThoughtBody(text: "so 5", answer: "5", correct: true)),
        .dual(
            DualBody(
                right: "so 5",
                wrong: "so 6",
                rightAnswer: "5",
                wrongAnswer: "6",
                method: .corrupted,
                mistake: "knowledge+calculation",
                mistakeSource: .teacher,
                attempts: 2
            )
        ),
        .template(
            TemplateBody(
                steps: [.init(text: "add", keyNotes: ["mind the carry"])],
                generalization: "add",
                answer: "5",
                inspectorRounds: 1
            )
        ),
        .inspectorVerdict(
            VerdictBody(
                inspectedTraceId: "t-0",
                round: 1,
                accepted: false,
                faults: [.init(step: 0, message: "no")]
            )
        ),
        .correction(
            CorrectionBody(
                steps: ["2+3=6"],
                firstWrongStep: 0,
                cause: "sum",
                correction: "2+3=5",
                answer: "5",
                inspectorRounds: 1
            )
        ),
    ]
    static func trace(_ body: TraceBody) -> TraceEvent {
        TraceEvent(
            id: "t-1",
            problemId: "p-1",
            verified: true,
            body: body,
            teacher: teacher,
            attemptId: "a-1",
            runId: "r-1",
            grader: "standard/2"
        )
    }
    static var unverified: TraceEvent {
        var event = trace(bodies[0])
        event.verified = false
        event.failure = "the answer is wrong"
        event.failureKind = "wrong-answer"
        return event
    }

    static var keySteps: KeyStepsEvent {
        let side = KeyStepSide(
            text: "so 5",
            spans: [.init(start: 3, end: 4, tokenStart: 1, tokenEnd: 2, kind: .replace, step: 0)],
            tokenWeights: [0, 1]
        )
        var wrong = side
        wrong.text = "so 6"
        wrong.weights = [WeightRun(count: 1, weight: 0), WeightRun(count: 1, weight: -0.025)]
        return KeyStepsEvent(
            id: "k-1",
            problemId: "p-1",
            traceId: "t-1",
            tokenizer: KeyStepsEvent.wordTokenizer,
            distance: 1,
            right: side,
            wrong: wrong,
            alpha: 1,
            beta: 0.025,
            gamma: 0,
            tieRule: "edit",
            format: "template/bare"
        )
    }

    static let attempt = AttemptEvent(
        id: "a-1",
        runId: "r-1",
        checkpointId: "c-1",
        round: 2,
        problemId: "p-1",
        sample: 0,
        output: "6",
        answer: "6",
        correct: false,
        truncated: true,
        selfCorrection: SelfCorrection(
            output: "5",
            firstWrongStep: 0,
            cause: "sum",
            correction: "5",
            answer: "5",
            correct: true,
            truncated: true
        ),
        promptFormat: "hierarchical-thought",
        grader: "standard/2"
    )
    static let checkpoint = CheckpointEvent(
        id: "c-2",
        runId: "r-1",
        stage: "corrections",
        round: 2,
        parentCheckpointId: "c-1",
        modelHash: "abc",
        tokenizerFingerprint: "def",
        path: "ab/abc",
        tokensTrained: 1000,
        steps: 10,
        finalLoss: 0.5,
        trainSeconds: 1.5,
        examples: ["corrections": 10],
        options: extra,
        metrics: ["rewards/margins": 0.1]
    )
    static let evaluation = EvaluationEvent(
        id: "e-1",
        runId: "r-1",
        checkpointId: "c-2",
        stage: "corrections",
        round: 2,
        suite: "held-out",
        problems: 200,
        correct: 100,
        accuracy: 0.5,
        interval: ConfidenceInterval(low: 0.43, high: 0.57),
        answered: 190,
        truncated: 12,
        answers: "template",
        shots: 4,
        groups: [
            ScoreGroup(
                by: "length",
                value: "65-128",
                problems: 40,
                correct: 10,
                interval: ConfidenceInterval(low: 0.14, high: 0.4)
            )
        ],
        seconds: 3,
        comparisons: [
            PairedComparison(
                againstCheckpointId: "c-1",
                againstStage: "templates",
                againstRound: 1,
                problems: 198,
                onlyThis: 10,
                onlyOther: 4,
                pValue: 0.18
            )
        ],
        decoding: decoding,
        graderVersion: "2",
        grader: "strict/2",
        selfCorrection: SelfCorrectionScore(
            correct: 103,
            accuracy: 0.515,
            interval: ConfidenceInterval(low: 0.44, high: 0.58),
            changedToRight: 5,
            changedToWrong: 2,
            readable: 150,
            named: 140,
            truncated: 3
        )
    )
    static let verdict = VerdictEvent(
        id: "v-1",
        runId: "r-1",
        round: 2,
        decision: .promote,
        by: .gate,
        reasons: ["held-out: 6 more of 200 are solved, p = 0.004"],
        candidateCheckpointId: "c-2",
        candidateModelHash: "abc",
        championCheckpointId: "c-0",
        look: 2,
        level: 0.05 / 6,
        comparison: GateComparison(
            suite: "held-out",
            problems: 200,
            candidateCorrect: 100,
            championCorrect: 94,
            onlyCandidate: 10,
            onlyChampion: 4,
            pValue: 0.004
        ),
        guards: [
            GateComparison(
                suite: "guard",
                problems: 50,
                candidateCorrect: 20,
                championCorrect: 20,
                onlyCandidate: 1,
                onlyChampion: 1,
                pValue: 1
            )
        ]
    )
    static let runControl = RunControlEvent(
        id: "o-1",
        runId: "r-1",
        action: .promote,
        round: 2,
        reason: "fewer slips of the pen",
        by: "a person"
    )
    static let deadLetter = DeadLetterEvent(
        id: "d-1",
        topic: "errata.problems.v1",
        partition: 3,
        offset: 42,
        recordKey: Data("p-1".utf8),
        consumer: "teacher-ingestion",
        cause: DeadLetterCause(code: "malformed-payload", message: "$.id is missing"),
        payload: Data([0xFF, 0]),
        headers: [("ce_id", Data("x".utf8))],
        failedAt: Date(timeIntervalSince1970: 1_700_000_000.25),
        attempts: 1
    )
}
