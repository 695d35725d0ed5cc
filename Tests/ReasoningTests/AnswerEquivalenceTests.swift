import DataSupport
import Foundation
import Testing

@testable import Reasoning

/// A gold and a predicted answer, and whether they are the same.
struct LabelledAnswer: Decodable, CustomStringConvertible {
    let gold: String
    let pred: String
    let equal: Bool
    let policy: GradingPolicy?
    /// Whether the two may not change places.
    let oneWay: Bool?
    /// Of others' files: whether the answer is to be found in the prediction, or in both.
    let kind: String?

    static func read(_ file: URL) throws -> [Self] {
        try TestData.lines(file).map { try JSONDecoder().decode(Self.self, from: Data($0.utf8)) }
    }

    var description: String { "\(gold) | \(pred) | \(equal) | \(policy?.rawValue ?? "standard")" }
}

@Suite("Equivalence of answers")
struct AnswerEquivalenceTests {
    private static func isEqual(_ gold: String, _ predicted: String, _ policy: GradingPolicy = .standard) -> Bool {
        AnswerEquivalence.equivalent(gold: gold, predicted: predicted, policy: policy)
    }

    @Test("every pair of the project's own list is judged as its label says, in both directions")
    func pairs() throws {
        let pairs = try LabelledAnswer.read(TestData.own("answers.jsonl"))
        #expect(pairs.count(where: \.equal) > 350 && pairs.count { !$0.equal } > 250)
        for pair in pairs {
            let policy = pair.policy ?? .standard
            #expect(Self.isEqual(pair.gold, pair.pred, policy) == pair.equal, "\(pair)")
            if pair.oneWay != true {
                #expect(Self.isEqual(pair.pred, pair.gold, policy) == pair.equal, "turned: \(pair)")
            }
        }
    }

    @Test("every answer of the list is itself, however it is wrapped", arguments: GradingPolicy.allCases)
    func reflexive(policy: GradingPolicy) throws {
        for pair in try LabelledAnswer.read(TestData.own("answers.jsonl")) {
            for answer in [pair.gold, pair.pred] where !answer.trimmed.isEmpty {
                #expect(Self.isEqual(answer, answer, policy), "\(answer)")
                #expect(Self.isEqual(answer, "  \(answer)\n", policy), "\(answer)")
                // A box ends where its braces are even.
                guard !answer.contains("$"), !answer.contains("boxed"), !answer.contains("<"), !answer.hasPrefix("]"),
                    !answer.hasSuffix("\\")
                else { continue }
                #expect(Self.isEqual(answer, "\\boxed{\(answer)}", policy), "boxed: \(answer)")
            }
        }
    }

    @Test("what standard refuses strict refuses, and what strict takes standard takes")
    func policies() throws {
        for pair in try LabelledAnswer.read(TestData.own("answers.jsonl"))
        where Self.isEqual(pair.gold, pair.pred, .strict) {
            #expect(Self.isEqual(pair.gold, pair.pred), "\(pair)")
            #expect(Self.isEqual(pair.gold, pair.pred, .qwen), "\(pair)")
        }
    }

    @Test(
        "a verdict names the rule, the policy and the grader's version",
        arguments: [
            ("18", "18.0", GradingRule.number, true), ("18", "19", .number, false), ("1/3", "0.33", .rounding, true),
            ("40\\%", "0.4", .percent, true), ("2x+3", "3+2x", .expression, true), ("2x+3", "3+3x", .expression, false),
            ("(B)", "B", .option, true), ("(B)", "C", .option, false), ("1, 2", "2, 1", .list, true),
            ("(1, 2)", "(1, 2.0)", .tuple, true), ("\\{1, 2\\}", "\\{2, 1\\}", .set, true),
            ("[0,1)", "0 \\le x < 1", .interval, true),
            ("[0,1)", "[0,1]", .tuple, false), ("x+y=1", "2x+2y=2", .equation, true),
            ("x+y<1", "1>y+x", .inequality, true),
            ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "(1,2)", .matrix, true), ("1:2", "2:4", .ratio, true),
            ("3:30", "3:30 pm", .time, true), ("a red kite", "red kite", .text, true),
            ("Paris", "London", .text, false),
            ("5", "Paris", .kind, false), ("", "5", .missing, false), ("5a]", "5a]", .identical, true),
        ]
    )
    func rules(gold: String, predicted: String, rule: GradingRule, isCorrect: Bool) {
        let verdict = Grader().verdict(gold: gold, predicted: predicted)
        #expect(verdict.rule == rule && verdict.isCorrect == isCorrect)
        #expect(verdict.policy == .standard && verdict.graderVersion == Grader.version)
    }

    // MARK: Numbers in random spellings

    /// A fraction, written in one of the ways in which people write it; `bare` is without units, of which two may differ.
    private static func spelling(_ top: Int, _ bottom: Int, bare: Bool, _ random: inout ReasoningRandom) -> String {
        let size = abs(top)
        let minus = top < 0 ? random.pick(["-", "\u{2212}", "- "]) ?? "-" : ""
        let factor = random.integer(1...9)
        var forms = [
            "\(minus)\\frac{\(size)}{\(bottom)}", "\(minus)\(size)/\(bottom)", "\\frac{\(minus)\(size)}{\(bottom)}",
            "$\(minus)\\dfrac{\(size * factor)}{\(bottom * factor)}$", "\\boxed{\(minus)\(size)/\(bottom)}",
            "\(minus)\(size) \\div \(bottom)",
            "x = \(minus)\(size)/\(bottom)",
        ]
        if !bare { forms.append("\\frac{\(minus)\(size)}{\(bottom)} \\text{ cm}") }
        if size > bottom, size % bottom != 0 {
            forms.append("\(minus)\(size / bottom) \(size % bottom)/\(bottom)")
            forms.append("\(minus)\(size / bottom)\\frac{\(size % bottom)}{\(bottom)}")
        }
        if 10_000 % bottom == 0 {
            let scaled = size * (10_000 / bottom)
            let tail = String(String(scaled % 10_000 + 10_000).dropFirst())
            forms += [
                "\(minus)\(scaled / 10_000).\(tail)", "\(minus)\(scaled)e-4", "\(minus)\(scaled) \\times 10^{-4}",
            ]
        }
        if bottom == 1 {
            forms.append("\(minus)\(size)")
            if !bare { forms += ["\(minus)$\(size).00", "\(minus)\(size)\\%", "\(minus)\(size) apples"] }
            if size >= 10_000 {
                let head = size / 1_000
                let tail = String(String(size % 1_000 + 1_000).dropFirst())
                forms += [",", "{,}", "\\,", " ", ",\\!", "\u{202F}", "\\ "].filter { head < 1_000 || $0.isEmpty }.map {
                    "\(minus)\(head)\($0)\(tail)"
                }
            }
        }
        return random.pick(forms) ?? "\(top)/\(bottom)"
    }

    @Test(
        "two spellings of one fraction are equal and those of two fractions are not, under every policy that is exact"
    )
    func spellings() {
        var random = ReasoningRandom(seed: 7)
        for _ in 0..<4_000 {
            let bottom = random.pick([1, 1, 2, 3, 4, 5, 7, 8, 12, 16, 25, 99]) ?? 1
            let top = (random.chance(0.3) ? -1 : 1) * random.integer(1...(random.chance(0.2) ? 900_000 : 300))
            let other = top + (random.chance(0.5) ? 1 : -1) * random.integer(1...3)
            let a = Self.spelling(top, bottom, bare: false, &random)
            let b = Self.spelling(top, bottom, bare: true, &random)
            #expect(Self.isEqual(a, b), "\(a) and \(b)")
            let c = other == 0 ? "0" : Self.spelling(other, bottom, bare: true, &random)
            let isPercent = a.contains("%") != c.contains("%")
            #expect(!Self.isEqual(a, c) || isPercent && other * 100 == top, "\(a) and \(c)")
        }
    }

    @Test("long numbers are compared to the last digit")
    func longNumbers() {
        var random = ReasoningRandom(seed: 8)
        for length in [20, 60, 200, 600, 1_000] {
            let digits = "7" + (1..<length).map { _ in String(random.integer(0...9)) }.joined()
            let last = digits.hasSuffix("1") ? "2" : "1"
            #expect(Self.isEqual(digits, "\\text{\(digits)}"))
            #expect(Self.isEqual(digits, digits + ".0"))
            #expect(!Self.isEqual(digits, digits.dropLast() + last))
            #expect(!Self.isEqual("x+\(digits)", "x+" + digits.dropLast() + last))
        }
    }

    @Test("polynomials are the same where they are expanded, and differ by any coefficient")
    func polynomials() {
        var random = ReasoningRandom(seed: 9)
        for _ in 0..<300 {
            let roots = (0..<random.integer(2...5)).map { _ in random.integer(-9...9) }
            var coefficients = [1]
            for root in roots {
                var next = [Int](repeating: 0, count: coefficients.count + 1)
                for (power, value) in coefficients.enumerated() {
                    next[power + 1] += value
                    next[power] -= root * value
                }
                coefficients = next
            }
            func text(_ coefficients: [Int]) -> String {
                coefficients.enumerated().reversed().map { "(\($0.element))x^{\($0.offset)}" }.joined(separator: "+")
            }
            let product = roots.map { $0 < 0 ? "(x+\(-$0))" : "(x-\($0))" }.joined()
            #expect(Self.isEqual(product, text(coefficients)))
            let place = random.integer(0...(coefficients.count - 1))
            coefficients[place] += 1
            #expect(!Self.isEqual(product, text(coefficients)))
        }
    }
}
