import Reasoning
public import Schemas
public import Training

/// Makes the examples of a stage: one recipe, the same examples, in the services and in reproductions.
public struct StageExamples {
    private let stage: RunStage
    private let seed: UInt64
    /// What the parent writes, whose attempts are learned from.
    private let parentFormat: StudentFormat
    private let codec: StudentCodec
    private let material: StageMaterial
    private let problems: [String: ProblemEvent]

    /// The mark before the question of a wrong chain (EDIT, section 4.1).
    static let counterfactualMark = "[Counterfactual Reasoning] "

    /// The patterns that ``StageData/equalMistakes`` compares.
    public static let comparedMistakes = ["logical", "knowledge", "calculation"]

    /// Examples with their numbers by kind.
    public struct Collected: Sendable {
        /// Whole responses, or the two sides of dual pairs, or what is mixed into preferences.
        public var supervised: [SupervisedExample] = []
        /// Preference pairs.
        public var pairs: [PreferenceExample] = []
        /// The numbers by kind.
        public var counts: [String: Int] = [:]

        /// Leaves out what has more tokens than a stage learns from at most; of a pair on key steps both sides or none.
        mutating func leaveOut(longerThan longest: Int, stage: String) throws {
            let before = supervised.count + pairs.count
            // The two sides of a pair stay together, under the first one's index.
            let groups = Dictionary(grouping: supervised.indices) { $0 < sides ? $0 - $0 % 2 : $0 }
            let long = Set(
                groups.filter { $0.value.contains { supervised[$0].tokens.count > longest } }.flatMap(\.value)
            )
            supervised = supervised.indices.filter { !long.contains($0) }.map { supervised[$0] }
            pairs = pairs.filter { $0.prompt.count + max($0.chosen.count, $0.rejected.count) <= longest }
            let left = before - supervised.count - pairs.count
            guard left > 0 else { return }
            counts["too-long", default: 0] += left
            sides -= long.count { $0 < sides }
            guard !(supervised.isEmpty && pairs.isEmpty) else {
                throw DistillationError(
                    "all \(left) examples of the stage \(stage) have more than \(longest) tokens; raise "
                        + "training.maximumLength"
                )
            }
        }

        /// So many of the supervised examples, the first, are the two sides of pairs on key steps, one after the other.
        var sides = 0
    }

    /// Prepares a stage of a run.
    public init(stage: RunStage, of run: RunEvent, material: StageMaterial, codec: StudentCodec) {
        self.stage = stage
        self.material = material
        self.codec = codec
        seed = run.seed
        parentFormat = StudentFormat(answers: run.answers(of: stage.parentName))
        problems = material.problemsByID
    }

    /// The stage's examples.
    ///
    /// - Throws: ``DistillationError`` where an option is unknown or there is nothing to learn from.
    public func collect() throws -> Collected {
        var collected = Collected()
        switch stage.method {
        case .supervised(let method):
            try add(method.sources, to: &collected)
            guard !collected.supervised.isEmpty else { throw nothing(collected.counts) }
        case .keySteps(let method):
            try addKeySteps(method, to: &collected)
            guard !collected.supervised.isEmpty else { throw nothing(collected.counts) }
            collected.sides = collected.supervised.count
            try leaveOutLong(&collected)
            try add(method.mix ?? [], to: &collected)
        case .preferences(let method):
            try addPairs(method, to: &collected)
            guard !collected.pairs.isEmpty else { throw nothing(collected.counts) }
            try leaveOutLong(&collected)
            try add(method.mix ?? [], to: &collected)
        case nil: throw DistillationError("the stage \(stage.name) has no method")
        }
        try leaveOutLong(&collected)
        return collected
    }

    /// Before what is mixed in is added too: a stage must not learn from its mix alone.
    private func leaveOutLong(_ collected: inout Collected) throws {
        guard let longest = stage.training?.maximumLength else { return }
        try collected.leaveOut(longerThan: longest, stage: stage.name)
    }

    private func nothing(_ counts: [String: Int]) -> DistillationError {
        let found = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return DistillationError(
            "the stage \(stage.name) has nothing to learn from (\(found.isEmpty ? "no traces" : found))"
        )
    }

    // MARK: Whole responses

    private func add(_ sources: [ExampleSource], to collected: inout Collected) throws {
        for source in sources {
            var examples = try examples(of: source, counts: &collected.counts)
            if let weight = source.weight, weight != 1 { examples = examples.map { $0.weighted(by: Float(weight)) } }
            collected.supervised += examples
            collected.counts[source.kind, default: 0] += examples.count
        }
    }

    private func examples(of source: ExampleSource, counts: inout [String: Int]) throws -> [SupervisedExample] {
        switch source.kind {
        case "rightChains": return try chains { $0.prefix(1) }
        case "repeatedChains": return try chains { $0.dropFirst() }
        case "rectifiedChains":
            return try duals.filter { $0.body.method == .rectified }.map { try chain($0.body.right, of: $0.problem) }
        case "wrongChains":
            return try duals.compactMap { dual in
                guard let answer = dual.wrongAnswer else { return nil }
                return try SupervisedExamples.chain(
                    dual.body.wrong,
                    answer: answer,
                    question: Self.counterfactualMark + dual.problem.question,
                    codec: codec
                )
            }
        case "solutions":
            return try material.problems.compactMap { problem in
                try problem.solution.map { try chain($0, of: problem) }
            }
        case "templates":
            let style = try ResponseStyle(word: source.style ?? "template", of: "style")
            return try material.traces.compactMap { trace in
                guard case .template(let body) = trace.body, let problem = problems[trace.problemId] else { return nil }
                return try SupervisedExamples.template(
                    ThoughtTemplate(body),
                    question: problem.question,
                    style: style,
                    codec: codec
                )
            }
        case "corrections": return try corrections()
        case "attempts": return try attempts()
        case "teacherSteps":
            let pairs = try PreferencePairs.collect(
                corrected,
                options: .init(layout: .step),
                format: parentFormat,
                codec: codec
            )
            counts.merge(pairs.counts.filter { $0.key != "pairs" }) { $0 + $1 }
            return pairs.pairs.map { SupervisedExample(prompt: $0.prompt, response: $0.chosen) }
        default: throw DistillationError("the source kind '\(source.kind)' is not known")
        }
    }

    private func chain(_ text: String, of problem: ProblemEvent) throws -> SupervisedExample {
        try SupervisedExamples.chain(text, answer: problem.answer, question: problem.question, codec: codec)
    }

    /// The teacher's own right chains, those of each problem as chosen.
    private func chains(_ choose: (ArraySlice<String>) -> ArraySlice<String>) throws -> [SupervisedExample] {
        var texts: [String: [String]] = [:]
        for trace in material.traces {
            if case .chainOfThought(let body) = trace.body { texts[trace.problemId, default: []].append(body.text) }
        }
        return try material.problems.flatMap { problem in
            try choose((texts[problem.id] ?? [])[...]).map { try chain($0, of: problem) }
        }
    }

    /// The teacher's corrections of wrong chains; where it gave none of any problem, what the dual pairs themselves say,
    /// with the pattern of the mistake as the cause.
    private func corrections() throws -> [SupervisedExample] {
        let asked = material.traces.compactMap { trace -> (ProblemEvent, CorrectionTrace)? in
            guard case .correction(let body) = trace.body, let problem = problems[trace.problemId] else { return nil }
            return (problem, CorrectionTrace(body))
        }
        let derived = (asked.isEmpty ? duals : []).compactMap { dual -> (ProblemEvent, CorrectionTrace)? in
            let cause = dual.body.mistake.map { "a mistake (\($0))" } ?? "a mistake"
            return CorrectionTrace(
                right: dual.body.right,
                wrong: dual.body.wrong,
                cause: cause,
                answer: dual.problem.answer
            ).map { (dual.problem, $0) }
        }
        return try (asked + derived).map {
            try SupervisedExamples.correction($0.1, question: $0.0.question, codec: codec)
        }
    }

    /// The parent's own right attempts, each text once a problem.
    private func attempts() throws -> [SupervisedExample] {
        let attempted = Dictionary(material.attempted.map { ($0.id, $0) }) { first, _ in first }
        var seen: Set<[String]> = []
        return try material.attempts.compactMap { attempt in
            guard attempt.correct, attempt.truncated != true, let problem = attempted[attempt.problemId],
                seen.insert([attempt.problemId, attempt.output]).inserted
            else { return nil }
            return codec.supervised(
                // Behind the prompt that it was written for, whatever the recipe calls it now.
                prompt: try codec.prompt(
                    StudentFormat(rawValue: attempt.promptFormat) ?? parentFormat,
                    question: problem.question
                ),
                response: attempt.output
            )
        }
    }

    // MARK: Dual pairs

    private struct Dual {
        let problem: ProblemEvent
        let trace: String
        let body: DualBody

        var wrongAnswer: String? { body.wrongAnswer ?? AnswerExtraction.extract(body.wrong) }
    }

    /// The pairs that the stage's data chooses, in the problems' order.
    private var duals: [Dual] {
        let all = material.traces.compactMap { trace -> Dual? in
            guard case .dual(let body) = trace.body, let problem = problems[trace.problemId] else { return nil }
            return Dual(problem: problem, trace: trace.id, body: body)
        }
        let method = stage.data?.pairMethod
        let ofMethod = all.filter { method == nil || $0.body.method == method }
        func pattern(_ dual: Dual) -> String { dual.body.mistake ?? "other" }
        let wanted = stage.data?.mistakes
        let chosen = ofMethod.filter { wanted?.contains(pattern($0)) ?? true }
        guard stage.data?.equalMistakes == true else { return chosen }
        let counts = Dictionary(grouping: ofMethod, by: pattern).mapValues(\.count)
        let smallest = Self.comparedMistakes.map { counts[$0] ?? 0 }.min() ?? 0
        var taken: [String: Int] = [:]
        return chosen.filter { dual in
            taken[pattern(dual), default: 0] += 1
            return taken[pattern(dual), default: 0] <= smallest
        }
    }

    private func addKeySteps(_ method: KeyStepMethod, to collected: inout Collected) throws {
        let options = try method.keyStepOptions(seed: seed)
        let format: StudentFormat = method.form == "templates" ? .hierarchicalThought : .chainOfThought
        let templates = Dictionary(
            material.traces.compactMap { trace -> (String, ThoughtTemplate)? in
                guard case .template(let body) = trace.body else { return nil }
                return (trace.problemId, ThoughtTemplate(body))
            }
        ) { first, _ in first }
        for dual in duals {
            guard
                let texts = DualRendering.texts(
                    of: dual.body,
                    answer: dual.problem.answer,
                    format: format,
                    template: templates[dual.problem.id]
                )
            else {
                collected.counts["not-written", default: 0] += 1
                continue
            }
            let question = dual.problem.question
            let pair =
                if let located = material.keySteps[dual.trace] {
                    try SupervisedExamples.keySteps(
                        of: located,
                        question: question,
                        format: format,
                        codec: codec,
                        options: options
                    )
                } else {
                    try SupervisedExamples.keySteps(
                        right: texts.right,
                        wrong: texts.wrong,
                        question: question,
                        format: format,
                        codec: codec,
                        options: options
                    )
                }
            collected.supervised += pair.examples
            collected.counts["pairs", default: 0] += 1
        }
    }

    // MARK: Preferences

    private var corrected: [PreferencePairs.CorrectedAttempt] {
        let attempted = Dictionary(material.attempted.map { ($0.id, $0) }) { first, _ in first }
        let attempts = Dictionary(material.attempts.map { ($0.id, $0) }) { first, _ in first }
        return material.corrections.compactMap { trace in
            guard let attempt = trace.attemptId.flatMap({ attempts[$0] }), let problem = attempted[attempt.problemId]
            else { return nil }
            return PreferencePairs.CorrectedAttempt(problem: problem, attempt: attempt, trace: trace)
        }
    }

    private func addPairs(_ method: PreferenceMethod, to collected: inout Collected) throws {
        guard method.layout == PreferenceMethod.dualChains else {
            let made = try PreferencePairs.collect(
                corrected,
                options: try method.pairOptions(),
                format: parentFormat,
                codec: codec
            )
            collected.pairs = made.pairs
            collected.counts = made.counts
            return
        }
        for dual in duals {
            guard
                let texts = DualRendering.texts(
                    of: dual.body,
                    answer: dual.problem.answer,
                    format: .chainOfThought,
                    template: nil
                )
            else {
                collected.counts["not-written", default: 0] += 1
                continue
            }
            var pair = PreferenceExample(
                id: dual.problem.id,
                prompt: try codec.prompt(.chainOfThought, question: dual.problem.question),
                chosen: codec.response(texts.right),
                rejected: codec.response(texts.wrong)
            )
            if method.tokenWeighted == true { pair.weighDifferences() }
            collected.pairs.append(pair)
        }
        collected.counts["pairs"] = collected.pairs.count
    }
}
