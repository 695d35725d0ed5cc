import DataSupport
import Foundation
import Testing

@testable import Reasoning

@Suite("Arithmetic")
struct ArithmeticTests {
    @Test(
        "expressions as people type them",
        arguments: [
            ("2+3*4", "14"), ("(2+3)*4", "20"), ("12 x 3", "36"), ("6 \u{F7} 4", "1.5"), ("$1,200 * 20%", "240"),
            ("10 \u{2212} 4", "6"), ("-3+5", "2"), (".5*8", "4"), ("1/3", "1/3"), ("((((1))))", "1"), ("1 1/2", "1.5"),
            ("2(3+4)", "14"), ("2^3", "8"), ("2**3", "8"), ("5\u{B2}", "25"), ("\\frac{1}{2} \\times 6", "3"),
            ("\\frac12", "0.5"),
            ("3!", "6"), ("\\sqrt{16}", "4"), ("1\\frac{1}{2}", "1.5"), ("2\u{BD}", "2.5"), ("80 000 / 2", "40000"),
            ("1{,}000 + 1", "1001"), ("2^{-1}", "0.5"), ("1.5e3", "1500"), ("-2^2", "-4"), ("2^3^2", "512"),
            ("20x8", "160"),
        ]
    )
    func evaluates(expression: String, value: String) {
        #expect(Arithmetic.evaluate(expression)?.description == value)
    }

    @Test(
        "nonsense is nil",
        arguments: [
            "", "1+", "a", "1/0", "(1", "9999999999999999999*9", "1 2", "3+*2", String(repeating: "(", count: 390),
            "2x", "f(2)",
            "0900-1", "1.2.3", "2^1000", "21!", "\\sqrt{2}", "\\frac{1}", "1 = 1", "5 apples", "|3|", "0^{-1}", "\\pi",
            "%",
            String(repeating: "-", count: 390) + "1", String(repeating: "2^", count: 190) + "2",
        ]
    )
    func refuses(expression: String) { #expect(Arithmetic.evaluate(expression) == nil) }

    @Test("calculations are found in running text, with their places")
    func scanning() throws {
        let line = "So 5 boxes cost $5 x 2 = $10, then 10 + 4 = 14 or 15/4 = 3.75 each."
        let found = CalculationScanner.scan(line)
        #expect(found.map(\.calculation.value) == ["10", "14", "3.75"])
        #expect(found.map(\.calculation.expression) == ["$5 x 2", "10 + 4", "15/4"])
        #expect(found.allSatisfy { $0.calculation.isCorrect == true })
        let scalars = Array(line.unicodeScalars)
        for calculation in found {
            #expect(String(String.UnicodeScalarView(scalars[calculation.valueRange])) == calculation.calculation.value)
            #expect(Arithmetic.evaluate(calculation.calculation.expression) == calculation.exact)
        }
    }

    private static func isRefused(_ line: String) -> Bool {
        WorkedSolution.calculations(in: line).contains { $0.isCorrect == false }
    }

    @Test(
        "what is right, or cannot be read whole, is not refused",
        arguments: [
            "x^2 + 3 = 7",
            "10x + 2 = 52",
            "f(2) + 3 = 7",
            "17 mod 5 + 1 = 3",
            "x^2 - 5x + 6 = 0",
            "1 1/2 = 1.5",
            "2(3+4) = 14",
            "2^3 + 1 = 9",
            "5 feet + 6 inches = 66 inches",
            "20% of 50 = 10",
            "20% of 50 + 3 = 13",
            "$1.5 million + $0.5 million = $2 million",
            "0.1 + 0.2 = 0.3",
            "\\frac{1}{2} + \\frac{1}{4} = \\frac{3}{4}",
            "3 \\times 4 = 12",
            "3 \\cdot 4 = 12",
            "12 \\div 4 = 3",
            "$x_1 + 3 = 7$",
            "a = 3 + 4 = 7",
            "3 + 4 = 7 * 2 = 14",
            "10/3 = 3.33",
            "10 / 3 ≈ 3.3",
            "2/3 = 0.67",
            "17 / 5 = 3 remainder 2",
            "17 / 5 = 3 R 2",
            "There are 17 / 5 = 3 full boxes.",
            "The ratio is 3:4 + 1 = 5",
            "At 6:00+48=6:48",
            "2024-05-12 + 3 = 15",
            "3! + 1 = 7",
            "5! = 120",
            "\\sqrt{16} + 1 = 5",
            "√16 + 1 = 5",
            "2**3 + 1 = 9",
            "5² + 1 = 26",
            "|3 - 5| + 1 = 3",
            "gcd(4, 6) + 1 = 3",
            "sin 30 * 2 = 1",
            "log_2 8 + 1 = 4",
            "(1, 2) + (3, 4) = (4, 6)",
            "1 + 2 + ... + 10 = 55",
            "\\sum_{i=1}^{3} i + 1 = 7",
            "2 and 1/2 + 1/2 = 3",
            "3 1/2 + 1/2 = 4",
            "½ + ¼ = ¾",
            "1½ + ½ = 2",
            "half of 20 + 5 = 15",
            "twice 5 + 3 = 13",
            "3 times 4 + 2 = 14",
            "25 * 4 = $1",
            "30 + 30 = 1 hour",
            "9 + 5 = 2 PM",
            "5 + 4 = 12 in base 7",
            "8 + 7 = 1111 in binary",
            "2 + 2 = 10_4",
            "12/24 = 50%",
            "100 - 20% = 80",
            "100% - 40% = 60%",
            "1/3 = 0.333...",
            "1/3 = 0.\\overline{3}",
            "\\binom{5}{2} + 1 = 11",
            "5C2 + 1 = 11",
            "C(5,2) = 10",
            "60 / 3/4 = 80",
            "$80 000 x 20/100 = $16 000",
            "5 thousand * 3 = 15,000",
            "losses are 5 thousand, so 5 * 3 = $15,000",
            "3 dozen + 4 = 40",
            "-2^2 = -4",
            "(-2)^2 = 4",
            "-2^2 = 4",
            "6/2(1+2) = 9",
            "6/2(1+2) = 1",
            "n! / (n-1)! = n",
            "5 + 3 = 8 - x",
            "5 + 3 = 2y",
            "12 apples - 5 apples = 7 apples",
            "120 books - 20 - 30 = 70",
            "\\[ 3 \\times 4 = 12 \\]",
            "$3 \\times 4 = 12$ apples",
            "3 × 4 = **12**",
            "**3 × 4 = 12**",
            "*3 * 4 = 12*",
            "- 3 * 4 = 12",
            "- 3 + 4 = 7",
            "1. 3 + 4 = 7",
            "1) 3 + 4 = 7",
            "Step 2: 3 + 4 = 7",
            "on day 1 * 2 = 20",
            "(5 + 3 = 8)",
            "5 + (3 = 8",
            "3 + 4 = ?",
            "3 + 4 = 7?",
            "3 4 + 1 = 35",
            "3.14 * 2^2 = 12.56",
            "\\pi * 2^2 = 12.57",
            "1e3 + 1 = 1001",
            "2 x 10^3 = 2000",
            "2 \\times 10^{3} = 2000",
            "10^{-2} = 0.01",
            "4^(1/2) = 2",
            "3 + 4 \\equiv 2 \\pmod 5",
            "3 + 4 = 2 (mod 5)",
            "A + B = 5 + 3 = 8",
            "2x = 10, x = 10 / 2 = 5",
            "x = (10 - 2) / 2 = 4",
            "y = 3(2) + 1 = 7",
            "f(x) = 2x + 1, f(3) = 2(3) + 1 = 7",
            "3/4 = 45 minutes",
            "sum of 3 + 4 and 5 = 12",
            "45 * 0,2 = 9",
            "10,5 + 2 = 12,5",
            "14, 400 / 80 = 180",
            "16/100 * 200 = 32%",
            "P(A) + P(B) = 0.5 + 0.25 = 0.75",
            "3 @ 4 = 7",
            "5 # 3 + 1 = 9",
            "7 - 10 = -3",
            "7 \u{2212} 10 = \u{2212}3",
            "(3 + 4) × (2 + 1) = 21",
            "[3 + 4] * 2 = 14",
            "\\left(3 + 4\\right) \\cdot 2 = 14",
            "\\dfrac{12}{4} = 3",
            "\\frac12 + \\frac12 = 1",
            "1{,}000 + 500 = 1{,}500",
            "2 hours * 60 = 120 minutes",
            "$5/hour * 8 = $40",
            "$12 - $5 = $7.",
            "3 + 4 = 7, which is right",
            "&= 3 + 4 = 7 \\\\",
            "= 3 * 4 = 12",
            "Total: 3*4=12",
            "3+4=7 5+6=11",
            "M + 4 + 2 = 8",
            "x + 3 * 4 = 20",
            "2 * (x + 3) + 4 = 20",
            "(x + 3)2 + 4 = 20",
            "3(x) + 4 = 10",
            "the temperature is -5 + 3 = -2",
            "20% + 30% = 50",
            "8 * 5% = 40%",
            "7500/75% = 100",
            "0.5 * 100% = 50%",
            "9 + 10 = 19 (or 21)",
            "3 quarters + 1 = 4 quarters",
            "log 100 + 1 = 3",
            "7 over 2 + 1 = 4.5",
            "10 minus 2 * 3 = 4",
            "6 more than 2 * 3 = 12",
            "10 less than 5 * 6 = 20",
            "John's 5 + 3 = 8",
            "3 * 4 = 12°",
            "90° + 45° = 135°",
            "30 \\div 2^{2} = 7.5",
            "2^{3+1} = 16",
            "5 - - 3 = 8",
            "5 - (-3) = 8",
            "3 to the power of 2 + 1 = 10",
            "2 squared + 1 = 5",
            "1,5 + 2 = 3.5",
            "one 5 + 3 = 9",
            "two and a half + 3 = 5.5",
            "8 / 2 = 4 each, 4 + 1 = 5",
            "100 / 7 = 14.29",
            "100/7 = 14.285714",
            "100/7 = 14",
            "22/7 = 3.14",
            "14/4 = 3.5 ~ 4",
            "7/2 = 3.5 = 4",
        ]
    )
    func accepted(line: String) { #expect(!Self.isRefused(line)) }

    @Test(
        "what is surely wrong is refused",
        arguments: [
            "3 * 4 = 14",
            "2^3 + 1 = 10",
            "2(3+4) = 15",
            "\\frac{1}{2} + \\frac{1}{4} = \\frac{2}{4}",
            "12 - 5 = 8 apples",
            "So he has 12 - 5 = 8 apples left.",
            "She pays $5 x 3 = $16 in total",
            "Thus 100 / 4 = 24.",
            "3 × 4 = **14**",
            "**3 × 4 = 14**",
            "- 3 * 4 = 14",
            "1. 3 + 4 = 8",
            "1) 3 + 4 = 8",
            "Step 2: 3 + 4 = 8",
            "Step 2: He adds them: 3 + 4 = 8.",
            "(5 + 3 = 9)",
            "\\[ 3 \\times 4 = 14 \\]",
            "$3 \\times 4 = 14$ apples",
            "\\(3 \\cdot 4 = 14\\)",
            "3 \\times 4 = \\boxed{14}",
            "The total is 3 + 4 + 5 = 13 dollars.",
            "10/3 = 3.34",
            "2/3 = 0.5",
            "1/2 + 1/3 = 2/5",
            "20% * 50 = 1000",
            "100% - 40% = 50%",
            "50 * 20% = 100",
            "5! = 100",
            "√16 + 1 = 6",
            "5² + 1 = 27",
            "2**3 = 9",
            "12 - 15 = 3",
            "7 - 10 = 3",
            "1,000 + 500 = 1,600",
            "$1,200 / 4 = $400 a month",
            "3 + 4 = 7 * 2 = 15",
            "2 * (3 + 4) = 2 * 7 = 15",
            "2 * (3 + 4) = 2 * 6 = 12",
            "0.1 + 0.2 = 0.4",
            "1 1/2 + 1/2 = 3",
            "x = (10 - 2) / 2 = 5",
            "y = 3(2) + 1 = 8",
            "In total, 15 + 6 = 22 cookies.",
            "because 10 x .5 = 10",
            "each day 3 * 4 = 14",
            "8/24 = 3",
            "5 + 3 = 8 - 2 = 7",
            "a) 5 + 3 = 9",
            "The cost of 3 pens is 3 * 2 = 7 dollars",
            "20 - 8 = 11 so 11 + 3 = 14",
            "3+4=8, which is right",
            "He paid 3*4=$13.",
            "He needs 6 * 7 = 44 more eggs",
            "6 * 7 = 44 + 0",
            "\\frac{12}{4} = 4",
            "\\dfrac{3}{4} \\times 8 = 7",
            "10 \u{2212} 4 = 5",
            "12 ÷ 4 = 4",
            "(3 + 4) × (2 + 1) = 20",
            "5 - (-3) = 2",
            "16 / 2 / 2 = 16",
            "3.5 * 2 = 8",
            "There are 7 days in a week, so 7 * 2 = 15 days",
            "The area is 4 * 5 = 21 square feet",
            "1/3 = 0",
        ]
    )
    func refused(line: String) { #expect(Self.isRefused(line)) }

    @Test(
        "a calculator mark is refused where the text behind it does not save it",
        arguments: [
            ("He has 5 * 4 = <<5*4=20>>20.", false), ("He has 5 * 4 = <<5*4=21>>21.", true), ("<<x+2=5>>", false),
            ("It is 8 * 5% = <<8*5%=40>>40% in all", false), ("She has <<2.50-2.24=26>>26 cents", false),
            ("so <<100-40=60>>60% remain", false), ("<<3*4=14>>14 and <<3*4=12>>12", true),
        ]
    )
    func marks(line: String, isRefused: Bool) { #expect(Self.isRefused(line) == isRefused) }

    // MARK: Random calculations

    /// A calculation with whole operands, spelt in one of many ways, and its exact value.
    private static func calculation(_ random: inout ReasoningRandom) -> (text: String, value: Rational) {
        let style = random.integer(0...3)
        func sign(_ plain: Character) -> String {
            switch (plain, style) {
            case ("*", 0): " * "
            case ("*", 1): " x "
            case ("*", 2): " \\times "
            case ("*", _): "\u{D7}"
            case ("/", 2): " \\div "
            case ("/", 3): " \u{F7} "
            case ("-", 3): " \u{2212} "
            default: " \(plain) "
            }
        }
        func number(_ value: Int) -> String {
            let grouped = style == 0 && value >= 1_000
            return grouped ? "\(value / 1_000)," + String("\(1_000 + value % 1_000)".dropFirst()) : "\(value)"
        }
        let a = random.integer(1...3_000)
        let b = random.integer(2...60)
        let c = random.integer(2...40)
        func value(_ result: Int) -> Rational { Rational(result) }
        switch random.integer(0...7) {
        case 0: return (number(a) + sign("+") + number(b), value(a + b))
        case 1: return (number(a) + sign("-") + number(b), value(a - b))
        case 2: return (number(b) + sign("*") + number(c), value(b * c))
        case 3: return (number(b * c) + sign("/") + number(c), value(b))
        case 4: return ("(" + number(a) + sign("+") + number(b) + ")" + sign("*") + number(c), value((a + b) * c))
        case 5: return (number(a) + sign("+") + number(b) + sign("*") + number(c), value(a + b * c))
        case 6: return (number(c) + "(\(number(b)) + 3)", value(c * (b + 3)))
        default: return ("\(c)^2 + \(b)", value(c * c + b))
        }
    }

    private static let settings = [
        "{} = []", "So {} = [].", "He needs {} = [] apples.", "In total, {} = $[]", "- {} = []", "2. {} = [] pens",
        "Thus **{} = []**.",
        "$ {} = [] $", "\\[ {} = [] \\]", "\\( {} = \\boxed{[]} \\)", "Step 3: they get {} = [].", "x = {} = []",
        "The total cost is {} = [] crowns, which she pays.", "(That is {} = [].)", "so {} = []; done",
        "{} = **[]** sheep",
        "First, {} = [] pages \u{2014} a lot.", "a) {} = []",
    ]

    @Test("of random calculations in many spellings no right one is refused and every wrong one is")
    func random() {
        var random = ReasoningRandom(seed: 11)
        for round in 0..<20_000 {
            let (text, value) = Self.calculation(&random)
            let setting = Self.settings[round % Self.settings.count].replacing("{}", with: text)
            // A bullet may be a minus: a slip below nought might be right then.
            let isDown = random.chance(0.5) && !setting.hasPrefix("-")
            guard let wrong = value.adding(Rational((isDown ? -1 : 1) * random.integer(1...9))) else { continue }
            let right = setting.replacing("[]", with: value.description)
            let slip = setting.replacing("[]", with: wrong.description)
            #expect(!Self.isRefused(right), "\(right)")
            #expect(Self.isRefused(slip), "\(slip)")
        }
    }

    @Test("what joins a calculation to something unread takes its refusal away")
    func unread() {
        var random = ReasoningRandom(seed: 12)
        let settings = [
            "x + {} = []", "3x - {} = []", "f(2) + {} = []", "5 feet + {} = []", "{} = []x", "{} = [] + y",
            "{} = [] mod 7",
            "{} = [] million", "20% of {} = []", "half of {} = []", "y^{} = []", "n * ({} = [])", "2 dozen + {} = []",
            "7:{} = []",
        ]
        for round in 0..<4_000 {
            let (text, value) = Self.calculation(&random)
            guard let wrong = value.adding(Rational(random.integer(1...9))) else { continue }
            let line = settings[round % settings.count].replacing("{}", with: text).replacing(
                "[]",
                with: wrong.description
            )
            #expect(!Self.isRefused(line), "\(line)")
        }
    }

    @Test("any soup of figures and signs is read, in seconds")
    func soup() {
        let pieces = [
            "1", "2.5", "1,000", "000", " ", "+", "-", "*", "**", "/", "=", "(", ")", "[", "]", "{", "}", "%", "$", "^",
            "!", "x",
            "and", "of", "\\frac", "\\sqrt", "\\", "\\text{", "\u{BD}", "\u{B2}", "e9", ".", ",", ":", "_", "<<", ">>",
            "\u{301}",
            "mod", "apples", "\u{1F1E9}", "\u{0}", "\u{221A}",
        ]
        var random = ReasoningRandom(seed: 13)
        for _ in 0..<5_000 {
            let text = (0..<random.integer(0...24)).compactMap { _ in random.pick(pieces) }.joined()
            _ = Arithmetic.evaluate(text)
            _ = WorkedSolution.calculations(in: text)
        }
        for piece in pieces + ["1=", "1+1=", "1 ", "1/", "-1", "2^", "1=1 "] {
            let text = String(repeating: piece, count: (1 << 15) / piece.utf8.count) + "=5"
            let time = processorTime { _ = WorkedSolution.calculations(in: text) }
            #expect(time < .seconds(2), "\(piece.debugDescription) took \(time)")
        }
    }
}
