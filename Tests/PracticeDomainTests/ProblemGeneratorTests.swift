import DataSupport
import Foundation
import Reasoning
import Schemas
import Testing

@testable import PracticeDomain

@Suite("The problem generator")
struct ProblemGeneratorTests {
    @Test("every family yields solvable problems of every length", arguments: ProblemFamily.allCases)
    func families(family: ProblemFamily) throws {
        let problems = try ProblemGenerator(seed: 5, families: [family]).generate(count: 90, split: .train)
        #expect(problems.count == 90)
        #expect(Set(problems.map(\.question)).count == 90)
        for problem in problems {
            let solution = WorkedSolution.parse((problem.solution ?? "") + "\n#### " + problem.answer)
            #expect(solution.isArithmeticRight)
            #expect(solution.steps.count == problem.steps)
            #expect(solution.steps.last?.calculations.last?.value == problem.answer)
            #expect(Int(problem.answer).map { (1...9_999).contains($0) } == true)
            #expect(problem.family == family.rawValue)
            #expect(!problem.question.contains("{"))
        }
        #expect(Set(problems.compactMap(\.steps)) == [2, 3, 4])
    }

    @Test("the same seed gives the same problems, another seed others")
    func seeds() throws {
        let first = try ProblemGenerator(seed: 1).generate(count: 50, split: .test)
        #expect(try ProblemGenerator(seed: 1).generate(count: 50, split: .test) == first)
        #expect(try ProblemGenerator(seed: 2).generate(count: 50, split: .test) != first)
    }

    @Test("splits share no problem, not even under other names")
    func splits() throws {
        var owner: [String: ProblemSplit] = [:]
        for split in ProblemSplit.allCases {
            for seed in 1...3 {
                for problem in try ProblemGenerator(seed: UInt64(seed)).generate(count: 200, split: split) {
                    let content = StoryBuilder.anonymous(problem.question)
                    #expect(owner[content] ?? split == split)
                    #expect(ProblemSplit.of(content: content) == split)
                    owner[content] = split
                }
            }
        }
    }

    @Test("gentle problems stay within their knobs and share no problem between splits")
    func gentle() throws {
        let knobs = ProblemGenerator.Difficulty.gentle
        let generator = ProblemGenerator(seed: 4, difficulty: knobs)
        var owner: [String: ProblemSplit] = [:]
        var words: Set<String> = []
        for split in ProblemSplit.allCases {
            for problem in try generator.generate(count: 200, split: split) {
                let content = StoryBuilder.anonymous(problem.question)
                #expect(owner.updateValue(split, forKey: content) ?? split == split)
                let text = problem.question + " " + (problem.solution ?? "")
                let numbers = AnswerExtraction.numbers(in: text).compactMap { Int($0) }
                #expect(numbers.allSatisfy { $0 <= knobs.largestNumber })
                #expect(problem.family.flatMap(ProblemFamily.init).map(knobs.families.contains) == true)
                #expect(problem.steps.map(knobs.stepRange.contains) == true)
                words.formUnion(SentencePattern.words(of: text).filter { !$0.contains(where: \.isNumber) })
            }
        }
        #expect(words.count < 100, "\(words.count) words")
    }

    @Test("a difficulty without inversions tells what is sought first")
    func inversions() throws {
        for problem in try ProblemGenerator(seed: 6, difficulty: .gentle).generate(count: 100, split: .train) {
            #expect(!problem.question.contains("Compared with") && !problem.question.contains("ogether, "))
            #expect(!problem.question.contains("would"))
        }
    }

    @Test("the vocabulary stays small and all four operations occur")
    func vocabulary() throws {
        let problems = try ProblemGenerator(seed: 9).generate(count: 1_500, split: .train)
        let words = Set(problems.flatMap { SentencePattern.words(of: $0.question + " " + ($0.solution ?? "")) })
            .filter { !$0.contains(where: \.isNumber) }
        #expect(words.count < 350, "\(words.count) words")
        let marks = problems.compactMap(\.solution).joined()
        for sign in ["+", "-", "*", "/"] { #expect(marks.components(separatedBy: sign).count > 300) }
    }
}
