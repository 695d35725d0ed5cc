import Reasoning
import Teaching
import Testing

@Suite("How a teacher's answer ended")
struct FinishReasonTests {
    private func answer(_ reason: String, text: String = "The answer is 4.", thoughts: String? = nil) -> TeacherAnswer {
        let reply = ChatReply(
            text: text,
            thoughts: thoughts,
            finishReason: reason,
            promptTokens: 1,
            completionTokens: 1,
            model: "m",
            latencyMilliseconds: 1
        )
        return TeacherAnswer(promptID: "p", promptVersion: "1", temperature: 0, seed: 0, reply: reply)
    }

    @Test(
        "every server's name of a whole answer is one",
        arguments: [
            "stop", "STOP", "eos", "eos_token", "end", "end_turn", "stop_sequence", "stop-sequence", "completed", "",
        ]
    )
    func whole(reason: String) { #expect(answer(reason).failure == nil) }

    @Test(
        "each other end is a failure with a name of its own",
        arguments: [
            ("length", .cut), ("MAX_TOKENS", .cut), ("model_length", .cut),
            ("content_filter", .contentFilter), ("SAFETY", .contentFilter), ("RECITATION", .contentFilter),
            ("refusal", .declined), ("tool_calls", .toolCall), ("function_call", .toolCall),
            ("timeout", .timeout), ("too-large", .noReply), ("malformed", .noReply), ("error", .cut),
        ] as [(String, Refusal.Kind)]
    )
    func failures(reason: String, kind: Refusal.Kind) {
        #expect(answer(reason).refusal?.kind == kind)
    }

    @Test(
        "thoughts are kept apart from the answer",
        arguments: [
            ("<think>3 * 4 = 14</think>\n\nThe answer is 12.", "3 * 4 = 14", "The answer is 12."),
            ("3 * 4 = 14\n</think>\nThe answer is 12.", "3 * 4 = 14", "The answer is 12."),
            ("<think>a</think>b<think>c</think>\nd", "c", "d"),
            ("<thinking>a</thinking> b", "a", "b"),
            ("<think>\n3 * 4 = 14, so", "3 * 4 = 14, so", ""),
            ("The answer is 12.", nil, "The answer is 12."),
            ("I <think> so.", "so.", "I"),
        ] as [(String, String?, String)]
    )
    func thoughts(text: String, thoughts: String?, rest: String) {
        let reply = answer("stop", text: text).reply
        #expect(reply.thoughts == thoughts)
        #expect(reply.text == rest)
    }

    @Test("an answer that ended within its thoughts says so, and a field of thoughts goes first")
    func empty() {
        #expect(answer("stop", text: "<think>hm").failure?.contains("within its thoughts") == true)
        #expect(answer("stop", text: "").failure == "the teacher's answer is empty")
        #expect(answer("stop", text: "<think>b</think>c", thoughts: "a").reply.thoughts == "a\nb")
    }
}
