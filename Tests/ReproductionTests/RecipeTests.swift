import Distillation
import Foundation
import Reasoning
import Schemas
import Testing

@testable import Reproduction

@Suite("Arms as runs")
struct RecipeTests {
    private static let student = StudentReference(modelHash: "0a1b", tokenizerFingerprint: "2c3d")

    private func recipe(
        _ arm: String,
        of table: ReproductionTable,
        plan: ReproductionPlan = .quick,
        seed: UInt64 = 7
    ) throws -> RunEvent {
        try table.recipe(ofArm: arm, plan: plan, seed: seed, rates: table.anyRates, student: Self.student)
    }

    @Test(
        "every arm is a valid run that comes through its event's coding as it is",
        arguments: [ReproductionTable.edit, .supercorrect]
    )
    func everyArm(table: ReproductionTable) throws {
        for plan in [ReproductionPlan.quick, .full] {
            for arm in table.arms {
                let run = try recipe(arm.id, of: table, plan: plan)
                #expect(try EventCoding.decode(RunEvent.self, from: EventCoding.encode(run)) == run, "\(arm.id)")
                #expect(run.answers(of: run.stages.last?.name ?? RunStage.initial) == arm.style.format.answers)
                #expect(run.stages.map(\.name) == run.stagesInOrder.map(\.name))
                for stage in run.stages {
                    #expect(stage.training?.learningRate == table.anyRates[stage.name])
                    // Words of the recipe that only the trainers know.
                    _ = try stage.trainingOptions(seed: run.seed)
                    _ = try stage.keySteps?.keyStepOptions(seed: run.seed)
                    _ = try stage.preferences?.preferenceOptions()
                }
            }
        }
    }

    @Test("every probe is a valid run after its parent")
    func probes() throws {
        let table = ReproductionTable.edit
        for probe in table.probes {
            var rates = table.anyRates
            rates[probe.id] = 1e-4
            let run = try table.recipe(of: probe.arm, plan: .full, seed: 1, rates: rates, student: Self.student)
            try run.validate()
            #expect(run.stages.map(\.name) == ["rwc", probe.id])
        }
    }

    @Test("the stages are those from the untrained student to the arm")
    func lineage() throws {
        func stages(_ arm: String, _ table: ReproductionTable) throws -> [String] {
            try recipe(arm, of: table).stages.map(\.name)
        }
        #expect(try stages("untrained", .edit).isEmpty)
        #expect(try stages("std-cot", .edit) == ["std-cot"])
        #expect(try stages("std-cot-krsl", .edit) == ["std-cot", "std-cot-krsl"])
        #expect(try stages("edit", .edit) == ["rwc", "edit"])
        #expect(try stages("cross-dpo", .supercorrect) == ["hsft", "cross-dpo"])
        // A second pass at inference is no stage.
        #expect(try stages("reflexion", .supercorrect) == ["hsft"])
        #expect(try recipe("reflexion", of: .supercorrect).decoding?.selfCorrection == true)
        #expect(try recipe("untrained", of: .supercorrect).decoding?.selfCorrection == nil)
        #expect(try recipe("edit", of: .edit).decoding?.selfCorrection == nil)
    }

    @Test("KRSL with a supervised term, word for word")
    func keySteps() throws {
        let expected = try EventCoding.decode(
            RunEvent.self,
            from: Data(
                """
                {
                  "id": "reproduction-edit-krsl-sft-7",
                  "name": "KRSL with a supervised term of weight 1",
                  "dataset": "reproduction-7",
                  "seed": 7,
                  "student": {"modelHash": "0a1b", "tokenizerFingerprint": "2c3d"},
                  "stages": [
                    {
                      "name": "rwc",
                      "parent": "initial",
                      "supervised": {"sources": [{"kind": "rightChains"}, {"kind": "rectifiedChains"}]},
                      "answers": "chain",
                      "start": {"examples": 60},
                      "training": {
                        "learningRate": 0.005, "maximumTokens": 40000, "batchSequences": 16, "schedule": "cosine",
                        "warmupRatio": 0.05
                      }
                    },
                    {
                      "name": "krsl-sft",
                      "parent": "rwc",
                      "keySteps": {"mix": [{"kind": "rightChains"}, {"kind": "rectifiedChains"}]},
                      "answers": "chain",
                      "start": {"examples": 60},
                      "training": {
                        "learningRate": 0.001, "maximumTokens": 10000, "batchSequences": 16, "schedule": "cosine",
                        "warmupRatio": 0.05
                      }
                    }
                  ],
                  "suites": [
                    {"name": "test", "dataset": "reproduction-7", "split": "test", "expectedProblems": 30},
                    {
                      "name": "longer-chains", "dataset": "reproduction-7-longer-chains", "split": "test",
                      "expectedProblems": 10
                    },
                    {
                      "name": "unseen-families", "dataset": "reproduction-7-unseen-families", "split": "test",
                      "expectedProblems": 10
                    }
                  ],
                  "decoding": {"temperature": 0, "maximumNewTokens": 80}
                }
                """.utf8
            )
        )
        #expect(try recipe("krsl-sft", of: .edit) == expected)
    }

    @Test("DPO on steps with likelihood and template terms, word for word")
    func preferences() throws {
        let run = try recipe("step-dpo-stable", of: .supercorrect)
        let expected = try EventCoding.decodeJSON(
            [RunStage].self,
            from: Data(
                """
                [
                  {
                    "name": "hsft",
                    "parent": "initial",
                    "supervised": {"sources": [{"kind": "templates"}, {"kind": "corrections"}]},
                    "answers": "template",
                    "start": {"examples": 120},
                    "training": {
                      "learningRate": 0.005, "epochs": 2, "batchSequences": 16, "schedule": "cosine", "warmupRatio": 0.05
                    }
                  },
                  {
                    "name": "step-dpo-stable",
                    "parent": "hsft",
                    "preferences": {
                      "layout": "step", "nllWeight": 1, "mixWeight": 10,
                      "mix": [{"kind": "templates"}, {"kind": "corrections"}]
                    },
                    "answers": "template",
                    "training": {
                      "learningRate": 0.001, "maximumTokens": 10000, "batchSequences": 16, "schedule": "cosine",
                      "warmupRatio": 0.05
                    }
                  }
                ]
                """.utf8
            )
        )
        #expect(run.stages == expected)
        #expect(run.rollout == RolloutOptions(split: .rollout, samples: 1, temperature: 0.7))
        #expect(run.decoding == DecodingOptions(maximumNewTokens: 160, selfCorrection: true))
    }

    @Test("what cannot be a run is named")
    func refusals() {
        func refusal(_ arm: String, seed: UInt64 = 1, rates: [String: Double] = [:]) -> String {
            do {
                _ = try ReproductionTable.edit.recipe(
                    ofArm: arm,
                    plan: .quick,
                    seed: seed,
                    rates: rates,
                    student: Self.student
                )
                return ""
            } catch {
                return "\(error)"
            }
        }
        #expect(refusal("rex").contains("no arm 'rex'; it has untrained, std-cot,"))
        // Of the parent too.
        #expect(refusal("edit", rates: ["edit": 1e-3]) == "the arm rwc needs a learning rate, for example of 0.005")
        #expect(refusal("rwc", seed: 1 << 53, rates: ["rwc": 1e-3]).contains("$.seed"))
        var plan = ReproductionPlan.quick
        plan.searchSeed = 1 << 53
        #expect(throws: ReproductionError.self) { try plan.validate() }
    }
}
