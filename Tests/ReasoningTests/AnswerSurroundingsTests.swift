import Testing

@testable import Reasoning

@Suite("What stands around the last number of a text")
struct AnswerSurroundingsTests {
    @Test(
        "lists, signs, bounds, numbers in words and terms are no numbers alone",
        arguments: [
            ("So the point is (3,4).", "(3,4)"),
            ("so the point is (2, 3).", "(2, 3)"),
            ("Hence the set is {1,2,3}.", "{1,2,3}"),
            ("So the interval is (2, 5].", "(2, 5]"),
            ("So the interval is (5, \u{221E}).", "(5, \u{221E})"),
            ("#### 1,2 apples", "1,2"),
            ("The answer is 1,2 metres.", "1,2"),
            ("x = 1, 2, 3", "1, 2, 3"),
            ("so x = 1 or 3", "1 or 3"),
            ("The values are 2, 3", "2, 3"),
            ("2 - 5 = - 3", "-3"),
            ("x = \u{2212} 3", "-3"),
            ("It is \u{FF0D}40", "-40"),
            ("It is \u{2011}40", "-40"),
            ("It's minus 3", "-3"),
            ("The answer is negative 3 degrees.", "-3"),
            ("so the balance is - 40 dollars", "-40"),
            ("So the change is - $3.", "-3"),
            ("that makes $1 million.", "1 million"),
            ("So they sold 5 thousand.", "5 thousand"),
            ("So the area is 2\u{3C0}.", "2\u{3C0}"),
            ("The area is 2 pi square units.", "2 pi"),
            ("So the length is 2\u{221A}3.", "2\u{221A}3"),
            ("so the angle is 3\u{3C0}/4", "3\u{3C0}/4"),
            ("so the roots are \u{B1}2", "\u{B1}2"),
            ("so x > 5", "x > 5"),
            ("so x \u{2264} 5.", "x \u{2264} 5"),
            ("The range is $[0,1)$.", "[0,1)"), ("The roots are $0,1$.", "0,1"), ("The roots are $3,7$.", "3,7"),
            ("The point is $(3,7)$.", "(3,7)"), ("So we get $x^2+1$.", "x^2+1"),
            ("So the function is $f(x)=2x+3$.", "f(x)=2x+3"), ("The point is P (3, 4).", "(3, 4)"),
            ("The answer is 0,5.", "0,5"),
        ]
    )
    func surroundings(text: String, answer: String) {
        #expect(AnswerExtraction.extract(text) == answer)
    }

    @Test(
        "a remark in brackets at the end explains the number before it",
        arguments: [
            ("She has 72 clips (48 + 24).", "72"), ("There are 5 apples (2 red and 3 green).", "5"),
            ("So it takes 40 minutes (10 on foot, 30 by bus).", "40"), ("That is $12 (3 * 4 = 12).", "12"),
        ]
    )
    func remarks(text: String, answer: String) { #expect(AnswerExtraction.extract(text) == answer) }

    @Test(
        "what only looks so stays a number",
        arguments: [
            ("There are 3 bags (12 apples).", "12"), ("so it is 2 * (3 + 4)", "4"),
            ("It costs $5 and then $3.", "3"), ("He pays $5, or $6 with tax.", "6"),
            ("It is between $3x and $4 in all.", "4"), ("That makes $1,234$.", "1234"), ("so $x + y = 5$.", "5"),
            ("f(2, 3) is more than 7", "7"),
            ("so max(2, 3)", "3"),
            ("He sold (in all) 1,234", "1234"),
            ("5 minus 3", "3"),
            ("Steps:\n- 3 apples", "3"),
            ("In 2020, 35 came.", "35"),
            ("It takes 3 times 5, 15", "15"),
            ("Total = 12, or 1 a month", "1"),
            ("That is 5 > 3", "3"),
        ]
    )
    func numbers(text: String, answer: String) {
        #expect(AnswerExtraction.extract(text) == answer)
    }

    @Test(
        "what stands behind an announced number leaves it one",
        arguments: [
            ("The answer is $42$, which is 6 times 7.", "42"),
            ("The answer is 42 (6 times 7).", "42"),
            ("{\"steps\": 3, \"answer\": \"42\"}", "42"),
        ]
    )
    func announced(text: String, answer: String) {
        #expect(AnswerExtraction.extract(text) == answer)
    }

    @Test(
        "options and verdicts that a last line ends with",
        arguments: [
            ("I choose C.", "C"),
            ("So it's **B**", "B"),
            ("Option (B) is incorrect.", nil),
            ("Neither fits. (B) is wrong.", nil),
            ("So the argument is valid.", "valid"),
            ("Therefore, the statement is **true**.", "true"),
            ("Yes, it does.", "Yes"),
            ("It is not valid.", nil),
        ] as [(String, String?)]
    )
    func words(text: String, answer: String?) {
        #expect(AnswerExtraction.extract(text) == answer)
    }
}
