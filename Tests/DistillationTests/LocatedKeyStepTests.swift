import Distillation
import Reasoning
import Schemas
import Testing
import Tokenization
import Training

@Suite("Key steps that were located before")
struct LocatedKeyStepTests {
    private typealias Samples = StageSamples

    /// The event of a pair in a form, as the locator writes it, under weights of another run.
    private static func event(
        _ dual: TraceEvent,
        _ problem: ProblemEvent,
        format: StudentFormat,
        tieRule: KeyStepAlignment.TieRule = .edit,
        codec: StudentCodec
    ) throws -> KeyStepsEvent? {
        guard case .dual(let body) = dual.body else { return nil }
        let note = TemplateStep(text: "2+3=5.", keyNotes: ["Mind the sum."])
        let template = ThoughtTemplate(steps: [note], generalization: "Add.", answer: "5")
        let texts = DualRendering.texts(of: body, answer: problem.answer, format: format, template: template)
        return try texts.map { texts in
            let location = KeyStepLocation(
                right: codec.written(texts.right),
                wrong: codec.written(texts.wrong),
                tokens: .student(codec.tokenizer),
                options: KeyStepOptions(alpha: 9, beta: 8, gamma: 7, tieRule: tieRule)
            )
            return KeyStepsEvent(
                id: "e-\(dual.id)",
                problemId: problem.id,
                traceId: dual.id,
                tokenizer: codec.tokenizer.fingerprint,
                distance: location.distance,
                right: try side(location.right),
                wrong: try side(location.wrong),
                alpha: 9,
                beta: 8,
                gamma: 7,
                tieRule: tieRule.rawValue,
                format: codec.keyStepFormat(format)
            )
        }
    }

    private static func side(_ side: KeyStepLocation.Side) throws -> KeyStepSide {
        let spans = try side.spans.map { span in
            KeyStepSpan(
                start: span.bytes.lowerBound,
                end: span.bytes.upperBound,
                tokenStart: span.tokens.lowerBound,
                tokenEnd: span.tokens.upperBound,
                kind: try #require(KeyStepSpan.Kind(rawValue: span.kind.rawValue)),
                step: span.step
            )
        }
        return KeyStepSide(text: side.text, spans: spans, tokenWeights: side.weights)
    }

    @Test(
        "spans of events give the examples that locating in place gives, in every form and by either rule",
        arguments: ["short", "text", "chat"],
        [
            KeyStepMethod(alpha: 2, beta: 0.5, gamma: 0.25), KeyStepMethod(form: "templates"),
            KeyStepMethod(tieRule: "canonical"), KeyStepMethod(keyTokens: "random"),
        ]
    )
    func events(style: String, method: KeyStepMethod) throws {
        let codec = try ChatStudent().codec(RunPrompt(style: style))
        let format: StudentFormat = method.form == "templates" ? .hierarchicalThought : .chainOfThought
        let rule: KeyStepAlignment.TieRule = method.tieRule == "canonical" ? .canonical : .edit
        let events = try [
            Self.event(Samples.duals[0], Samples.pens, format: format, tieRule: rule, codec: codec),
            Self.event(Samples.duals[1], Samples.figs, format: format, tieRule: rule, codec: codec),
        ].compactMap { $0 }
        #expect(events.count == 2)
        let traces = Samples.templates + Samples.duals
        let stage = RunStage(name: "krsl", keySteps: method)
        let located = try Samples.collect(
            stage,
            StageMaterial(problems: Samples.problems, traces: traces, keySteps: events.reversed()),
            codec: codec
        )
        let inPlace = try Samples.collect(
            stage,
            StageMaterial(problems: Samples.problems, traces: traces),
            codec: codec
        )
        #expect(located.supervised == inPlace.supervised && located.counts == inPlace.counts)
        #expect(located.supervised.contains { $0.weights.contains { $0 < 0 } })
    }

    @Test("key tokens are those of the spans, under the weights of the run, not the event's")
    func spans() throws {
        let codec = try TokenizerKind.bytes.codec()
        func side(_ text: String, _ tokens: Range<Int>) -> KeyStepSide {
            let span = KeyStepSpan(
                start: tokens.lowerBound,
                end: tokens.upperBound,
                tokenStart: tokens.lowerBound,
                tokenEnd: tokens.upperBound,
                kind: .replace,
                step: 0
            )
            return KeyStepSide(text: text, spans: [span], tokenWeights: text.utf8.map { _ in 9 })
        }
        let event = KeyStepsEvent(
            id: "e",
            problemId: "Q1",
            traceId: "d1",
            tokenizer: "t",
            distance: 1,
            right: side(" 2+3=5.\n#### 5", 1..<4),
            wrong: side(" 2+3=6.\n#### 6", 4..<5),
            alpha: 9,
            beta: 9,
            gamma: 9,
            tieRule: "edit"
        )
        let made = try Samples.collect(
            RunStage(name: "krsl", keySteps: KeyStepMethod(alpha: 2, beta: 0.5)),
            StageMaterial(problems: [Samples.pens], traces: [Samples.duals[0]], keySteps: [event]),
            codec: codec
        )
        #expect(codec.marked(2, in: made.supervised[0]) == "2+3")
        #expect(codec.marked(-0.5, in: made.supervised[1]) == "=")
        #expect(made.supervised.allSatisfy { !$0.weights.contains(9) })
    }

    @Test("spans that were located in another tokenizer's tokens are refused")
    func otherTokenizer() throws {
        let codec = try TokenizerKind.bytes.codec()
        var event = try #require(
            try Self.event(Samples.duals[0], Samples.pens, format: .chainOfThought, codec: codec)
        )
        event.right.tokens += 1
        let material = StageMaterial(problems: [Samples.pens], traces: [Samples.duals[0]], keySteps: [event])
        let stage = RunStage(name: "krsl", keySteps: KeyStepMethod())
        let told = Samples.failure { _ = try Samples.collect(stage, material, codec: codec) }
        #expect(told.contains("located in 15 tokens of a text that has 14"), "\(told)")
    }
}
