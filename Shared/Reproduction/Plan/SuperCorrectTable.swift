import Reasoning
import Schemas

extension ReproductionTable {
    /// SuperCorrect's main table, with the styles of Table 8 and what this project adds.
    public static let supercorrect: ReproductionTable = {
        let main = "Main (Tables 2 and 7)"
        let styles = "Prompt styles (Table 8)"
        let beyond = "Beyond the paper"
        func supervised(_ style: ResponseStyle, _ more: [ExampleSource] = []) -> RunStage.Method {
            .supervised(SupervisedMethod(firstStage(style) + more))
        }
        func first(
            _ id: String,
            _ title: String,
            group: String,
            source: String,
            style: ResponseStyle,
            against: [String] = ["sft"]
        ) -> Arm {
            Arm(
                id,
                title,
                group: group,
                source: source,
                parent: "untrained",
                method: supervised(style),
                length: .passes,
                style: style,
                against: against
            )
        }
        func second(
            _ id: String,
            _ title: String,
            group: String,
            source: String? = nil,
            _ method: RunStage.Method?,
            against: [String] = ["hsft", "continued"]
        ) -> Arm {
            Arm(
                id,
                title,
                group: group,
                source: source,
                parent: "hsft",
                method: method,
                isSecondPass: method == nil,
                style: .template,
                against: against
            )
        }
        func preferences(_ layout: String, weighted: Bool? = nil, stable: Bool = false) -> RunStage.Method {
            .preferences(
                PreferenceMethod(
                    layout: layout,
                    nllWeight: stable ? 1 : nil,
                    mixWeight: stable ? 10 : nil,
                    mix: stable ? firstStage(.template) : nil,
                    tokenWeighted: weighted
                )
            )
        }
        return ReproductionTable(
            id: "supercorrect",
            title: "SuperCorrect: thought templates and cross-model DPO",
            arms: [
                Arm("untrained", "Base: untrained student", group: main, style: .template),
                first(
                    "sft",
                    "SFT: chains of thought",
                    group: main,
                    source: "Tables 7 and 8, CoT",
                    style: .chain,
                    against: []
                ),
                first(
                    "hsft",
                    "HSFT: thought templates",
                    group: main,
                    source: "Tables 7 and 8, ours",
                    style: .template
                ),
                second(
                    "continued",
                    "Control: HSFT goes on, as long as DPO",
                    group: main,
                    supervised(.template),
                    against: ["hsft"]
                ),
                second(
                    "reflexion",
                    "HSFT + Reflexion-style retry",
                    group: main,
                    source: "Table 7",
                    nil,
                    against: ["hsft"]
                ),
                second(
                    "instance-dpo",
                    "HSFT + instance-level DPO",
                    group: main,
                    preferences("instance")
                ),
                second(
                    "cross-dpo",
                    "HSFT + cross-model DPO",
                    group: main,
                    source: "Tables 2 and 7",
                    preferences("prefix"),
                    against: ["hsft", "continued", "instance-dpo", "sft"]
                ),
                first("notes", "Chain, then key notes", group: styles, source: "Table 8", style: .chainWithNotes),
                first(
                    "notes-method",
                    "Chain, then key notes and method",
                    group: styles,
                    source: "Table 8",
                    style: .chainWithMethod
                ),
                first("template-text", "Template without XML", group: styles, source: "Table 8", style: .templateText),
                second(
                    "cross-dpo-weighted",
                    "Cross-model DPO on key tokens",
                    group: beyond,
                    preferences("prefix", weighted: true),
                    against: ["cross-dpo", "hsft"]
                ),
                second(
                    "cross-dpo-stable",
                    "Cross-model DPO with likelihood and template terms",
                    group: beyond,
                    preferences("prefix", stable: true),
                    against: ["cross-dpo", "hsft", "continued"]
                ),
                second(
                    "step-dpo",
                    "DPO on steps within the solution",
                    group: beyond,
                    preferences("step"),
                    against: ["cross-dpo", "hsft"]
                ),
                second(
                    "step-dpo-stable",
                    "DPO on steps with likelihood and template terms",
                    group: beyond,
                    preferences("step", stable: true),
                    against: ["step-dpo", "step-control", "hsft", "continued"]
                ),
                second(
                    "step-control",
                    "Control: these steps and templates by likelihood alone",
                    group: beyond,
                    supervised(.template, [ExampleSource("teacherSteps")])
                ),
                second(
                    "step-dpo-weighted",
                    "DPO on steps with these terms, on key tokens",
                    group: beyond,
                    preferences("step", weighted: true, stable: true),
                    against: ["step-dpo-stable", "hsft", "continued"]
                ),
            ],
            claims: [
                Claim(
                    "Templates beat chains of thought",
                    source: "Table 7: 62.4 against 57.4 on MATH (Qwen)",
                    arm: "hsft",
                    .above,
                    "sft"
                ),
                Claim(
                    "A Reflexion-style retry adds little",
                    source: "Table 7: 63.1 against 62.4",
                    arm: "reflexion",
                    .above,
                    "hsft"
                ),
                Claim(
                    "Cross-model DPO beats HSFT",
                    source: "Table 7: 70.2 against 62.4",
                    arm: "cross-dpo",
                    .above,
                    "hsft"
                ),
                Claim(
                    "It beats instance-level DPO",
                    source: "section 4.2, in words",
                    arm: "cross-dpo",
                    .above,
                    "instance-dpo"
                ),
                Claim(
                    "It finds more first wrong steps",
                    source: "Table 6: .67 against .43",
                    arm: "cross-dpo",
                    .above,
                    "hsft",
                    measure: .locate
                ),
                Claim(
                    "It corrects more of them",
                    source: "Table 6: .46 against .12",
                    arm: "cross-dpo",
                    .above,
                    "hsft",
                    measure: .correct
                ),
                Claim(
                    "With likelihood and template terms it finds more first wrong steps",
                    source: "Table 6; the terms are ours",
                    arm: "cross-dpo-stable",
                    .above,
                    "hsft",
                    measure: .locate
                ),
                Claim(
                    "With these terms it corrects more of them",
                    source: "Table 6; the terms are ours",
                    arm: "cross-dpo-stable",
                    .above,
                    "hsft",
                    measure: .correct
                ),
                Claim(
                    "A second pass gains after cross-model DPO",
                    source: "Fig. 3: 70.2 to 75.4",
                    arm: "cross-dpo",
                    .above,
                    "cross-dpo",
                    measure: .selfCorrectionGain
                ),
                Claim(
                    "Key notes help chains",
                    source: "Table 8: 59.7 against 57.4",
                    arm: "notes",
                    .above,
                    "sft"
                ),
                Claim(
                    "The general method helps too",
                    source: "Table 8: 60.8 against 59.7",
                    arm: "notes-method",
                    .above,
                    "notes"
                ),
                Claim(
                    "XML helps",
                    source: "Table 8: 62.4 against 61.8",
                    arm: "hsft",
                    .above,
                    "template-text"
                ),
                Claim(
                    "Preferences on steps add to likelihood on the same steps",
                    source: "ours",
                    arm: "step-dpo-stable",
                    .above,
                    "step-control"
                ),
                Claim(
                    "They beat HSFT that goes on as long",
                    source: "ours",
                    arm: "step-dpo-stable",
                    .above,
                    "continued"
                ),
                Claim(
                    "Preferences on key tokens alone add to those on all tokens",
                    source: "ours",
                    arm: "step-dpo-weighted",
                    .above,
                    "step-dpo-stable"
                ),
            ],
            rolloutArm: "hsft"
        )
    }()

    /// What the first stage learns from: templates, and corrections that let a student trained from nothing correct at all.
    private static func firstStage(_ style: ResponseStyle) -> [ExampleSource] {
        [ExampleSource("templates", style: style == .template ? nil : style.rawValue), ExampleSource("corrections")]
    }
}
