import Foundation
import LanguageModel
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import Training

extension PreferenceTrainer {
    /// Loss, metrics and every gradient of one update over all pairs, in the order given.
    func probe(
        _ model: CausalLanguageModel,
        passes: [[Int]]? = nil
    ) throws -> (outcome: TrainingLoop.Outcome, gradients: [String: [Float]]) {
        for (_, tensor) in model.parameters { tensor.clearGradient() }
        let all = Array(pairs.indices)
        let outcome = try gradients(of: .init(examples: all, epoch: 1), passes: passes ?? [all])
        var gradients: [String: [Float]] = [:]
        for (name, tensor) in model.parameters { gradients[name] = tensor.gradient }
        return (outcome, gradients)
    }
}

@Suite("Shared prefixes in preference training")
struct SharedPrefixTests {
    /// Pairs of all awkward kinds: prompts of one token, completions of one token, completions that begin alike, one
    /// that is the beginning of the other.
    private static func pairs(seed: UInt64, weighted: Bool) -> [PreferenceExample] {
        var generator = SeededGenerator(seed: seed)
        func tokens(_ count: Int) -> [TokenID] { (0..<count).map { _ in TokenID(generator.next() % 40) } }
        func weights(_ count: Int) -> [Float]? {
            weighted ? (0..<count).map { _ in Float(generator.nextUniform() * 2 - 0.5) } : nil
        }
        let shapes = [
            (1, 0, 1, 1), (1, 0, 7, 2), (9, 3, 5, 11), (67, 1, 1, 70), (5, 4, 0, 6), (13, 2, 3, 0), (64, 0, 64, 1),
        ]
        return shapes.enumerated().map { index, shape in
            let (prompt, common, chosen, rejected) = shape
            let shared = tokens(common)
            var pair = PreferenceExample(
                id: "\(index)",
                prompt: tokens(prompt + Int(generator.next() % 3)),
                chosen: shared + tokens(chosen),
                rejected: shared + tokens(rejected)
            )
            pair.chosenWeights = weights(pair.chosen.count)
            pair.rejectedWeights = weights(pair.rejected.count)
            return pair
        }
    }

    @Test(
        "loss, metrics, reference and every gradient equal those without sharing",
        arguments: PreferenceLoss.allCases,
        [false, true]
    )
    func equalsUnshared(loss: PreferenceLoss, weighted: Bool) throws {
        for seed in [UInt64(1), 2] {
            let pairs = Self.pairs(seed: seed, weighted: weighted)
            let runs = try [true, false].map { shares in
                let model = try SmallStudent.model()
                var generator = SeededGenerator(seed: 9)
                let reference = model.copy()
                for (_, tensor) in reference.parameters {
                    tensor.withMutableValues { values in
                        for index in values.indices { values[index] += Float(generator.nextNormal() * 0.02) }
                    }
                }
                let trainer = try PreferenceTrainer(
                    model: model,
                    reference: reference,
                    pairs: pairs,
                    options: TrainingOptions(learningRate: 0, shuffle: false),
                    preference: PreferenceOptions(loss: loss, beta: 0.3, nllWeight: 0.2, sharesPrefixes: shares)
                )
                return (trainer, try trainer.probe(model))
            }
            let ((sharing, shared), (plain, unshared)) = (runs[0], runs[1])
            for (mine, theirs) in zip(sharing.pairs, plain.pairs) where loss != .simpo {
                let expected = try [#require(theirs.referenceChosen), #require(theirs.referenceRejected)]
                let found = try [#require(mine.referenceChosen), #require(mine.referenceRejected)]
                expectClose(found, expected, "reference")
            }
            #expect(abs(shared.outcome.loss - unshared.outcome.loss) <= 1e-5 * abs(unshared.outcome.loss))
            for (name, value) in unshared.outcome.metrics {
                let mine = try #require(shared.outcome.metrics[name])
                #expect(abs(mine - value) <= 1e-4 * abs(value) + 1e-6, "\(name): \(mine), without sharing \(value)")
            }
            for (name, gradient) in unshared.gradients {
                expectClose(try #require(shared.gradients[name]), gradient, "gradient of \(name)")
            }
        }
    }

    @Test("a token that both sides share is computed and counted once")
    func counts() throws {
        for (index, pair) in Self.pairs(seed: 3, weighted: false).enumerated() {
            for shares in [true, false] {
                let layout = PreferenceLayout([pair], sharesPrefixes: shares)
                #expect(layout.batch.tokens.count == pair.computedTokens(sharesPrefixes: shares), "pair \(index)")
            }
            let whole = 2 * pair.prompt.count + pair.chosen.count + pair.rejected.count
            #expect(pair.computedTokens(sharesPrefixes: false) == whole)
            #expect(pair.computedTokens(sharesPrefixes: true) <= whole - pair.prompt.count)
        }
        let model = try SmallStudent.model()
        let pair = PreferenceExample(id: "a", prompt: [1, 2, 3], chosen: [4, 5, 6], rejected: [4, 7])
        var tokens: [Double?] = []
        var computed: [Int] = []
        for shares in [true, false] {
            _ = try PreferenceTrainer(
                model: model,
                pairs: [pair],
                options: TrainingOptions(learningRate: 0),
                preference: PreferenceOptions(sharesPrefixes: shares)
            ).run {
                tokens.append($0.metrics["num_tokens"])
                computed.append($0.tokensSeen)
            }
        }
        // As TRL counts them, whatever is computed once.
        #expect(tokens == [11, 11])
        #expect(computed == [7, 11])

        // Counted on where a run is resumed.
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).safetensors")
        defer { try? FileManager.default.removeItem(at: file) }
        let other = PreferenceExample(id: "b", prompt: [1, 2], chosen: [4], rejected: [4, 7, 8])
        func trainer() throws -> PreferenceTrainer {
            try PreferenceTrainer(
                model: model,
                pairs: [pair, other],
                options: TrainingOptions(learningRate: 0, maximumSteps: 4, batchSequences: 1, shuffle: false)
            )
        }
        let first = try trainer()
        var counts: [Double?] = []
        _ = try first.run { step in
            counts.append(step.metrics["num_tokens"])
            if step.step == 3 { try first.saveCheckpoint(to: file) }
        }
        #expect(counts == [11, 19, 30, 38])
        let second = try trainer()
        try second.resume(from: file)
        counts = []
        _ = try second.run { counts.append($0.metrics["num_tokens"]) }
        #expect(counts == [38])
    }

    @Test("a packed group holds each sequence's tokens at its own positions, and shares what is alike")
    func layout() {
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<200 {
            // Two kinds of token, so that sequences part and meet at every depth.
            let groups = (0..<1 + Int(generator.next() % 3)).map { _ in
                (0..<1 + Int(generator.next() % 5)).map { _ in
                    (0..<Int(generator.next() % 6)).map { _ in TokenID(generator.next() % 2) }
                }
            }
            let batch = PackedBatch(groups: groups)
            let sequences = groups.flatMap { $0 }
            #expect(batch.count == sequences.count)
            for (index, sequence) in sequences.enumerated() {
                let rows = batch.rows(ofSequence: index).map { Int($0) }
                #expect(rows.map { batch.tokens[$0] } == sequence)
                #expect(rows.map { batch.positions[$0] } == sequence.indices.map { Int32($0) })
            }
            let prefixes = groups.map { group in Set(group.flatMap { s in s.indices.map { Array(s[...$0]) } }).count }
            #expect(batch.tokens.count == prefixes.reduce(0, +))
        }
    }
}
