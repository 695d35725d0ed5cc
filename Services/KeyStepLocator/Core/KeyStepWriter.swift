import Distillation
import Reasoning
import Schemas
import ServiceRuntime

/// The weights and the tie rule that a run asks for; the paper's where it does not say.
struct KeyStepSettings: Sendable, Hashable {
    var alpha = 1.0
    var beta = 0.025
    var gamma = 0.0
    var tieRule = KeyStepAlignment.TieRule.edit

    init() {}

    /// Reads the key-step stage of a run.
    ///
    /// - Throws: `PermanentFailure` that names a tie rule which does not exist.
    init(_ run: RunEvent) throws {
        guard let stage = run.stages.krsl else { return }
        alpha = stage.alpha ?? alpha
        beta = stage.beta ?? beta
        gamma = stage.gamma ?? gamma
        guard let name = stage.tieRule else { return }
        guard let rule = KeyStepAlignment.TieRule(rawValue: name) else {
            throw PermanentFailure(
                code: "unknown-tie-rule",
                message: "stages.krsl.tieRule of run \(run.id) is \(name); it can be edit or canonical"
            )
        }
        tieRule = rule
    }
}

/// Writes key-step events over one kind of tokens.
struct KeyStepWriter: Sendable {
    let tokens: KeyStepLocation.Tokens
    let settings: KeyStepSettings

    /// The key steps of a pair as the student writes it; `nil` where the problem has no template to write it with.
    func event(trace: TraceEvent, dual: DualBody, template: TraceBody?) throws -> KeyStepsEvent? {
        guard case .template(let body) = template else { return nil }
        let thought = ThoughtTemplate(
            steps: body.steps.map { TemplateStep(text: $0.text, keyNotes: $0.keyNotes) },
            generalization: body.generalization,
            answer: body.answer
        )
        guard let pair = DualRendering.hierarchical(right: dual.right, wrong: dual.wrong, template: thought) else {
            return nil
        }
        return try event(trace: trace, right: pair.right, wrong: pair.wrong)
    }

    /// The key steps of two texts.
    func event(trace: TraceEvent, right: String, wrong: String) throws -> KeyStepsEvent {
        let location = KeyStepLocation(
            right: right,
            wrong: wrong,
            tokens: tokens,
            alpha: Float(settings.alpha),
            beta: Float(settings.beta),
            gamma: Float(settings.gamma),
            tieRule: settings.tieRule
        )
        return KeyStepsEvent(
            id: DeterministicID.make(cause: trace.id, parts: "key-steps", tokens.fingerprint),
            problemId: trace.problemId,
            traceId: trace.id,
            tokenizer: tokens.fingerprint,
            distance: location.distance,
            right: Self.side(location.right),
            wrong: Self.side(location.wrong),
            alpha: settings.alpha,
            beta: settings.beta,
            gamma: settings.gamma,
            tieRule: settings.tieRule.rawValue
        )
    }

    private static func side(_ side: KeyStepLocation.Side) -> KeyStepSide {
        KeyStepSide(
            text: side.text,
            spans: side.spans.compactMap { span in
                kind(span.kind).map {
                    KeyStepSpan(
                        start: span.bytes.lowerBound,
                        end: span.bytes.upperBound,
                        tokenStart: span.tokens.lowerBound,
                        tokenEnd: span.tokens.upperBound,
                        kind: $0,
                        step: span.step
                    )
                }
            },
            tokenWeights: side.weights
        )
    }

    private static func kind(_ kind: EditKind) -> KeyStepSpan.Kind? {
        switch kind {
        case .match: nil
        case .replace: .replace
        case .insert: .insert
        case .delete: .delete
        }
    }
}
