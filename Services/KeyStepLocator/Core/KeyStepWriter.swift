import Distillation
import Reasoning
import Schemas
import ServiceRuntime

/// Writes key-step events over one kind of tokens.
struct KeyStepWriter: Sendable {
    let tokens: KeyStepLocation.Tokens
    /// The weights in the events, and the tie rule.
    let options: KeyStepOptions

    /// The key steps of a pair as the student writes it; `nil` where the problem has no template to write it with.
    func event(trace: TraceEvent, dual: DualBody, template: TraceBody?) throws -> KeyStepsEvent? {
        guard case .template(let body) = template else { return nil }
        let pair = DualRendering.hierarchical(right: dual.right, wrong: dual.wrong, template: ThoughtTemplate(body))
        guard let pair else { return nil }
        return try event(trace: trace, right: pair.right, wrong: pair.wrong)
    }

    /// The key steps of two texts.
    func event(trace: TraceEvent, right: String, wrong: String) throws -> KeyStepsEvent {
        let location = KeyStepLocation(
            right: right,
            wrong: wrong,
            tokens: tokens,
            options: options
        )
        let rule = options.tieRule.rawValue
        // Alignments of other rules are other events; the first rule's ids were made before there was a choice.
        let parts = ["key-steps", tokens.fingerprint] + (options.tieRule == .edit ? [] : [rule])
        return KeyStepsEvent(
            id: DeterministicID.make(cause: trace.id, parts: parts),
            problemId: trace.problemId,
            traceId: trace.id,
            tokenizer: tokens.fingerprint,
            distance: location.distance,
            right: Self.side(location.right),
            wrong: Self.side(location.wrong),
            alpha: options.alpha,
            beta: options.beta,
            gamma: options.gamma,
            tieRule: rule
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
