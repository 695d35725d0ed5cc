import Distillation
import Reasoning
import Testing
import Tokenization
import Training

@Suite("Layouts and rules of preference pairs")
struct PreferenceLayoutTests {
    private static let question = "Tom has 12 apples. How many are left after 5?"
    private static let steps = ["Tom has 12+0=12 apples.", "Tom keeps 12+5=17 apples.", "So 17."]
    private static let output = """
         <Step1>Tom has 12+0=12 apples.</Step1>
        <Step2>Tom keeps 12+5=17 apples.<Key>Mind the sign.</Key></Step2>
        <Step3>So 17.</Step3>
        <Answer>17</Answer>
        """
    private static let teacher = CorrectionTrace(
        steps: steps,
        firstWrongStep: 1,
        cause: "The wrong operation is used.",
        correction: "Tom keeps 12-5=7 apples.",
        answer: "7"
    )

    private static func own(_ step: Int?, _ correction: String?, answer: String) -> CorrectionTrace {
        CorrectionTrace(steps: steps, firstWrongStep: step, cause: "Bad.", correction: correction, answer: answer)
    }

    /// What a student may write when it corrects itself.
    enum Own: CaseIterable {
        case wrong
        case right
        case rightAnswer
        case elsewhere
        case noStep
        case unreadable

        var trace: CorrectionTrace? {
            switch self {
            case .wrong: own(1, "Tom keeps 12-4=8 apples.", answer: "8")
            case .right: own(1, "He keeps 12 - 5 = 7.", answer: "9")
            case .rightAnswer: own(0, "Tom has 7.", answer: "7.0")
            case .elsewhere: own(0, "Tom has 13.", answer: "18")
            case .noStep: own(nil, nil, answer: "17")
            case .unreadable: nil
            }
        }
    }

    private func source(_ own: Own = .wrong, solution: String? = nil) -> PreferencePairs.Source {
        PreferencePairs.Source(
            id: "a",
            question: Self.question,
            output: Self.output,
            correction: Self.teacher,
            selfCorrection: own.trace,
            solution: solution
        )
    }

    @Test(
        "the paper's own form: after the verified steps, cause and correction and no answer",
        arguments: TokenizerKind.allCases
    )
    func prefix(kind: TokenizerKind) throws {
        let codec = try kind.codec()
        for hasWrongStep in [false, true] {
            let options = PreferencePairs.Options(layout: .prefix, wrongStepInContext: hasWrongStep)
            let pair = try PreferencePairs.pair(source(), options: options, codec: codec)
            let context = Array(Self.steps.prefix(hasWrongStep ? 2 : 1))
            #expect(try pair.prompt == codec.correctionPrompt(question: Self.question, attempt: context))
            // A last token may reach into the answer's tag.
            let right = " 2<Cause>The wrong operation is used.</Cause><Correction>Tom keeps 12-5=7 apples.</Correction>"
            let wrong = " 2<Cause>Bad.</Cause><Correction>Tom keeps 12-4=8 apples.</Correction>"
            for (tokens, text) in [(pair.chosen, right), (pair.rejected, wrong)] {
                let written = codec.tokenizer.decode(tokens)
                #expect(written.hasPrefix(text) && "<Answer>".hasPrefix(written.dropFirst(text.count)))
                if kind != .glued { #expect(written == text) }
                #expect(!tokens.contains(codec.endOfText))
            }
            // What a student writes goes on from the chosen side's tokens.
            #expect(codec.response(StudentFormat.response(correction: Self.teacher)).starts(with: pair.chosen))
        }
        var first = source()
        first.correction.firstWrongStep = 0
        let pair = try PreferencePairs.pair(first, options: .init(layout: .prefix), codec: codec)
        #expect(try pair.prompt == codec.correctionPrompt(question: Self.question, attempt: []))
    }

    @Test("instance-level pairs: the whole solution against the whole output")
    func instance() throws {
        let codec = try TokenizerKind.tags.codec()
        let solution = "There are 12 apples.\nTom keeps 12-5=<<12-5=7>>7 apples.\n#### 7"
        let options = PreferencePairs.Options(layout: .instance)
        for own in Own.allCases {
            let pair = try PreferencePairs.pair(source(own, solution: solution), options: options, codec: codec)
            #expect(try pair.prompt == codec.prompt(.hierarchicalThought, question: Self.question))
            let chosen =
                " <Step1>There are 12 apples.</Step1>\n<Step2>Tom keeps 12-5=7 apples.</Step2>\n<Answer>7</Answer>"
            #expect(pair.chosen == codec.response(chosen) && pair.rejected == codec.response(Self.output))
        }
        #expect(refusal(source(), options) == .noSolution)
        #expect(refusal(source(solution: "#### 7"), options) == .noSolution)
    }

    /// What is rejected: the text after the last opening tag, or why there is no pair.
    private func outcome(_ own: Own, _ options: PreferencePairs.Options) throws -> String {
        let codec = try TokenizerKind.bytes.codec()
        do {
            let text = codec.tokenizer.decode(
                try PreferencePairs.pair(source(own), options: options, codec: codec).rejected
            )
            let correction = text.split(separator: "<Correction>").last.map(String.init) ?? text
            let number = text.hasPrefix(" ") ? text.dropFirst().prefix { $0.isNumber } + ": " : ""
            return number + correction.prefix { $0 != "<" }
        } catch let refusal as PreferencePairs.Refusal {
            return refusal.rawValue
        }
    }

    @Test("each rule does what it says, in each layout")
    func rules() throws {
        typealias Rule = PreferencePairs.SelfCorrectionRule
        let step = "Tom keeps 12+5=17 apples."
        let table: [(PreferencePairs.Layout, Rule, [String])] = [
            // wrong, right, right answer, elsewhere, no step, unreadable
            (.step, .step, ["Tom keeps 12-4=8 apples.", step, step, step, step, step]),
            (
                .step, .drop,
                [
                    "Tom keeps 12-4=8 apples.", "self-correction-right", "self-correction-right",
                    "self-correction-elsewhere", "no-self-correction", "no-self-correction",
                ]
            ),
            (
                .prefix, .keep,
                [
                    "2: Tom keeps 12-4=8 apples.", "2: He keeps 12 - 5 = 7.", "1: Tom has 7.", "1: Tom has 13.",
                    "no-self-correction", "no-self-correction",
                ]
            ),
            (
                .trace, .drop,
                [
                    "2: Tom keeps 12-4=8 apples.", "self-correction-right", "self-correction-right",
                    "self-correction-elsewhere", "no-self-correction", "no-self-correction",
                ]
            ),
            (
                .trace, .step,
                ["2: Tom keeps 12-4=8 apples."] + Array(repeating: "2: " + step, count: 5)
            ),
            (
                .prefix, .step,
                ["2: Tom keeps 12-4=8 apples."] + Array(repeating: "2: " + step, count: 5)
            ),
        ]
        for (layout, rule, expected) in table {
            let options = PreferencePairs.Options(
                layout: layout,
                whenSelfCorrectionIsRight: rule,
                whenSelfCorrectionNamesAnotherStep: rule
            )
            #expect(try Own.allCases.map { try outcome($0, options) } == expected, "\(layout) \(rule)")
        }
        // Each rule by itself, and the defaults.
        #expect(try outcome(.right, .init(layout: .prefix)) == "self-correction-right")
        #expect(try outcome(.elsewhere, .init(layout: .prefix)) == "2: " + step)
        #expect(try outcome(.elsewhere, .init(layout: .trace)) == "1: Tom has 13.")
        #expect(try outcome(.right, .init()) == step)
    }

    @Test("a restated step stands under the teacher's cause, so that the sides part where the correction begins")
    func restated() throws {
        let codec = try TokenizerKind.bytes.codec()
        let pair = try PreferencePairs.pair(source(.unreadable), options: .init(layout: .prefix), codec: codec)
        let shared = zip(pair.chosen, pair.rejected).prefix { $0 == $1 }.map(\.0)
        #expect(
            codec.tokenizer.decode(shared)
                == " 2<Cause>The wrong operation is used.</Cause><Correction>Tom keeps 12"
        )
        let trace = try PreferencePairs.pair(
            source(.unreadable),
            options: .init(layout: .trace, whenSelfCorrectionNamesAnotherStep: .step),
            codec: codec
        )
        #expect(codec.tokenizer.decode(trace.rejected).contains("<Answer>17</Answer>"))
    }

    @Test("token weights apply to every layout", arguments: PreferencePairs.Layout.allCases)
    func tokenWeights(layout: PreferencePairs.Layout) throws {
        let codec = try TokenizerKind.bytes.codec()
        let source = source(solution: "Tom has 12.\n12-5=7.")
        let whole = try PreferencePairs.pair(source, options: .init(layout: layout), codec: codec)
        #expect(whole.chosenWeights == nil && whole.rejectedWeights == nil)
        let pair = try PreferencePairs.pair(source, options: .init(layout: layout, tokenWeighted: true), codec: codec)
        #expect(pair.chosen == whole.chosen && pair.rejected == whole.rejected)
        for (tokens, weights) in [(pair.chosen, pair.chosenWeights), (pair.rejected, pair.rejectedWeights)] {
            let weights = try #require(weights)
            #expect(weights.count == tokens.count && Set(weights) == [0, 1])
        }
    }

    private func refusal(
        _ source: PreferencePairs.Source,
        _ options: PreferencePairs.Options = .init()
    ) -> PreferencePairs.Refusal? {
        do {
            _ = try PreferencePairs.pair(source, options: options, codec: TokenizerKind.tags.codec())
            return nil
        } catch { return error as? PreferencePairs.Refusal }
    }

    @Test("what makes no pair is refused with its cause")
    func refusals() {
        func changed(_ change: (inout PreferencePairs.Source) -> Void) -> PreferencePairs.Source {
            var source = source(.unreadable)
            change(&source)
            return source
        }
        for layout in [PreferencePairs.Layout.step, .trace, .prefix] {
            let options = PreferencePairs.Options(layout: layout, whenSelfCorrectionNamesAnotherStep: .step)
            #expect(refusal(changed { $0.correction.firstWrongStep = 4 }, options) == .stepNotFound)
            #expect(refusal(changed { $0.correction.firstWrongStep = nil }, options) == .noCorrection)
            #expect(refusal(changed { $0.correction.correction = "" }, options) == .noCorrection)
            #expect(refusal(changed { $0.output = "no steps" }, options) == .stepNotFound)
        }
        let same = changed { $0.correction.correction = "Tom keeps 12+5=17 apples." }
        #expect(refusal(same) == .identical)
        #expect(refusal(same, .init(layout: .prefix)) == .identical)
        // An empty step is not counted, so that <Step2> holds the first step here.
        let shifted = changed { $0.output = "<Step1></Step1>\n" + Self.output.replacing("Step2", with: "Step4") }
        #expect(refusal(shifted) == .stepNotFound)
    }
}

@Suite("Grading corrections")
struct CorrectionGradingTests {
    @Test(
        "a step is the same by its result, unless a calculation in it is wrong",
        arguments: [
            ("He keeps 12 - 5 = 7.", "Tom has 12-5=7 apples.", true), ("12-5=8", "12-5=7", false),
            ("13-5=7", "12-5=7", false), ("14-7=7, so 7.", "12-5=7", true), ("It is 7.0.", "12-5=7", true),
            ("Tom has 7", "Tom has 8", false), ("Subtract.", "Subtract.", true), ("Add.", "Subtract.", false),
            ("", "12-5=7", false), ("12-5=7 and 7*2=14", "12-5=7", false),
        ]
    )
    func results(step: String, right: String, same: Bool) {
        #expect(CorrectionGrading.haveSameResult(step, right) == same)
    }

    @Test("located and corrected are counted apart")
    func skill() {
        let teacher = CorrectionTrace(
            steps: ["a", "b"],
            firstWrongStep: 1,
            cause: "c",
            correction: "12-5=7",
            answer: "14"
        )
        func own(_ step: Int?, _ correction: String?, _ answer: String) -> CorrectionTrace {
            CorrectionTrace(
                steps: ["a", "b"],
                firstWrongStep: step,
                cause: "c",
                correction: correction,
                answer: answer
            )
        }
        let skill = CorrectionSkill(
            [
                own(1, "12-5=7", "3"), own(1, "12-5=8", "16"), own(0, "12-5=7", "3"), own(0, "x", "14"), nil,
                own(nil, nil, "3"),
            ]
            .map { (own: $0, teacher: teacher) }
        )
        #expect(skill.attempts == 6 && skill.readable == 4 && skill.located == 2 && skill.corrected == 2)
    }
}
