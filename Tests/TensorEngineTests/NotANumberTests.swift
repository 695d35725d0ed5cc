import Testing

@testable import TensorEngine

/// What depends on a NaN is one, in every kernel, as in PyTorch; and what does not depend on it is none.
@Suite("NaN is never hidden")
struct NotANumberTests {
    /// Places in a row of 37: whole vectors, their ends and the rest.
    private static let places = [0, 1, 15, 16, 31, 32, 36]

    private func tensor(
        _ shape: [Int],
        _ context: ComputeContext,
        seed: UInt64 = 1,
        nan: Int? = nil,
        value: Float = .nan
    ) throws -> Tensor {
        var generator = SeededGenerator(seed: seed)
        var values = randomValues(shape.reduce(1, *), &generator)
        if let nan { values[nan] = value }
        return try Tensor(values, shape: shape, context: context, requiresGradient: true)
    }

    /// Holds that the given rows are NaN in every column and the others in none.
    private func expectNaN(
        _ values: [Float]?,
        columns: Int,
        rows: Set<Int>,
        _ label: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let values = try #require(values, sourceLocation: sourceLocation)
        for row in 0..<values.count / columns {
            let count = values[row * columns..<(row + 1) * columns].count { $0.isNaN }
            let expected = rows.contains(row) ? columns : 0
            #expect(
                count == expected,
                "\(label), row \(row): \(count) of \(columns) are NaN",
                sourceLocation: sourceLocation
            )
        }
    }

    @Test("products: a row that meets a NaN, in either precision", arguments: KernelTable.available, places)
    func products(kernels: KernelTable, place: Int) throws {
        for precision in MatrixPrecision.allCases {
            for rows in [3, 40] {
                let context = ComputeContext(threads: 2, kernels: kernels)
                context.matrixPrecision = precision
                let x = try tensor([rows, 37], context, nan: 37 + place)
                let weight = try tensor([50, 37], context, seed: 2)
                let tape = Tape(context: context)
                let y = try tape.linear(x, weight: weight)
                try expectNaN(y.values, columns: 50, rows: [1], "linear \(precision)")
                try tape.seed(y, with: [Float](repeating: 1, count: y.count))
                try tape.backward()
                let gradient = try #require(weight.gradient)
                for index in gradient.indices { #expect(gradient[index].isNaN == (index % 37 == place)) }
                for stored in [weight, weight.converted(to: .bfloat16)] {
                    let output = Tensor(zeros: [rows, 50], context: context)
                    InferenceKernels.products(of: x.pointer, rows: rows, by: [.init(stored, into: output.pointer)])
                    try expectNaN(output.values, columns: 50, rows: [1], "inference \(stored.elementType)")
                }
            }
        }
    }

    @Test("norms and SwiGLU, forwards and backwards", arguments: KernelTable.available, places)
    func elementwise(kernels: KernelTable, place: Int) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        let tape = Tape(context: context)
        let x = try tensor([3, 37], context, nan: 37 + place)
        let weight = try tensor([37], context, seed: 2)
        let norm = try tape.rmsNorm(x, weight: weight, epsilon: 1e-5)
        try expectNaN(norm.values, columns: 37, rows: [1], "norm")
        try tape.seed(norm, with: [Float](repeating: 1, count: norm.count))
        try tape.backward()
        try expectNaN(x.gradient, columns: 37, rows: [1], "gradient of the norm")
        for isGate in [true, false] {
            let gate = try tensor([3, 37], context, nan: isGate ? 37 + place : nil)
            let up = try tensor([3, 37], context, seed: 3, nan: isGate ? nil : 37 + place)
            let y = try tape.swiglu(gate: gate, up: up)
            #expect(y.values.enumerated().allSatisfy { $1.isNaN == ($0 == 37 + place) })
            try tape.seed(y, with: [Float](repeating: 1, count: y.count))
            try tape.backward()
            #expect(try #require(gate.gradient).enumerated().allSatisfy { $1.isNaN == ($0 == 37 + place) })
            // The other side's own gradient is that of the gate's value.
            #expect(try #require(up.gradient).enumerated().allSatisfy { $1.isNaN == (isGate && $0 == 37 + place) })
        }
    }

    @Test("attention: rows that see a NaN, forwards and backwards", arguments: KernelTable.available, places)
    func attention(kernels: KernelTable, place: Int) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        let (rows, width) = (40, 8)
        for part in 0..<3 {
            let parts = try (0..<3).map { index in
                try tensor([rows, width], context, seed: UInt64(index), nan: index == part ? place * width : nil)
            }
            let tape = Tape(context: context)
            let y = try tape.causalAttention(
                queries: parts[0],
                keys: parts[1],
                values: parts[2],
                offsets: [0, 37, 40],
                headDimension: 8
            )
            // A query is its own row's; a key or value that of all rows after it in the same sequence. Those before it give
            // it the weight 0, which a product makes a NaN of, here and in PyTorch.
            let seen = Set(part == 0 ? place...place : place...36)
            func check(_ values: [Float]?, everywhere: Bool, exactly: Bool, _ label: String) throws {
                let values = try #require(values)
                let rest = (0..<rows).filter { exactly ? !seen.contains($0) : $0 > 36 }
                for row in rest { #expect(!values[row * width..<(row + 1) * width].contains { $0.isNaN }, "\(label)") }
                for row in seen {
                    let count = values[row * width..<(row + 1) * width].count { $0.isNaN }
                    #expect(everywhere ? count == width : count > 0, "\(label), row \(row)")
                }
            }
            try check(y.values, everywhere: part < 2, exactly: part < 2, "part \(part)")
            try tape.seed(y, with: [Float](repeating: 1, count: y.count))
            try tape.backward()
            try check(parts[0].gradient, everywhere: true, exactly: part == 0, "queries' gradient, part \(part)")
            let keys = try #require(parts[1].gradient)
            #expect(keys[..<width].contains { $0.isNaN }, "the first key is seen by all, part \(part)")
            #expect(!keys[(37 * width)...].contains { $0.isNaN }, "another sequence sees none, part \(part)")
        }
    }

    @Test("attention to a cache", arguments: KernelTable.available, places)
    func cachedAttention(kernels: KernelTable, place: Int) throws {
        let context = ComputeContext(threads: 1, kernels: kernels)
        for (length, isHidden) in [(37, false), (place, true)] where length > 0 {
            let queries = try tensor([1, 8], context)
            let keys = try tensor([8, 48], context, seed: 2, nan: 3 * 48 + place)
            let values = try tensor([48, 8], context, seed: 3)
            let y = Tensor(zeros: [1, 8], context: context)
            let scratch = Tensor(zeros: [64], context: context)
            InferenceKernels.cachedAttention(
                context: context,
                queries: queries.pointer,
                keys: keys.pointer,
                values: values.pointer,
                into: y.pointer,
                scratch: scratch.pointer,
                length: length,
                capacity: 48,
                headDimension: 8,
                group: 1
            )
            // What lies beyond the length is not seen.
            #expect(y.values.allSatisfy { $0.isNaN != isHidden })
        }
    }

    @Test(
        "log-probabilities: a row with a NaN or +∞, or with nothing above −∞",
        arguments: KernelTable.available,
        places
    )
    func logProbabilities(kernels: KernelTable, place: Int) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        let targets: [Int32] = [4, 4, 36]
        for value in [Float.nan, .infinity] {
            // The identity makes the hidden states the logits; the NaN is the value of a row of the head for row 1 alone.
            var identity = [Float](repeating: 0, count: 37 * 2)
            for token in 0..<37 { identity[token * 2] = Float(token) / 10 }
            identity[place * 2 + 1] = 1
            let weight = try Tensor(identity, shape: [37, 2], context: context, requiresGradient: true)
            let hidden = try Tensor([1, 0, 1, value, 2, 0], shape: [3, 2], context: context, requiresGradient: true)
            func check(_ found: [Float], _ statistics: [TokenStatistics], _ label: String) throws {
                #expect(found.map(\.isNaN) == [false, true, false], "\(label): \(found)")
                #expect(statistics.map { $0.entropy.isNaN } == [false, true, false], "\(label)")
                #expect(statistics.map(\.isLikeliest) == [false, false, true], "\(label)")
            }
            let tape = Tape(context: context)
            let found = try tape.tokenStatistics(hidden, weight: weight, targets: targets)
            try check(found.logProbabilities.values, found.statistics, "\(value)")
            try tape.seed(found.logProbabilities, with: [1, 1, 1])
            try tape.backward()
            try expectNaN(hidden.gradient, columns: 2, rows: [1], "gradient of \(value)")
            for loss in NegativeTokenLoss.allCases {
                for weights in [[1, 1, 1], [-1, -1, -1]] as [[Float]] {
                    let fused = try Tape(context: context, recording: false).weightedNegativeLogLikelihood(
                        hidden,
                        weight: weight,
                        targets: targets,
                        weights: weights,
                        negative: NegativeTokens(loss: loss, threshold: 100)
                    )
                    #expect(fused.loss.isNaN, "\(loss) \(weights)")
                    try check(fused.logProbabilities, fused.statistics, "\(loss)")
                }
            }
        }
        let nothing = [Float](repeating: -.infinity, count: 37)
        #expect(InferenceKernels.logProbability(context: context, nothing, target: 3, vocabulary: 37).isNaN)
        var one = nothing
        one[place] = 2
        let certain = InferenceKernels.logProbability(context: context, one, target: Int32(place), vocabulary: 37)
        #expect(abs(certain) < 1e-6)
    }

    @Test("exponentials, and sums and scales in place", arguments: KernelTable.available, places)
    func exponentials(kernels: KernelTable, place: Int) throws {
        let context = ComputeContext(threads: 1, kernels: kernels)
        for (value, expected) in [(Float.nan, Float.nan), (-.infinity, 0)] {
            let x = try tensor([37], context, nan: place, value: value)
            let y = Tensor(zeros: [37], context: context)
            InferenceKernels.exponentials(
                context: context,
                x.pointer,
                into: y.pointer,
                subtract: 0.5,
                factor: 2,
                count: 37
            )
            for (index, found) in y.values.enumerated() {
                if index == place {
                    #expect(expected.isNaN ? found.isNaN : found < 1e-37)
                } else {
                    #expect(found > 0 && found < 10)
                }
            }
        }
        let x = try tensor([3, 37], context, nan: 37 + place)
        let sum = try Tape(context: context).add(x, try tensor([3, 37], context, seed: 4))
        #expect(sum.values.enumerated().allSatisfy { $1.isNaN == ($0 == 37 + place) })
        let half = x.converted(to: .bfloat16).values
        #expect(half.enumerated().allSatisfy { $1.isNaN == ($0 == 37 + place) })
    }

    @Test("AdamW says when an update leaves a value that is not finite", arguments: KernelTable.available, places)
    func adamW(kernels: KernelTable, place: Int) throws {
        // A gradient of 1e20 is finite, its square is not: the parameter would never move again.
        for (value, isFinite) in [(Float(1), true), (.nan, false), (.infinity, false), (1e20, false)] {
            let context = ComputeContext(threads: 2, kernels: kernels)
            let other = try tensor([40_000], context)
            let parameter = try tensor([37], context, seed: 2)
            let optimizer = AdamW(
                parameters: [other, parameter].map { AdamW.Parameter(name: "p", tensor: $0, decays: false) }
            )
            for _ in 0..<2 {
                var gradient = [Float](repeating: 0.1, count: 37)
                gradient[place] = value
                try Tape(context: context).seed(parameter, with: gradient)
                try Tape(context: context).seed(other, with: [Float](repeating: 0.1, count: 40_000))
                optimizer.step(learningRate: 0.1)
                #expect(optimizer.isFinite == isFinite, "gradient \(value)")
            }
            #expect(parameter.values.indices.allSatisfy { $0 == place || parameter.values[$0].isFinite })
        }
    }
}
