import Distillation
import Reasoning
import Schemas
import ServiceRuntime

/// Writes key-step events over one kind of tokens.
struct KeyStepWriter: Sendable {
    let tokens: KeyStepLocation.Tokens
    /// The weights in the events, and the tie rule.
    let options: KeyStepOptions
    /// How the pair is written, as in ``Schemas/KeyStepsEvent/format``; nil for the chains as they came.
    var format: String?

    /// Words of the chains as they came, for anyone, with the paper's weights.
    static let words = KeyStepWriter(tokens: .words, options: KeyStepOptions())

    /// The form in which pairs are located.
    var form: KeyStepForm {
        KeyStepForm(tokenizer: tokens.fingerprint, tieRule: options.tieRule.rawValue, format: format ?? "")
    }

    /// Whether pairs are written as templates, with what the problem's template says of them.
    var isOfTemplates: Bool { format?.hasPrefix("template") == true }

    /// The key steps of a pair as the form writes it; `nil` where it cannot be written so.
    ///
    /// Arguments:
    ///   - answer: the right answer.
    ///   - template: the problem's template.
    func event(trace: TraceEvent, dual: DualBody, answer: String, template: TraceBody?) -> KeyStepsEvent? {
        guard let format else { return event(trace: trace, right: dual.right, wrong: dual.wrong) }
        var notes: ThoughtTemplate?
        if case .template(let body) = template { notes = ThoughtTemplate(body) }
        let pair = DualRendering.texts(
            of: dual,
            answer: answer,
            format: isOfTemplates ? .hierarchicalThought : .chainOfThought,
            template: notes
        )
        guard let pair else { return nil }
        guard format.hasSuffix("/bare") else { return event(trace: trace, right: pair.right, wrong: pair.wrong) }
        return event(trace: trace, right: StudentFormat.bare(pair.right), wrong: StudentFormat.bare(pair.wrong))
    }

    /// The key steps of two texts.
    private func event(trace: TraceEvent, right: String, wrong: String) -> KeyStepsEvent {
        let location = KeyStepLocation(
            right: right,
            wrong: wrong,
            tokens: tokens,
            options: options
        )
        let rule = options.tieRule.rawValue
        // Alignments of other rules and forms are other events; the ids of the first were made before there was a choice.
        let parts =
            ["key-steps", tokens.fingerprint] + (options.tieRule == .edit ? [] : [rule])
            + (format == nil || format == "template" ? [] : [format ?? ""])
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
            tieRule: rule,
            format: format
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
