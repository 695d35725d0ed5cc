import DataSupport
import Testing

@testable import Reasoning

@Suite("Mentions of a reference")
struct LeakFilterTests {
    @Test(
        "who was given a solution, an answer or a hint says so in many ways",
        arguments: [
            "According to the reference solution, 5.", "The given answer is 5.", "ground truth",
            "This agrees with the ground-truth value.", "According to the hint, it is 72.",
            "As the hint says, it is 72.",
            "Based on the hint we add.", "Using the provided hint, add.", "From the hint we see that it is 72.",
            "We know the correct answer is 72.", "We know that the right answer is 72, so we add.",
            "I already know the correct answer.", "Since the correct answer is 72, we add.",
            "Given that the answer is 72, we add 24.", "Since the answer is 72, add.",
            "Knowing the correct answer, we add.",
            "We know the answer is 72, so we add.", "As given in the reference, it is 72.",
            "as stated in the reference solution", "The reference says 72.", "This matches the reference.",
            "As shown in the solution, we add.", "According to the solution, we add.", "As the solution shows, we add.",
            "According to the given solution, 20% of 50 is 10.", "The worked solution adds first.",
            "The given solution multiplies first.", "The provided correct solution is right.",
            "The model solution says 5.", "The sample answer is 5.", "The official answer is 5.",
            "This matches the expected answer.", "which matches the correct answer", "It leads to the provided answer.",
            "The answer is given as 72.", "We are told the answer is 72.", "We were given the correct answer.",
            "You gave me the answer.", "According to the answer key, it is C.", "The gold answer is 5.",
            "The hint is 72.", "This is to arrive at the correct answer of 72.", "As we see from the solution, add.",
            "It should be the stated answer.", "The answer must be 72 as given.",
            "Because the correct answer is B, add.",
            "The solution provided adds first.", "The answer was given to us.", "The known solution adds them.",
            "<Key>The student\u{2019}s step differs from the reference solution.</Key>",
        ]
    )
    func leaks(text: String) { #expect(LeakFilter.mentionsReference(text)) }

    @Test(
        "what a problem is about is no reference",
        arguments: [
            "Tom has 5 pens.", "The answer is 5.", "The correct answer is 5.", "So we know the answer is 5.",
            "Now we know that the answer is 5.", "The given solution is 20 % salt.", "The given solution is 20% salt.",
            "The provided solution contains 5 g of salt.",
            "He pours a solution of salt into the known solution of sugar.",
            "The sample answered 20 questions.", "The model car costs 5 dollars.", "The sample solution has 3 liters.",
            "She is a model and answers 20 letters.", "The model answers 20 questions an hour.",
            "He had given answers to 5 questions.", "The answers given by the class are 5.",
            "A reference book costs 5 dollars.", "They meet at the reference point.",
            "From the reference desk she takes 3.",
            "A hint of vanilla is added.", "With the hint of lemon it costs 5.", "The official answered 3 calls.",
            "The gold coin is worth 5.", "The golden ring weighs 3 g.", "She gave the correct answer 12 times.",
            "To get the correct answer, convert the units first.", "The answer must be a whole number.",
            "Since the answer must be a whole number, round up.", "Since the final answer is asked in cents, multiply.",
            "The answer is given in dollars.", "The given number is 5.", "The provided 5 apples are eaten.",
            "Choose from the given answer choices.", "The ground is 5 m long.", "True or false?",
            "The actual cost is 5.", "Check the answer by putting it in.", "In the given triangle, add the angles.",
            "Because the correct answer is worth 5 points, she has 20.", "Since the actual result is 5 more, add.",
            "As the solution cools, it loses 5 degrees.", "We are given the result of the vote.",
            "He uses the hint 3 times.", "In the reference frame of the train it moves.",
            "Hence we know the final answer is 5.",
            "The teacher gives 3 hints.", "We are given that x is 5.", "We are told that the solution is 20% acid.",
            "The sample has 5 items.", "An official model costs 3.", "The solution is x = 5.",
        ]
    )
    func harmless(text: String) { #expect(!LeakFilter.mentionsReference(text)) }
}

@Suite("Mentions of a reference in texts of others", .external)
struct ExternalLeakFilterTests {
    @Test("no gold solution of GSM8K is called a leak")
    func gold() throws {
        let problems = try TestData.lines(TestData.external("gsm8k/train.jsonl")).map { try GSM8K.parse(line: $0) }
        #expect(problems.count == 7_473)
        let called = problems.filter { LeakFilter.mentionsReference($0.solution ?? "") }
        #expect(called.isEmpty, "\(called.prefix(5).map { $0.solution ?? "" })")
        let questions = problems.count { LeakFilter.mentionsReference($0.question) }
        print("leaks: \(questions) of \(problems.count) questions would be called one")
    }
}
