import Distillation
import Reasoning
import Schemas

extension ReproductionTable {
    /// EDIT's main table, with its ablations and what this project adds to them.
    public static let edit: ReproductionTable = {
        let main = "Main (Tables 1, 2 and 5)"
        func supervised(_ kinds: [String]) -> RunStage.Method {
            .supervised(SupervisedMethod(kinds.map { ExampleSource($0) }))
        }
        func first(_ id: String, _ title: String, source: String, _ kinds: [String], against: [String] = []) -> Arm {
            Arm(
                id,
                title,
                group: main,
                source: source,
                parent: "untrained",
                method: supervised(kinds),
                length: .tokens,
                style: .chain,
                against: against
            )
        }
        func krsl(
            _ id: String,
            _ title: String,
            group: String,
            source: String? = nil,
            parent: String = "rwc",
            _ method: KeyStepMethod = KeyStepMethod(),
            data: StageData? = nil,
            training: TrainingBlock? = nil,
            against: [String] = ["rwc", "continued"]
        ) -> Arm {
            Arm(
                id,
                title,
                group: group,
                source: source,
                parent: parent,
                method: .keySteps(method),
                data: data,
                training: training,
                style: .chain,
                against: against
            )
        }
        let grid = "Weights alpha and beta (Table 4)"
        let mistakes = "Mistake patterns, equally many pairs (Table 7)"
        let forms = "Other losses on the same pairs"
        return ReproductionTable(
            id: "edit",
            title: "EDIT: key-step learning from dual chains of thought",
            arms: [
                Arm("untrained", "Untrained student", group: main, source: "Table 1, zero-shot", style: .chain),
                first("std-cot", "Std-CoT: right chains", source: "Table 1", ["rightChains"]),
                first(
                    "rwc",
                    "Right and rectified chains, no KRSL",
                    source: "Table 1, w/ RWC, w/o KRSL",
                    ["rightChains", "rectifiedChains"],
                    against: ["std-cot"]
                ),
                first(
                    "repeated",
                    "Std-CoT, repeat sampling",
                    source: "Table 5",
                    ["rightChains", "rectifiedChains", "repeatedChains"],
                    against: ["rwc"]
                ),
                first(
                    "dual",
                    "Std-CoT on dual chains",
                    source: "Table 5",
                    ["rightChains", "rectifiedChains", "wrongChains"],
                    against: ["rwc"]
                ),
                krsl(
                    "std-cot-krsl-corrupted",
                    "Std-CoT, then KRSL on D+dual",
                    group: main,
                    source: "Table 1, w/o RWC",
                    parent: "std-cot",
                    data: StageData(pairs: "corrupted"),
                    against: ["std-cot"]
                ),
                krsl(
                    "std-cot-krsl",
                    "Std-CoT, then KRSL on Ddual",
                    group: main,
                    source: "Table 1, w/o RWC",
                    parent: "std-cot",
                    against: ["std-cot"]
                ),
                krsl(
                    "krsl-corrupted",
                    "KRSL on D+dual",
                    group: main,
                    source: "Table 2",
                    data: StageData(pairs: "corrupted")
                ),
                krsl(
                    "krsl-rectified",
                    "KRSL on D-dual",
                    group: main,
                    source: "Table 2",
                    data: StageData(pairs: "rectified")
                ),
                krsl(
                    "edit",
                    "EDIT: KRSL on Ddual, alpha 1, beta 0.025",
                    group: main,
                    source: "Tables 1, 2, 4 and 5",
                    against: ["rwc", "std-cot", "repeated", "dual", "continued"]
                ),
                Arm(
                    "continued",
                    "Control: fine-tuning goes on, as long as KRSL",
                    group: main,
                    parent: "rwc",
                    method: supervised(["rightChains", "rectifiedChains"]),
                    style: .chain,
                    against: ["rwc"]
                ),
                krsl(
                    "krsl-0-025",
                    "alpha 0, beta 0.025",
                    group: grid,
                    source: "Table 4",
                    KeyStepMethod(alpha: 0, beta: 0.025)
                ),
                krsl("krsl-1-0", "alpha 1, beta 0", group: grid, source: "Table 4", KeyStepMethod(beta: 0)),
                krsl(
                    "krsl-1-05",
                    "alpha 1, beta 0.05",
                    group: grid,
                    source: "Table 4",
                    KeyStepMethod(beta: 0.05),
                    against: ["rwc", "edit"]
                ),
            ]
                + StageExamples.comparedMistakes.map { pattern in
                    krsl(
                        "krsl-\(pattern)",
                        "KRSL on \(pattern) mistakes",
                        group: mistakes,
                        source: "Table 7",
                        data: StageData(mistakes: [pattern], equalMistakes: true)
                    )
                } + [
                    Arm(
                        "dpo",
                        "DPO in place of KRSL",
                        group: forms,
                        source: "Table 9",
                        parent: "rwc",
                        method: .preferences(PreferenceMethod(layout: PreferenceMethod.dualChains)),
                        style: .chain,
                        against: ["rwc", "edit"]
                    ),
                    krsl(
                        "krsl-random",
                        "Control: as many key tokens, at random places",
                        group: forms,
                        KeyStepMethod(keyTokens: "random"),
                        against: ["edit", "rwc"]
                    ),
                    krsl(
                        "krsl-printed",
                        "KRSL without length normalisation, as printed",
                        group: forms,
                        training: TrainingBlock(normalization: "none"),
                        against: ["edit", "rwc"]
                    ),
                    krsl(
                        "krsl-gamma",
                        "KRSL with gamma 1",
                        group: forms,
                        KeyStepMethod(gamma: 1),
                        against: ["edit", "rwc", "continued"]
                    ),
                    krsl(
                        "krsl-sft",
                        "KRSL with a supervised term of weight 1",
                        group: forms,
                        KeyStepMethod(mix: firstStage),
                        against: ["edit", "rwc", "continued"]
                    ),
                    krsl(
                        "krsl-bounded",
                        "KRSL with a bounded unlikelihood",
                        group: forms,
                        KeyStepMethod(wrongTokens: "unlikelihood"),
                        against: ["edit", "rwc"]
                    ),
                    krsl(
                        "krsl-cured",
                        "KRSL with gamma 1 and a bounded unlikelihood of weight 0.1",
                        group: forms,
                        KeyStepMethod(beta: 0.1, gamma: 1, wrongTokens: "unlikelihood"),
                        against: ["edit", "rwc", "continued"]
                    ),
                ],
            claims: editClaims,
            probes: editProbes
        )
    }()

    /// What the students of the second stage have learned from before: the supervised term of KRSL, at weight 1.
    private static let firstStage = [ExampleSource("rightChains"), ExampleSource("rectifiedChains")]

    private static let editClaims: [Claim] = [
        Claim(
            "Rectified wrong chains add to right ones",
            source: "Table 1: 44.3 against 41.8 (average)",
            arm: "rwc",
            .above,
            "std-cot"
        ),
        Claim(
            "EDIT beats the student that it starts from",
            source: "Table 1: 60.9 against 59.7 on BBH, 46.5 against 44.3",
            arm: "edit",
            .above,
            "rwc"
        ),
        Claim("EDIT beats Std-CoT", source: "Table 1: 46.5 against 41.8", arm: "edit", .above, "std-cot"),
        Claim(
            "EDIT beats Std-CoT outside the training domain",
            source: "Table 1: 31.1 against 28.7 on BB-sub",
            arm: "edit",
            .above,
            "std-cot",
            suite: SuiteName.longer
        ),
        Claim(
            "EDIT beats repeat sampling of equal size",
            source: "Table 5: 46.5 against 42.8",
            arm: "edit",
            .above,
            "repeated"
        ),
        Claim(
            "EDIT beats fine-tuning on dual chains",
            source: "Table 5: 46.5 against 43.8",
            arm: "edit",
            .above,
            "dual"
        ),
        Claim(
            "KRSL helps without rectified chains too",
            source: "Table 1: 44.3 against 41.8",
            arm: "std-cot-krsl",
            .above,
            "std-cot"
        ),
        Claim(
            "More pairs of both kinds beat the rectified ones alone",
            source: "Table 2: 46.5 against 46.4",
            arm: "edit",
            .above,
            "krsl-rectified"
        ),
        Claim(
            "Pushing wrong tokens down adds to lifting right ones",
            source: "Table 4: 46.50 against 44.96",
            arm: "edit",
            .above,
            "krsl-1-0"
        ),
        Claim(
            "Twice the beta loses the gain",
            source: "Table 4: 44.36 against 46.50",
            arm: "krsl-1-05",
            .below,
            "edit"
        ),
        Claim(
            "Logical mistakes teach more than calculation mistakes",
            source: "Table 7: 44.9 against 44.5",
            arm: "krsl-logical",
            .above,
            "krsl-calculation"
        ),
        Claim(
            "DPO in place of KRSL does worse (in the paper it collapses)",
            source: "Table 9: 8.1 against 46.5",
            arm: "dpo",
            .below,
            "edit"
        ),
        Claim(
            "Key tokens matter: random ones do worse",
            source: "not in the paper; its premise",
            arm: "krsl-random",
            .below,
            "edit"
        ),
        Claim(
            "KRSL beats fine-tuning that goes on as long",
            source: "not in the paper; its premise",
            arm: "edit",
            .above,
            "continued"
        ),
    ]

    /// The authors' form, what is left of it without the wrong chains, and each cure alone, at two shares of the first
    /// stage's rate.
    ///
    /// The wrong chains alone (alpha 0) are an arm of the grid: they ruin the student at any rate.
    private static let editProbes: [Probe] = [0.05, 0.15].flatMap { share in
        let forms: [(id: String, title: String, method: KeyStepMethod)] = [
            ("krsl", "authors' form", KeyStepMethod()),
            ("no-negative", "beta 0", KeyStepMethod(beta: 0)),
            ("gamma", "gamma 1", KeyStepMethod(gamma: 1)),
            ("sft", "supervised term", KeyStepMethod(mix: firstStage)),
            ("bounded", "bounded unlikelihood", KeyStepMethod(wrongTokens: "unlikelihood")),
        ]
        return forms.map {
            Probe(
                "\($0.id)-\(share)",
                "\($0.title), \(share) of the rate",
                parent: "rwc",
                method: $0.method,
                rateShare: share
            )
        }
    }
}
