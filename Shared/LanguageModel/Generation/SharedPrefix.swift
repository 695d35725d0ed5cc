import Tokenization

/// What all prompts of a call begin with (instructions, solved examples), run through the decoder once.
///
/// A row's result does not depend on the rows beside it, so that a prompt gets the same bits as if it were run whole.
struct SharedPrefix {
    /// How many tokens it has; 0 where the prompts share too little.
    let count: Int

    private let slot: DecodingSession.Slot?
    private let configuration: ModelConfiguration

    /// Below so many tokens it is not worth its step.
    private static let least = 8
    /// The most rows of a step, which bounds its memory.
    static let rowsOfStep = 2048

    init(of prompts: [[TokenID]], session: DecodingSession, model: CausalLanguageModel) {
        configuration = model.configuration
        let common = Self.common(prompts)
        guard prompts.count > 1, common >= Self.least, let prompt = prompts.first else {
            count = 0
            slot = nil
            return
        }
        count = common
        let slot = DecodingSession.Slot(capacity: common, model: model)
        for start in stride(from: 0, to: common, by: Self.rowsOfStep) {
            let rows = (start..<min(common, start + Self.rowsOfStep)).map {
                DecodingSession.Row(slot: slot, position: $0, token: prompt[$0])
            }
            _ = session.step(rows, wanted: [])
        }
        self.slot = slot
    }

    /// Fills the first positions of a sequence's slot.
    func fill(_ target: DecodingSession.Slot) {
        if let slot { target.copy(first: count, of: slot, configuration: configuration) }
    }

    /// The tokens that all prompts begin with; each keeps one of its own at least, which asks for logits.
    private static func common(_ prompts: [[TokenID]]) -> Int {
        guard let first = prompts.first else { return 0 }
        return prompts.reduce(first.count - 1) { length, prompt in
            let most = min(length, prompt.count - 1)
            return (0..<max(0, most)).first { prompt[$0] != first[$0] } ?? max(0, most)
        }
    }
}
