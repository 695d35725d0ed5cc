import Schemas
import Teaching

extension ChatReply {
    /// The reply without NUL characters, and with counts that fit their columns.
    var cleaned: ChatReply {
        ChatReply(
            text: text.withoutNUL,
            thoughts: thoughts?.withoutNUL,
            finishReason: finishReason.withoutNUL,
            promptTokens: min(max(0, promptTokens), Int(Int32.max)),
            completionTokens: min(max(0, completionTokens), Int(Int32.max)),
            model: model.withoutNUL,
            latencyMilliseconds: min(max(0, latencyMilliseconds), Int(Int32.max))
        )
    }

    /// Whether a server counted its tokens, or there are none to count as there was no answer.
    var isCounted: Bool {
        if promptTokens > 0 || completionTokens > 0 { return true }
        if case .none = FinishReason(finishReason) { return true }
        return false
    }

    /// The reply with tokens that are estimated from its text.
    func counted(promptTokens: Int) -> ChatReply {
        ChatReply(
            text: text,
            thoughts: thoughts,
            finishReason: finishReason,
            promptTokens: promptTokens,
            completionTokens: TokenEstimate.tokens(of: text) + (thoughts.map(TokenEstimate.tokens(of:)) ?? 0),
            model: model,
            latencyMilliseconds: latencyMilliseconds
        )
    }
}
