import PracticeDomain
import Reasoning
import Schemas
import Teaching
import Testing

@Suite("Mistakes of the simulated teacher")
struct MistakeTests {
    /// The patterns that the teacher finds in its own corruptions of problems' solutions.
    private func patterns(_ problems: [Problem], slips: SlipMix) throws -> [String: Int] {
        let teacher = SimulatedTeacher(seed: 1, slips: slips)
        func ask(_ request: TeacherRequest) throws -> String {
            teacher.reply(
                to: try request.messages(),
                temperature: 0.2,
                sampleSeed: 1
            )
        }
        var counts: [String: Int] = [:]
        for problem in problems {
            let right = try ask(.rectify(question: problem.question, answer: problem.answer))
            let wrong = try ask(.corrupt(question: problem.question, chain: right))
            let reply = try ask(.classifyMistake(question: problem.question, right: right, wrong: wrong))
            #expect(reply.hasPrefix("<Rationale>"))
            counts[try MistakePattern.parse(reply).name, default: 0] += 1
        }
        return counts
    }

    private func gentle(_ count: Int) throws -> [Problem] {
        try ProblemGenerator(seed: 9, difficulty: .gentle).generate(count: count, split: .train)
    }

    @Test("each pure pattern comes of at least 15 % of 1,000 gentle problems, and mixes of some")
    func shares() throws {
        let counts = try patterns(gentle(1_000), slips: SlipMix())
        print("mistakes: \(counts.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" })")
        for name in ["logical", "knowledge", "calculation"] { #expect(counts[name, default: 0] >= 150, "\(name)") }
        let mixes = counts.filter { $0.key.contains("+") }.values.reduce(0, +)
        #expect((20...250).contains(mixes))
        #expect(counts["other", default: 0] < 20)
    }

    @Test("a slip of one kind alone is recognised as that kind from the texts")
    func pure() throws {
        let problems = try gentle(300)
        #expect(
            try patterns(problems, slips: SlipMix(logical: 1, knowledge: 0, calculation: 0, second: 0))
                == ["logical": 300]
        )
        #expect(
            try patterns(problems, slips: SlipMix(logical: 0, knowledge: 0, calculation: 1, second: 0))
                == ["calculation": 300]
        )
        // Stories without a law leave no place for a slip of knowledge: their result alone is misstated, which shows as
        // one of calculation.
        let knowledge = try patterns(problems, slips: SlipMix(logical: 0, knowledge: 1, calculation: 0, second: 0))
        let rest = 300 - knowledge["knowledge", default: 0] - knowledge["calculation", default: 0]
        #expect(rest <= 3, "\(knowledge)")
        #expect(knowledge["knowledge", default: 0] > 90)
        print(
            "mistakes: of 300 gentle problems \(knowledge["knowledge", default: 0]) have a place for one of knowledge"
        )
    }

    @Test("the kinds are told apart in chains written by hand")
    func byHand() throws {
        let teacher = SimulatedTeacher(seed: 1)
        let question =
            "Anna makes 3 toys each day. Anna works for 4 days. Ben makes 2 more toys in all than Anna. "
            + "How many toys does Ben make in all?"
        let right = "Anna makes 3*4=12 toys in all.\nBen makes 12+2=14 toys in all.\nThe answer is 14."
        for (wrong, name) in [
            ("Anna makes 3+4=7 toys in all.\nBen makes 7+2=9 toys in all.\nThe answer is 9.", "knowledge"),
            ("Anna makes 3*4=12 toys in all.\nBen makes 12-2=10 toys in all.\nThe answer is 10.", "logical"),
            ("Anna makes 3*5=15 toys in all.\nBen makes 15+2=17 toys in all.\nThe answer is 17.", "logical"),
            ("Anna makes 3*4=13 toys in all.\nBen makes 13+2=15 toys in all.\nThe answer is 15.", "calculation"),
            ("Anna makes 3+4=7 toys in all.\nBen makes 7-2=5 toys in all.\nThe answer is 5.", "logical+knowledge"),
            ("Anna makes 3+4=7 toys in all.\nBen makes 7+2=8 toys in all.\nThe answer is 8.", "knowledge+calculation"),
            ("Anna makes 3*4=12 toys in all.\nThe answer is 12.", "logical"),
            ("Anna makes 3*4=12 toys in all.\nBen makes 12+2=14 toys in all.\nThe answer is 15.", "other"),
        ] {
            let request = TeacherRequest.classifyMistake(question: question, right: right, wrong: wrong)
            let messages = try request.messages()
            let reply = teacher.reply(to: messages, temperature: 0, sampleSeed: 0)
            #expect(try MistakePattern.parse(reply).name == name, "\(wrong) \(reply)")
        }
    }

    @Test("an error rate of 1.35 at temperature 0.2 gives the paper's 27 % of wrong chains")
    func errorRate() throws {
        let problems = try gentle(1_000)
        for (rate, expected) in [(0.5, 0.10), (1.35, 0.27)] {
            let teacher = SimulatedTeacher(seed: 4, errorRate: rate)
            var wrong = 0
            for problem in problems {
                let messages = try TeacherRequest.chainOfThought(question: problem.question).messages()
                let reply = teacher.completion(of: messages, temperature: 0.2, seed: 7, maximumTokens: nil).text
                if AnswerExtraction.extract(reply) != problem.answer { wrong += 1 }
            }
            print("mistakes: error rate \(rate) at 0.2 gives \(wrong) wrong of 1000")
            // Four standard errors of a share of 1,000.
            #expect(abs(Double(wrong) / 1_000 - expected) < 0.06)
        }
    }

    @Test("the yields of a run over gentle problems add up")
    func yields() async throws {
        let ledger = InProcessTeacherTests.ledger(errorRate: 1.35)
        let pipeline = TeachingPipeline(ledger: ledger)
        var yields = TeachingYields()
        for problem in try InProcessTeacherTests.problems(200) {
            for trace in try await pipeline.traces(of: problem) { yields.add(trace) }
        }
        print("mistakes: yields \(yields.lines) \(yields.patterns)")
        #expect(yields.chains.asked == 200)
        #expect(yields.chains.verified + yields.wrongChains == 200)
        #expect(yields.rectified.asked == yields.wrongChains)
        #expect(yields.rectified.verified + yields.corrupted.verified == 200)
        #expect(yields.templates.stage.share == 1)
        #expect(yields.templates.byRounds == [1: 200])
        #expect(yields.mistakes.values.reduce(0, +) == 200)
        #expect(yields.mistakesByTeacher == 200)
        #expect(yields.calls > 800)
    }
}
