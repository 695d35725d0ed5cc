import Testing

@testable import Reasoning

@Suite("Chains and corruptions of chains")
struct ChainFormTests {
    private static let question = "Ann has 3 baskets of 4 pears and eats 2. How many are left?"
    private static let right = "Ann has 3 * 4 = 12 pears.\nShe is left with 12 - 2 = 10 pears.\nThe answer is 10."

    private func kind(_ wrong: String, right: String = right) -> Refusal.Kind? {
        ChainForm.failure(ofCorruption: wrong, right: right, question: Self.question)?.kind
    }

    @Test(
        "a chain with a slip and its consequences is a corruption",
        arguments: [
            "Ann has 3 + 4 = 7 pears.\nShe is left with 7 - 2 = 5 pears.\nThe answer is 5.",
            "Ann has 3 * 4 = 12 pears.\nShe is left with 12 + 2 = 14 pears.\n#### 14",
            "3 + 4 = 7\n7 - 2 = 5\nTherefore, the answer is 5.",
            "Ann has 3 * 4 = 12 pears, all of which are left.\nThe answer is 12.",
            "Ann has 3 \\times 4 = 12 pears.\nShe is left with 12 + 2 = 14 pears.\n\\boxed{14}",
        ]
    )
    func corruptions(wrong: String) { #expect(kind(wrong) == nil) }

    @Test("a chain that is too long is none, on either side of a pair")
    func long() {
        let filler = String(repeating: "7 + 8 = 15\n", count: ChainForm.maximumLength / 11)
        #expect(filler.utf8.count <= ChainForm.maximumLength && ChainForm.excess(of: filler) == nil)
        let long = filler + filler + Self.right
        #expect(ChainForm.failure(of: long, solution: WorkedSolution.parse(long))?.kind == .tooLong)
        #expect(kind(long) == .tooLong)
        #expect(ChainForm.excess(of: Self.right) == nil)
    }

    @Test(
        "other texts are none",
        arguments: [
            ("Ann has 3 baskets of 4 pears and eats 2. How many are left?", .noChain),
            ("Ann has 3 baskets of 4 pears and eats 2. How many are left?\nThe answer is 2.", .noChain),
            ("She is left with 5 pears.", .noChain), ("The answer is 5.", .noChain),
            ("She is left with some pears.\nThe answer is 5.", .noChain),
            ("Ann has 3 + 4 = 7 pears.\nShe is left with 7 - 2 = 5 pears.", .noChain),
            ("Ann has 3 * 4 = 12 pears.\nShe is left with 12 - 2 = 10 pears.\nThe answer is 11.", .unchanged),
            ("Bob sells 5 + 5 + 1 cars, 11 in all.\nHe keeps 7 + 11 of nineteen.\nThe answer is 18.", .littleOverlap),
            ("", .noChain),
        ] as [(String, Refusal.Kind)]
    )
    func others(wrong: String, expected: Refusal.Kind) { #expect(kind(wrong) == expected) }

    @Test("a terse right chain is found again in a wordy wrong one")
    func terse() {
        let wordy =
            "First of all we see that Ann has got 3 + 4 = 7 pears in all of her baskets.\n"
            + "After she has eaten some of them she is left with 7 - 2 = 5 of the pears.\nThe answer is 5."
        #expect(kind(wordy, right: "3 * 4 = 12\n12 - 2 = 10\nThe answer is 10.") == nil)
        #expect(
            kind("50 - 6 = 44\n8 * 5 = 40\nThe answer is 40.", right: "3 * 4 = 12\n12 - 2 = 10\n#### 10")
                == .littleOverlap
        )
    }

    @Test("chains without arithmetic are compared by their words")
    func words() {
        let right = "The dog sleeps on Monday.\nThe cat sleeps on Tuesday.\nSo the answer is (B)."
        #expect(
            kind("The dog sleeps on Monday.\nThe cat sleeps on Sunday.\nSo the answer is (C).", right: right) == nil
        )
        #expect(kind("Nobody knows.\nIt depends.\nSo the answer is (C).", right: right) == .littleOverlap)
    }
}
