import Foundation
import TensorEngine
import Testing
import Tokenization

@testable import LanguageModel

/// The sampler against one that sorts the whole vocabulary.
@Suite("Ranked tokens and what is drawn from them")
struct RankedTokenTests {
    /// Logits of many kinds: spread, flat, equal, with ties, with a few that tower, in order, out of reach.
    private static func logits(_ kind: Int, _ count: Int, _ generator: inout SeededGenerator) -> [Float] {
        (0..<count).map { index in
            switch kind {
            case 0: Float(generator.nextNormal() * 3)
            case 1: Float(generator.nextNormal() * 0.01)
            case 2: 1.5
            case 3: Float(Int(generator.next() % 5))
            case 4: generator.next() % 200 == 0 ? Float(10 + generator.nextUniform()) : Float(generator.nextNormal())
            case 5: Float(index) / 50
            case 6: -Float(index) / 50
            default: index == 0 || generator.next() % 3 == 0 ? Float(generator.nextNormal()) : -.infinity
            }
        }
    }
    private static let kinds = 0..<8

    private static func weights(_ logits: [Float], temperature: Double, context: ComputeContext) -> [Float] {
        var weights = logits
        let largest = logits.max() ?? 0
        InferenceKernels.exponentials(
            context: context,
            logits,
            into: &weights,
            subtract: largest,
            factor: Float(1 / temperature),
            count: logits.count
        )
        return weights
    }

    private static func sorted(_ weights: [Float]) -> [Int] {
        weights.indices.sorted { weights[$0] != weights[$1] ? weights[$0] > weights[$1] : $0 < $1 }
    }

    /// As the sampler draws, by sorting everything: logits for top-k, else weights.
    private static func naive(
        _ logits: [Float],
        _ weights: [Float],
        _ parameters: GenerationParameters,
        uniform: Double
    ) -> Int {
        var total = weights.reduce(0.0) { $0 + Double($1) }
        guard (1..<weights.count).contains(parameters.topK) || parameters.topP < 1 else {
            var left = uniform * total
            for (index, weight) in weights.enumerated() {
                left -= Double(weight)
                if left < 0 { return index }
            }
            return weights.firstIndex(of: weights.max() ?? 0) ?? 0
        }
        var order = sorted(weights)
        if (1..<order.count).contains(parameters.topK) {
            order = sorted(logits)
            order.removeLast(order.count - parameters.topK)
            total = order.reduce(0) { $0 + Double(weights[$1]) }
        }
        if parameters.topP < 1 {
            var mass = 0.0
            var kept = 0
            while kept < order.count, kept == 0 || mass < parameters.topP * total {
                mass += Double(weights[order[kept]])
                kept += 1
            }
            order.removeLast(order.count - kept)
            total = mass
        }
        var left = uniform * total
        for index in order {
            left -= Double(weights[index])
            if left < 0 { return index }
        }
        return order[order.count - 1]
    }

    @Test("the heaviest tokens are those of a sort, in its order, ties by index included", arguments: kinds)
    func heaviest(kind: Int) {
        let context = ComputeContext(threads: 1)
        var generator = SeededGenerator(seed: UInt64(kind))
        for count in [1, 2, 17, 300, 5000] {
            let weights = Self.weights(Self.logits(kind, count, &generator), temperature: 1, context: context)
            let order = Self.sorted(weights)
            weights.withUnsafeBufferPointer { weights in
                for limit in [1, 2, 20, count / 2, count - 1, count, count + 3, 2500] where limit > 0 {
                    let segments = SegmentMaxima(of: weights, context: context)
                    for ranked in [
                        RankedTokens(largest: limit, of: weights),
                        RankedTokens(largest: limit, of: weights, segments: segments),
                    ] {
                        #expect(
                            (0..<ranked.count).map { ranked.token($0) } == Array(order.prefix(limit)),
                            "\(limit) of \(count)"
                        )
                        #expect((0..<ranked.count).allSatisfy { ranked.value($0) == weights[order[$0]] })
                    }
                }
                let total = weights.reduce(0.0) { $0 + Double($1) }
                for (share, floor) in [(0.1, -1), (0.5, 0), (0.9, weights[order[count / 2]]), (1, 0)]
                    as [(Double, Float)]
                {
                    let ranked = RankedTokens(covering: share * total, of: weights, above: floor)
                    let tokens = (0..<ranked.count).map { ranked.token($0) }
                    let wanted = order.filter { weights[$0] > floor }
                    #expect(tokens == Array(wanted.prefix(ranked.count)), "\(share) above \(floor) of \(count)")
                    let mass = tokens.reduce(0.0) { $0 + Double(weights[$1]) }
                    #expect(mass >= share * total || ranked.count == wanted.count)
                }
            }
        }
    }

    @Test("logits as well, and NaN comes last", arguments: kinds)
    func logits(kind: Int) {
        let context = ComputeContext(threads: 1)
        var generator = SeededGenerator(seed: UInt64(50 + kind))
        for count in [1, 2, 63, 64, 65, 300, 5000] {
            var values = Self.logits(kind, count, &generator)
            if count > 64 { for place in stride(from: 3, to: count, by: 7) { values[place] = .nan } }
            let numbers = values.indices.filter { !values[$0].isNaN }
            let order = numbers.sorted { values[$0] != values[$1] ? values[$0] > values[$1] : $0 < $1 }
            values.withUnsafeBufferPointer { values in
                let segments = SegmentMaxima(of: values, context: context)
                #expect(segments.firstLargest(in: values) == order[0])
                for limit in [1, 2, 20, 200, order.count] {
                    let ranked = RankedTokens(largest: limit, of: values, segments: segments)
                    let known = min(ranked.count, order.count)
                    #expect(
                        (0..<known).map { ranked.token($0) } == Array(order.prefix(limit)),
                        "\(limit) of \(count)"
                    )
                    #expect((0..<known).allSatisfy { ranked.value($0) == values[order[$0]] })
                    #expect((known..<ranked.count).allSatisfy { values[ranked.token($0)].isNaN })
                }
            }
        }
    }

    @Test("what is drawn is what a sort of the whole vocabulary draws, for the same seed", arguments: kinds)
    func draws(kind: Int) throws {
        let context = ComputeContext(threads: 1)
        var generator = SeededGenerator(seed: UInt64(100 + kind))
        for count in [1, 2, 9, 300, 5000] {
            let logits = Self.logits(kind, count, &generator)
            for (topK, topP) in [
                (0, 1.0), (1, 1), (2, 1), (20, 1), (50, 1), (count, 1), (count + 1, 0.9), (0, 0.1), (0, 0.8), (0, 0.95),
                (0, 0.9999), (20, 0.8), (50, 0.95), (max(1, count - 1), 0.5), (3000, 0.99),
            ] {
                for temperature in [0.3, 1, 4] {
                    let parameters = GenerationParameters(temperature: temperature, topK: topK, topP: topP, seed: 5)
                    let weights = Self.weights(logits, temperature: temperature, context: context)
                    for stream in 0..<(count > 1000 ? 4 : 12) {
                        var sampler = TokenSampler(parameters: parameters, stream: UInt64(stream), prompt: [])
                        var same = sampler.generator
                        var scratch = logits
                        let token = sampler.next(logits, scratch: &scratch, vocabulary: count, context: context)
                        let expected = Self.naive(logits, weights, parameters, uniform: same.nextUniform())
                        #expect(
                            token == TokenID(expected),
                            "top-k \(topK), top-p \(topP) at \(temperature) of \(count)"
                        )
                    }
                }
            }
        }
    }

    @Test("at a vocabulary of 151,936 as well, flat and peaked", arguments: [0, 1, 2, 5])
    func largeVocabulary(kind: Int) throws {
        let context = ComputeContext(threads: 1)
        var generator = SeededGenerator(seed: 9)
        let logits = Self.logits(kind, 151_936, &generator)
        let weights = Self.weights(logits, temperature: 1, context: context)
        for (topK, topP) in [(20, 1.0), (50, 1), (0, 0.8), (0, 0.95), (20, 0.8)] {
            let parameters = GenerationParameters(temperature: 1, topK: topK, topP: topP, seed: 7)
            var sampler = TokenSampler(parameters: parameters, stream: 3, prompt: [])
            var same = sampler.generator
            var scratch = logits
            let token = sampler.next(logits, scratch: &scratch, vocabulary: logits.count, context: context)
            #expect(
                token == TokenID(Self.naive(logits, weights, parameters, uniform: same.nextUniform())),
                "\(topK) \(topP)"
            )
        }
    }

    @Test("nothing is drawn where no logit is a finite number, or the penalty makes them none")
    func nothing() {
        let context = ComputeContext(threads: 1)
        func next(_ logits: [Float], _ parameters: GenerationParameters, prompt: [TokenID] = []) -> TokenID? {
            var sampler = TokenSampler(parameters: parameters, stream: 0, prompt: prompt)
            var scratch = logits
            return sampler.next(logits, scratch: &scratch, vocabulary: logits.count, context: context)
        }
        for temperature in [0.0, 1] {
            for topK in [0, 2] {
                let parameters = GenerationParameters(temperature: temperature, topK: topK)
                #expect(next([-.infinity, -.infinity, -.infinity], parameters) == nil)
                #expect(next([.nan, 1, 2], parameters) == nil)
                #expect(next([1, .infinity, 2], parameters) == nil)
                #expect(next([-.infinity, -.infinity, 2], parameters) == 2)
            }
        }
        let penalty = GenerationParameters(repetitionPenalty: 1e38)
        #expect(next([-1e10, -1e10], penalty, prompt: [0, 1]) == nil)
        #expect(next([-1e10, -1e10], penalty, prompt: [0]) == 1)
    }
}
