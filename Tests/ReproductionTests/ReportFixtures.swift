import Reasoning
import Schemas

@testable import Reproduction

/// Results that no run gave, for tests of the report.
enum ReportFixtures {
    /// Text as it must never reach a page unescaped.
    static let hostile = "<script>alert('x')</script> & \"quotes\" ]]> \u{0}\u{1B} <!-- {{x}} | `y`"

    /// Scores by seed with their mean and deviation, in thousandths.
    static func spread(_ thousandths: Int...) -> Spread {
        let values = thousandths.map { Double($0) / 1000 }
        let mean = values.reduce(0, +) / Double(max(1, values.count))
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
        return Spread(mean: mean, deviation: deviation, values: values)
    }

    static func seed(_ seed: UInt64, _ share: Double, correction: CorrectionResult? = nil) -> SeedResult {
        let right = Int((10 * share).rounded())
        let outcomes = String(repeating: "1", count: right) + String(repeating: "0", count: 10 - right)
        return SeedResult(
            seed: seed,
            suites: [
                SuiteName.test: SuiteResult(outcomes: outcomes, selfCorrected: outcomes),
                SuiteName.longer: SuiteResult(outcomes: outcomes), SuiteName.families: SuiteResult(outcomes: outcomes),
            ],
            tokens: 2_000_100 + Int(seed),
            examples: 1_840,
            loss: 0.21 + share / 100,
            trainSeconds: 95.4,
            correction: correction
        )
    }

    static func comparison(
        _ against: String,
        _ difference: Double,
        pValue: Double = 0.012,
        suite: String = SuiteName.test,
        width: Double = 0.02
    ) -> Comparison {
        Comparison(
            against: against,
            suite: suite,
            difference: difference,
            low: difference - width,
            high: difference + width,
            pValue: pValue,
            bySeed: [difference - 0.004, difference, difference + 0.004]
        )
    }

    static func row(_ arm: String, _ test: Int, rate: Double? = 1e-3, _ comparisons: [Comparison] = []) -> RowResult {
        RowResult(
            arm: arm,
            rate: rate,
            search: rate.map { rate in
                [0.5, 1, 2].map { SearchPoint(rate: rate * $0, accuracy: Double(test) / 1000 - 0.01 * ($0 - 1)) }
            } ?? [],
            seeds: [1, 2, 3].map { seed($0, Double(test) / 1000) },
            accuracy: [
                SuiteName.test: spread(test - 12, test, test + 17),
                SuiteName.longer: spread(test / 2 - 20, test / 2, test / 2 + 9),
                SuiteName.families: spread(test / 3 - 10, test / 3 + 4, test / 3 + 8),
            ],
            selfCorrected: [:],
            comparisons: comparisons
        )
    }

    /// A probe's course of 120 updates with these slopes.
    static func course(_ probe: String, rightOther: Double, wrongKey: Double) -> ProbeResult {
        let points = (0...12).map { (index: Int) -> ProbeResult.Point in
            let time = Double(index)
            let accuracy: Double? = index.isMultiple(of: 4) ? 0.77 + rightOther * time : nil
            return ProbeResult.Point(
                step: index * 10,
                rightKey: -1.2 + 0.03 * time,
                rightOther: -0.08 + rightOther * time,
                wrongKey: -2.1 + wrongKey * time * time / 4,
                wrongOther: -0.1 - 0.001 * time,
                accuracy: accuracy
            )
        }
        return ProbeResult(probe: probe, rate: 5e-5, points: points)
    }

    /// A table like EDIT's: groups, a grid of weights, probes and dual pairs.
    static var edit: TableResults {
        func arm(
            _ id: String,
            _ title: String,
            _ group: String,
            _ method: RunStage.Method,
            data: StageData? = nil,
            source: String? = nil
        ) -> Arm {
            Arm(
                id,
                title,
                group: group,
                source: source,
                parent: "rwc",
                method: method,
                data: data,
                length: method.isSupervised ? .tokens : .secondStage,
                style: .chain
            )
        }
        func chains(_ more: String...) -> RunStage.Method {
            .supervised(SupervisedMethod((["rightChains"] + more).map { ExampleSource($0) }))
        }
        let arms = [
            arm("std", "Std-CoT", "Baselines", chains(), source: "EDIT, Table 1"),
            arm("repeat", "Std-CoT, repeat sampling", "Baselines", chains("repeatedChains")),
            arm("dual", "Std-CoT on dual chains", "Baselines", chains("wrongChains")),
            arm("rwc", "Rectified too, no KRSL", "EDIT", chains("rectifiedChains")),
            arm("edit", "EDIT: \u{3B1} 1, \u{3B2} 0.025", "EDIT", .keySteps(KeyStepMethod()), source: "EDIT, Table 1"),
            arm("a1b0", "KRSL, \u{3B1} 1, \u{3B2} 0", "Weights (Table 4)", .keySteps(KeyStepMethod(beta: 0))),
            arm("a0b25", "KRSL, \u{3B1} 0, \u{3B2} 0.025", "Weights (Table 4)", .keySteps(KeyStepMethod(alpha: 0))),
            arm("a1b50", "KRSL, \u{3B1} 1, \u{3B2} 0.05", "Weights (Table 4)", .keySteps(KeyStepMethod(beta: 0.05))),
            arm(
                "le",
                "Only logical mistakes",
                "Mistake patterns (Table 7)",
                .keySteps(KeyStepMethod()),
                data: StageData(mistakes: ["logical"], equalMistakes: true)
            ),
            arm("random", "Random tokens as key", "Controls", .keySteps(KeyStepMethod(keyTokens: "random"))),
            arm(
                "bounded",
                "Bounded unlikelihood",
                "Forms of the loss",
                .keySteps(KeyStepMethod(wrongTokens: "unlikelihood"))
            ),
            arm(
                "dpo",
                "DPO in place of KRSL",
                "Other losses (Table 9)",
                .preferences(PreferenceMethod(layout: "duals"))
            ),
        ]
        let scores = [742, 751, 713, 768, 749, 772, 731, 690, 755, 752, 774, 112]
        let claims = [
            Claim(
                "EDIT beats plain chains of thought",
                source: "Table 1: 60.9 against 54.2",
                arm: "edit",
                .above,
                "std"
            ),
            Claim("Rectified chains help", source: "Table 1: 59.7 against 54.2", arm: "rwc", .above, "std"),
            Claim("Twice the negative weight erases the gain", source: "Table 4", arm: "a1b50", .below, "edit"),
            Claim("KRSL helps out of domain", source: "Table 1", arm: "edit", .above, "rwc", suite: SuiteName.families),
        ]
        let measured: [(Double, Double, ClaimResult.Verdict)] = [
            (0.007, 0.31, .inDirection), (0.026, 0.0004, .shown), (-0.059, 0.00001, .shown), (-0.034, 0.021, .reversed),
        ]
        let probes = [
            Probe("coded", "As the authors coded it", parent: "rwc", method: KeyStepMethod(), rateShare: 0.1),
            Probe("gamma", "\u{3B3} = 0.5", parent: "rwc", method: KeyStepMethod(gamma: 0.5), rateShare: 0.1),
            Probe("plus", "\u{3B2} = 0", parent: "rwc", method: KeyStepMethod(beta: 0), rateShare: 0.1),
        ]
        let courses = [
            course("coded", rightOther: -0.005, wrongKey: -0.06), course("gamma", rightOther: 0.001, wrongKey: -0.03),
            course("plus", rightOther: -0.003, wrongKey: -0.001),
        ]
        let question = "Ana has 12 shells. She finds 3 times as many. How many has she in all?"
        return TableResults(
            table: ReproductionTable(
                id: "edit",
                title: "EDIT on the built-in domain",
                arms: arms,
                claims: claims,
                probes: probes
            ),
            plan: .full,
            rows: zip(arms, scores).map { arm, score in
                row(
                    arm.id,
                    score,
                    rate: arm.group == "Baselines" ? 1e-3 : 2.5e-4,
                    arm.id == "std"
                        ? [] : [comparison("std", Double(score - 742) / 1000), comparison("rwc", 0.001, pValue: 1)]
                )
            },
            claims: zip(claims, measured).map { claim, found in
                ClaimResult(
                    claim: claim,
                    measured: comparison(claim.against, found.0, pValue: found.1, suite: claim.suite),
                    verdict: found.2
                )
            },
            probes: courses,
            yields: [1, 2, 3].map { seed in
                SeedYields(
                    seed: seed,
                    stages: [
                        .init(name: "Right chains", verified: 580 + Int(seed), asked: 800, retries: 0),
                        .init(name: "Rectified", verified: 201, asked: 219 - Int(seed), retries: 7),
                    ]
                )
            },
            examples: Examples(
                duals: [
                    Examples.Dual(
                        question: question,
                        origin: "corrupted, logical",
                        right: [
                            .init(text: "She finds 3 ", isKey: false), .init(text: "*", isKey: true),
                            .init(text: " 12 = ", isKey: false), .init(text: "36", isKey: true),
                            .init(text: ".\nIn all 12 + ", isKey: false), .init(text: "36 = 48", isKey: true),
                            .init(text: ".\n#### ", isKey: false), .init(text: "48", isKey: true),
                        ],
                        wrong: [
                            .init(text: "She finds 3 ", isKey: false), .init(text: "+", isKey: true),
                            .init(text: " 12 = ", isKey: false), .init(text: "15", isKey: true),
                            .init(text: ".\nIn all 12 + ", isKey: false), .init(text: "15 = 27", isKey: true),
                            .init(text: ".\n#### ", isKey: false), .init(text: "27", isKey: true),
                        ]
                    )
                ],
                solutions: [
                    .init(
                        arm: "edit",
                        question: question,
                        gold: "48",
                        output: "3 * 12 = 36\n#### 36",
                        isCorrect: false
                    ),
                    .init(
                        arm: "edit",
                        question: question,
                        gold: "48",
                        output: "12 + 36 = 48\n#### 48",
                        isCorrect: true
                    ),
                ]
            ),
            seconds: 4_985
        )
    }

    /// A table like SuperCorrect's: a second pass, locate and correct rates, templates and corrections, and a hostile
    /// hand in every text.
    static var superCorrect: TableResults {
        let arms = [
            Arm("base", "Untrained", group: "Stages", style: .template),
            Arm(
                "sft",
                "SFT on chains",
                group: "Stages",
                method: .supervised(SupervisedMethod([ExampleSource("rightChains")])),
                length: .tokens,
                style: .chain
            ),
            Arm(
                "hsft",
                "HSFT \(hostile)",
                group: "Stages \(hostile)",
                source: "Table 7 \(hostile)",
                method: .supervised(SupervisedMethod([ExampleSource("templates"), ExampleSource("corrections")])),
                length: .tokens,
                style: .template
            ),
            Arm(
                "cross",
                "HSFT + cross-model DPO",
                group: "Stages",
                parent: "hsft",
                method: .preferences(PreferenceMethod(layout: "prefix")),
                style: .template
            ),
            Arm(
                "retry",
                "HSFT + second pass",
                group: "Inference",
                parent: "hsft",
                isSecondPass: true,
                style: .template
            ),
        ]
        let claims = [
            Claim("Templates beat chains \(hostile)", source: "Table 7 \(hostile)", arm: "hsft", .above, "sft"),
            Claim(
                "DPO locates better",
                source: "Table 6: .67 against .43",
                arm: "cross",
                .above,
                "hsft",
                measure: .locate
            ),
            Claim("DPO corrects better", source: "Table 6", arm: "cross", .above, "hsft", measure: .correct),
            Claim("A second pass gains", source: "Fig. 3", arm: "cross", .above, "cross", measure: .selfCorrectionGain),
        ]
        var rows = [
            row("base", 40, rate: nil), row("sft", 640), row("hsft", 655, [comparison("sft", 0.015, pValue: 0.2)]),
            row("cross", 671, rate: 5e-5, [comparison("hsft", 0.016, pValue: 0.0499)]), row("retry", 649, rate: nil),
        ]
        for index in 2..<5 {
            rows[index].selfCorrected = [SuiteName.test: spread(650, 660 + index, 671)]
            rows[index].locate = spread(300, 310, 330)
            rows[index].correct = spread(90, 120 + index, 130)
        }
        return TableResults(
            table: ReproductionTable(id: "supercorrect", title: "SuperCorrect \(hostile)", arms: arms, claims: claims),
            plan: .quick,
            rows: rows,
            claims: zip(claims, [ClaimResult.Verdict.inDirection, .shown, .notShown, .reversed]).map { claim, verdict in
                ClaimResult(claim: claim, measured: comparison(claim.against, 0.015), verdict: verdict)
            },
            probes: [],
            yields: [
                SeedYields(seed: 1, stages: [.init(name: "Templates \(hostile)", verified: 0, asked: 0, retries: 0)])
            ],
            examples: Examples(
                duals: [
                    .init(
                        question: hostile,
                        origin: hostile,
                        right: [.init(text: hostile, isKey: true)],
                        wrong: [.init(text: hostile, isKey: false)]
                    )
                ],
                templates: [
                    .init(
                        question: "A train goes 60 miles an hour for 3 hours, then 40 miles. How far?",
                        body: TemplateBody(
                            steps: [
                                .init(
                                    text: "In 3 hours it goes 60 * 3 = 180 miles.",
                                    keyNotes: ["Distance is speed times time.", hostile]
                                ), .init(text: "In all it goes 180 + 40 = 220 miles."),
                            ],
                            generalization: "Find the length of each part, then add the parts.",
                            answer: "220"
                        )
                    )
                ],
                corrections: [
                    .init(
                        question: "A train goes 60 miles an hour for 3 hours, then 40 miles. How far?",
                        steps: [
                            "In 3 hours it goes 60 * 3 = 180 miles.", "In all it goes 180 - 40 = 140 miles.", hostile,
                        ],
                        teacher: CorrectionBody(
                            steps: [],
                            firstWrongStep: 1,
                            cause: "The last part is added, not taken away.",
                            correction: "In all it goes 180 + 40 = 220 miles.",
                            answer: "220"
                        ),
                        student: SelfCorrection(
                            output: hostile,
                            firstWrongStep: 0,
                            cause: "It is 60 + 3.",
                            correction: hostile,
                            answer: "63",
                            correct: false
                        )
                    ),
                    .init(
                        question: hostile,
                        steps: [hostile],
                        teacher: CorrectionBody(
                            steps: [hostile],
                            firstWrongStep: 7,
                            cause: hostile,
                            correction: hostile,
                            answer: hostile
                        ),
                        student: SelfCorrection(output: hostile, correct: false)
                    ),
                    .init(
                        question: "?",
                        steps: [],
                        teacher: CorrectionBody(steps: [], firstWrongStep: nil, cause: "", correction: "", answer: ""),
                        student: nil
                    ),
                ],
                solutions: [.init(arm: "nobody", question: hostile, gold: hostile, output: hostile, isCorrect: false)]
            ),
            seconds: 75
        )
    }

    /// A table of which nothing is known yet.
    static var empty: TableResults {
        TableResults(
            table: ReproductionTable(id: "edit", title: "Nothing", arms: [], claims: []),
            plan: .quick,
            rows: [],
            claims: [],
            probes: [],
            yields: [],
            examples: Examples(),
            seconds: 0
        )
    }

    /// One seed, figures that are missing or not finite, probes without points, arms that the table does not know.
    static var odd: TableResults {
        var results = edit
        results.plan.seeds = [7]
        results.table.arms.removeLast(4)
        results.probes[0].points = []
        results.probes[1].points = [results.probes[1].points[0]]
        results.probes[2].points[3].wrongKey = -.infinity
        results.probes[2].points[12].wrongKey = .nan
        for index in results.rows.indices {
            results.rows[index].accuracy = [SuiteName.test: spread(700), "another-suite": spread(1000)]
            results.rows[index].seeds = index == 0 ? [] : [seed(7, 0.7)]
        }
        results.rows[1].accuracy = [:]
        results.rows[2].accuracy[SuiteName.test] = Spread(mean: .nan, deviation: .infinity, values: [.nan])
        results.rows[3].rate = nil
        results.rows[4].rate = .infinity
        results.rows[5].search = [SearchPoint(rate: .nan, accuracy: .nan)]
        results.claims[0].measured = Comparison(
            against: "nobody",
            suite: "nowhere",
            difference: .nan,
            low: -.infinity,
            high: .infinity,
            pValue: .nan,
            bySeed: []
        )
        results.seconds = .infinity
        return results
    }
}

extension RunStage.Method {
    /// Whether it learns whole responses.
    fileprivate var isSupervised: Bool { if case .supervised = self { true } else { false } }
}
