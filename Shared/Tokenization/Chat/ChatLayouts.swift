import Foundation

/// Where Mistral's templates put spaces and the system message; no two of their versions agree.
struct InstructLayout: Sendable, Equatable {
    /// What stands before and after a user's text, `[INST]` and `[/INST]` among it.
    var opening: String
    var closing: String
    /// What stands before the assistant's text.
    var answerLead: String
    /// What stands after the end token of the assistant's turn.
    var answerTrail: String
    /// Whether the assistant's text loses the white space at its ends.
    var stripsAnswers: Bool
    /// The user's turn that the system message is put into; nil has no place for one.
    var system: SystemPlace?

    /// The user's turns that a system message can stand in.
    enum SystemPlace: Sendable {
        /// The first.
        case first
        /// The last: the published template puts it into the conversation's last message, and leaves it out where that
        /// is the assistant's. It is kept here, as Mistral's own library does.
        case last
    }

    /// As published for the tokenizers whose `[INST]` is text (Mistral 7B Instruct 0.1 and 0.2).
    static let ofText = InstructLayout(
        opening: " [INST] ",
        closing: " [/INST]",
        answerLead: " ",
        answerTrail: "",
        stripsAnswers: false,
        system: .first
    )
    /// As published for the tokenizers whose `[INST]` is a token (Mistral 7B Instruct 0.3).
    static let ofTokens = InstructLayout(
        opening: "[INST] ",
        closing: "[/INST]",
        answerLead: " ",
        answerTrail: "",
        stripsAnswers: true,
        system: .last
    )

    init(
        opening: String,
        closing: String,
        answerLead: String,
        answerTrail: String,
        stripsAnswers: Bool,
        system: SystemPlace?
    ) {
        self.opening = opening
        self.closing = closing
        self.answerLead = answerLead
        self.answerTrail = answerTrail
        self.stripsAnswers = stripsAnswers
        self.system = system
    }

    /// The layout of a template; nil where it is none of Mistral's.
    init?(_ skeleton: TemplateSkeleton) {
        guard skeleton.has("{{bos_token}}"), !skeleton.hasText, !skeleton.has("<<SYS>>") else { return nil }
        let openings = ["[INST] ", " [INST] ", "[INST]"]
        let closings = [" [/INST]", "[/INST]", " [/INST] "]
        let turns = openings.flatMap { opening in closings.map { (opening, $0) } }
        let answers = ["", " "].flatMap { lead in
            ["", " "].flatMap { trail in [false, true].map { (lead, trail, $0) } }
        }
        func quoted(_ text: String, plus: Bool) -> String {
            if text.isEmpty { return "" }
            return plus ? "+\"\(text)\"" : "\"\(text)\"+"
        }
        guard
            let (opening, closing) = skeleton.only(turns, { "\"\($0)\"+message[\"content\"]+\"\($1)\"" }),
            let (lead, trail, strips) = skeleton.only(
                answers,
                {
                    quoted($0, plus: false) + "message[\"content\"]" + ($2 ? "|trim" : "") + "+eos_token"
                        + quoted($1, plus: true)
                }
            )
        else { return nil }
        var place: SystemPlace?
        if skeleton.has("system_message") {
            let isFirst = skeleton.has("{%ifloop.firstandsystem_messageisdefined%}")
            let isLast = skeleton.has("{%ifloop.lastandsystem_messageisdefined%}")
            guard isFirst != isLast,
                skeleton.has("{{\"\(opening)\"+system_message+\"\n\n\"+message[\"content\"]+\"\(closing)\"}}")
            else { return nil }
            place = isFirst ? .first : .last
        }
        self.init(
            opening: opening,
            closing: closing,
            answerLead: lead,
            answerTrail: trail,
            stripsAnswers: strips,
            system: place
        )
    }
}

/// How a ChatML template of a model that thinks aloud lays out its thoughts (Qwen3).
struct ThinkingLayout: Sendable, Equatable {
    /// Whether the template itself begins the thoughts of the turn that is to be generated.
    var isOpened: Bool
    /// Whether the template has a switch for turns without thoughts.
    var canBeSkipped: Bool

    /// The layout of a template; nil where it says nothing of thoughts, or lays them out in another way.
    init?(_ skeleton: TemplateSkeleton) {
        guard skeleton.has("{%ifloop.index0>ns.last_query_index%}{%ifloop.lastor(notloop.lastandreasoning_content)%}"),
            skeleton.has(
                "+\"\n<think>\n\"+reasoning_content.strip(\"\n\")+\"\n</think>\n\n\"+content.lstrip(\"\n\")}}"
            )
        else { return nil }
        isOpened = skeleton.has("\"<|im_start|>assistant\n<think>\n\"")
        canBeSkipped = skeleton.has("enable_thinking", "\"<think>\n\n</think>\n\n\"")
    }

    /// The thoughts in an answer, and the answer without them.
    ///
    /// - Parameter content: The turn's text, its thoughts up to the last `</think>`.
    /// - Returns: Both without the line feeds around them; no thoughts where there is no mark.
    static func split(_ content: String) -> (thoughts: String, answer: String) {
        guard let first = content.range(of: "</think>"),
            let last = content.range(of: "</think>", options: .backwards)
        else { return ("", content) }
        var thoughts = content[..<first.lowerBound]
        if let start = thoughts.range(of: "<think>", options: .backwards) { thoughts = thoughts[start.upperBound...] }
        return (thoughts.strippingLineFeeds(), content[last.upperBound...].strippingLineFeeds(atEnd: false))
    }
}

extension StringProtocol {
    /// The text without the line feeds at its beginning and, unless told otherwise, its end.
    func strippingLineFeeds(atEnd: Bool = true) -> String {
        var scalars = Substring(self).unicodeScalars
        while scalars.first == "\n" { scalars.removeFirst() }
        while atEnd, scalars.last == "\n" { scalars.removeLast() }
        return String(Substring(scalars))
    }
}
