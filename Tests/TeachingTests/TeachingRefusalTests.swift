import Reasoning
import Schemas
import Synchronization
import Teaching
import Testing

/// A teacher that answers each prompt from a script and notes what it was asked.
private final class ScriptedTeacher: Teacher {
    let model = "scripted"
    private let script: @Sendable (PromptID, Int) -> String
    private let asked = Mutex<[(prompt: PromptID, text: String)]>([])

    init(_ script: @escaping @Sendable (_ prompt: PromptID, _ call: Int) -> String) { self.script = script }

    func complete(_ request: ChatRequest) async throws -> ChatReply {
        let system = request.messages.first?.content ?? ""
        let line = system.split(separator: "\n").first { $0.hasPrefix("Task: ") } ?? ""
        let prompt = PromptID(rawValue: String(line.dropFirst("Task: ".count))) ?? .chainOfThought
        let call = asked.withLock { asked in
            asked.append((prompt, request.messages.last?.content ?? ""))
            return asked.count { $0.prompt == prompt } - 1
        }
        let text = script(prompt, call)
        return ChatReply(
            text: text,
            finishReason: text == "CUT" ? "length" : "stop",
            promptTokens: 1,
            completionTokens: 1,
            model: model,
            latencyMilliseconds: 0
        )
    }

    func questions(_ prompt: PromptID) -> [String] {
        asked.withLock { $0.filter { $0.prompt == prompt }.map(\.text) }
    }
}

@Suite("What is refused of a teacher's work, and by which kind")
struct TeachingRefusalTests {
    private static let problem = ProblemEvent(
        id: "p1",
        dataset: "d",
        split: .train,
        question: "Ann has 3 baskets of 4 pears and eats 2. How many are left?",
        solution: "She has 3 * 4 = <<3*4=12>>12 pears.\nShe has 12 - 2 = <<12-2=10>>10 left.",
        answer: "10"
    )
    private static let chain = "Ann has 3 * 4 = 12 pears.\nShe is left with 12 - 2 = 10 pears.\nThe answer is 10."
    private static let wrong = "Ann has 3 + 4 = 7 pears.\nShe is left with 7 - 2 = 5 pears.\nThe answer is 5."
    private static let attempt = AttemptEvent(
        id: "a1",
        runId: "r1",
        checkpointId: "c1",
        problemId: "p1",
        sample: 0,
        output: wrong,
        answer: "5",
        correct: false,
        promptFormat: "chain-of-thought"
    )

    private static func good(_ prompt: PromptID) -> String {
        switch prompt {
        case .corrupt: wrong
        case .templateExtraction:
            "### Step 1\n3 * 4 = 12 pears.\n### Step 2\n12 - 2 = 10 pears.\n**Generalized:** Take away.\n**Answer:** 10"
        case .inspectTemplate, .inspectCorrection: "Verdict: **ok**"
        case .groundedCorrection:
            "<Step1>Ann has 3 + 4 = 7 pears.<Cause>c</Cause><Correction>3 * 4 = 12.</Correction></Step1><Answer>10</Answer>"
        case .classifyMistake: "The kind of mistake is knowledge."
        default: "<think>3 + 4 = 8?</think>\n" + chain
        }
    }

    /// The traces of the problem and of the attempt, with the teacher, where one prompt is answered otherwise.
    private func traces(
        _ other: PromptID? = nil,
        options: TeachingOptions = TeachingOptions(),
        _ answer: @escaping @Sendable (Int) -> String = { _ in "" }
    ) async throws -> (traces: [TraceEvent], teacher: ScriptedTeacher) {
        let teacher = ScriptedTeacher { $0 == other ? answer($1) : Self.good($0) }
        let pipeline = TeachingPipeline(ledger: DirectTeacherLedger(teacher: teacher), options: options)
        let traces = try await pipeline.traces(of: Self.problem)
        return (traces + (try await pipeline.traces(of: Self.attempt, problem: Self.problem)), teacher)
    }

    private func kind(_ traces: [TraceEvent], _ kind: TraceKind) -> String? {
        traces.first { $0.kind == kind }?.failureKind
    }

    @Test("a teacher that writes as real models do has all of its work verified")
    func good() async throws {
        let (traces, teacher) = try await traces()
        #expect(
            traces.map(\.kind)
                == [.chainOfThought, .template, .inspectorVerdict, .dual, .correction, .inspectorVerdict]
        )
        for trace in traces { #expect(trace.verified && trace.failure == nil && trace.failureKind == nil) }
        for trace in traces { #expect(trace.grader == (trace.kind == .inspectorVerdict ? nil : Grader().stamp)) }
        #expect(TeachingYields(traces).refusals.isEmpty && TeachingYields(traces).templatesWithoutNotes == 1)
        guard case .chainOfThought(let body) = try #require(traces.first).body else { return }
        #expect(body.text == Self.chain, "thoughts are no part of a chain")
        for prompt in [PromptID.templateExtraction, .inspectTemplate, .groundedCorrection, .inspectCorrection] {
            for question in teacher.questions(prompt) { #expect(!question.contains("<<"), "\(prompt)") }
        }
        let shown = try #require(teacher.questions(.groundedCorrection).first)
        #expect(shown.contains("### Attempt\n1. Ann has 3 + 4 = 7 pears.\n2. She is left with 7 - 2 = 5 pears."))
        for case .dual(let dual) in traces.map(\.body) {
            #expect(dual.mistake == "knowledge" && dual.mistakeSource == .teacher)
        }
    }

    @Test("a trace that is graded again has the verdicts that it was given when the teacher answered")
    func again() async throws {
        let answers: [(PromptID?, @Sendable (Int) -> String)] = [
            (nil, { _ in "" }), (.chainOfThought, { _ in Self.wrong }), (.corrupt, { _ in Self.chain }),
            (.templateExtraction, { _ in "<Step1>3 * 4 = 12</Step1><Answer>12</Answer>" }),
            (.groundedCorrection, { _ in "<Answer>5</Answer>" }), (.chainOfThought, { _ in "CUT" }),
        ]
        var verdicts: [TraceVerdict] = []
        for (prompt, answer) in answers {
            for trace in try await traces(prompt, answer).traces {
                verdicts += TraceGrading.verdicts(on: trace, of: Self.problem)
            }
        }
        #expect(verdicts.allSatisfy { $0.was == $0.now }, "\(verdicts.filter { $0.was != $0.now })")
        #expect(verdicts.contains { $0.was } && verdicts.contains { !$0.was && $0.reason != nil })
        // Planted: a template whose answer is another one, told verified.
        let template = try #require(try await traces().traces.first { $0.kind == .template })
        guard case .template(var body) = template.body else { return }
        body.answer = "11"
        var planted = template
        planted.body = .template(body)
        let found = try #require(TraceGrading.verdicts(on: planted, of: Self.problem).first)
        #expect(found.was && !found.now && found.rule == .number && found.reason == "the answer 11 is not 10")
        // What an inspector refused is none of the grader's.
        planted.verified = false
        planted.failureKind = "inspector"
        #expect(TraceGrading.verdicts(on: planted, of: Self.problem).isEmpty)
    }

    @Test("a verdict that cannot be read is asked for again, and is no remark for the teacher")
    func unreadableVerdict() async throws {
        let later = try await traces(.inspectTemplate) { $0 < 3 ? "I am not sure." : "<Verdict>ok</Verdict>" }
        #expect(later.traces.first { $0.kind == .template }?.verified == true)
        #expect(later.teacher.questions(.templateExtraction).count == 1)
        let never = try await traces(.inspectTemplate) { _ in "I am not sure." }
        #expect(kind(never.traces, .template) == "inspector-unreadable")
        #expect(kind(never.traces, .inspectorVerdict) == "inspector-unreadable")
        #expect(never.teacher.questions(.inspectTemplate).count == 4)
        #expect(never.teacher.questions(.templateExtraction).count == 1, "nothing is known of the template")
        for case .inspectorVerdict(let body) in never.traces.prefix(3).map(\.body) {
            #expect(!body.accepted && body.faults.isEmpty)
        }
    }

    @Test("a kind of mistake is asked for twice, and then told from the numbers")
    func unreadablePattern() async throws {
        let (traces, teacher) = try await traces(.classifyMistake) { _ in "Hm." }
        #expect(teacher.questions(.classifyMistake).count == 2)
        for case .dual(let dual) in traces.map(\.body) {
            #expect(dual.mistake == "logical" && dual.mistakeSource == .numbers)
        }
    }

    @Test(
        "each refusal has its kind",
        arguments: [
            (.templateExtraction, .template, "Nothing.", "no-steps"), (.templateExtraction, .template, "CUT", "cut"),
            (.templateExtraction, .template, "<think>Hm", "cut"), (.templateExtraction, .template, " ", "empty"),
            (.templateExtraction, .template, "<Step1>a</Step1><Answer>9</Answer>", "wrong-answer"),
            (.templateExtraction, .template, "<Step1>a</Step1><Answer>10</Answer>", "no-generalization"),
            (.inspectTemplate, .template, "<Verdict>faulty</Verdict>", "inspector"),
            (.corrupt, .dual, chain, "not-wrong"), (.corrupt, .dual, "She has 5 pears.", "no-chain"),
            (
                .corrupt, .dual, "Ann has 3 baskets of 4 pears and eats 2. How many are left?\nThe answer is 2.",
                "no-chain"
            ),
            (.groundedCorrection, .correction, "<Answer>10</Answer>", "no-wrong-step"),
            (
                .groundedCorrection, .correction,
                "<Step1>Ann has 7 pears and 5.<Cause>c</Cause><Correction>d</Correction></Step1><Answer>10</Answer>",
                "unmatched-step"
            ),
            (.chainOfThought, .chainOfThought, wrong, "wrong-answer"),
            (.chainOfThought, .chainOfThought, "I cannot say.", "no-answer"),
        ] as [(PromptID, TraceKind, String, String)]
    )
    func kinds(prompt: PromptID, trace: TraceKind, text: String, expected: String) async throws {
        let made = try await traces(prompt) { _ in text }
        let refused = try #require(made.traces.first { $0.kind == trace })
        #expect(!refused.verified && refused.failure != nil)
        #expect(refused.failureKind == expected, "\(refused.failure ?? "")")
        try refused.validate()
        #expect(TeachingYields(made.traces).refusals[trace.rawValue] == [expected: 1])
        #expect(Refusal.Kind(rawValue: expected) != nil)
    }

    @Test("a wrong answer that no chain leads to is not the wrong side of a pair")
    func wrongChains() async throws {
        let restated = "There are 3 baskets of 4 pears."
        let (traces, teacher) = try await traces(.chainOfThought) { _ in restated }
        let dual = try #require(traces.first { $0.kind == .dual })
        guard case .dual(let body) = dual.body else { return }
        #expect(dual.verified && body.method == .corrupted && body.wrong == Self.wrong)
        #expect(teacher.questions(.rectify).allSatisfy { !$0.contains(restated) })
    }
}
