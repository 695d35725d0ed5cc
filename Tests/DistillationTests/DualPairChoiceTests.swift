import Distillation
import Schemas
import Testing
import Tokenization
import Training

@Suite("The dual pairs that a stage's data chooses")
struct DualPairChoiceTests {
    private typealias Samples = StageSamples

    /// Nine pairs, in order of their problems: 3 logical, 1 of knowledge, 2 of calculation, 1 mixed, 1 other, 1 unknown.
    private static let kinds: [(mistake: String?, method: DualBody.Method)] = [
        ("logical", .corrupted), ("calculation", .corrupted), ("logical", .rectified), ("other", .corrupted),
        ("knowledge", .rectified), ("calculation", .rectified), ("logical", .rectified), (nil, .rectified),
        ("logical+knowledge", .corrupted),
    ]

    /// The pairs that are chosen, by the place of their problem.
    private func chosen(
        _ data: StageData?,
        of kinds: [(mistake: String?, method: DualBody.Method)] = kinds
    ) throws -> [Int] {
        let codec = try TokenizerKind.bytes.codec()
        let problems = kinds.indices.map { Samples.problem("p\($0)", "What is \($0)?", "\($0)") }
        let traces = kinds.indices.map { index in
            Samples.dual(
                "d\(index)",
                problems[index],
                right: "It is \(index).",
                wrong: "It is 99.",
                kinds[index].method,
                kinds[index].mistake
            )
        }
        let stage = RunStage(name: "dpo", preferences: PreferenceMethod(layout: "duals"), data: data)
        let material = StageMaterial(problems: problems.reversed(), traces: traces.reversed())
        return try Samples.collect(stage, material, codec: codec).pairs.compactMap {
            codec.text($0.prompt).firstMatch(of: /What is (\d)/).flatMap { Int($0.1) }
        }
    }

    @Test("by how a pair came to be; all unless the run says one way")
    func pairs() throws {
        #expect(try chosen(nil) == [0, 1, 2, 3, 4, 5, 6, 7, 8])
        #expect(try chosen(StageData(pairs: "all")) == [0, 1, 2, 3, 4, 5, 6, 7, 8])
        #expect(try chosen(StageData(pairs: "corrupted")) == [0, 1, 3, 8])
        #expect(try chosen(StageData(pairs: "rectified")) == [2, 4, 5, 6, 7])
    }

    @Test("by the pattern of the mistake, a whole pattern each; a pair without one counts as other")
    func mistakes() throws {
        #expect(try chosen(StageData(mistakes: ["logical"])) == [0, 2, 6])
        #expect(try chosen(StageData(mistakes: ["other", "logical+knowledge"])) == [3, 7, 8])
        #expect(try chosen(StageData(pairs: "rectified", mistakes: ["logical", "calculation"])) == [2, 5, 6])
    }

    @Test("as many of each pattern as the rarest of the three has, the first in order of id")
    func equalMistakes() throws {
        let second = Self.kinds + [("knowledge", .corrupted)]
        #expect(try chosen(StageData(mistakes: ["logical"], equalMistakes: true)) == [0])
        #expect(try chosen(StageData(mistakes: ["logical"], equalMistakes: true), of: second) == [0, 2])
        #expect(
            try chosen(StageData(mistakes: ["calculation", "logical"], equalMistakes: true), of: second) == [
                0, 1, 2, 5,
            ]
        )
        #expect(try chosen(StageData(mistakes: ["logical"], equalMistakes: false)) == [0, 2, 6])
        // Other patterns are cut down too where they are asked for: 3 and 7 are both other.
        #expect(try chosen(StageData(equalMistakes: true)) == [0, 1, 3, 4, 8])
        // Counted among the pairs of the way that is asked for.
        #expect(try chosen(StageData(pairs: "rectified", equalMistakes: true)) == [2, 4, 5, 7])
    }

    @Test("where one of the three patterns has no pair there is nothing, which is an error")
    func noneOfOne() {
        let data = StageData(pairs: "corrupted", equalMistakes: true)
        #expect(
            Samples.failure { _ = try chosen(data) } == "the stage dpo has nothing to learn from (pairs 0)"
        )
    }
}
