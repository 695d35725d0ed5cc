import Tokenization

/// A hash of what a run is trained on (FNV-1a, 64 bits), so that a checkpoint is not taken up with other data.
struct ContentHash: CustomStringConvertible {
    private var value: UInt64 = 0xCBF2_9CE4_8422_2325

    var description: String { String(value, radix: 16) }

    mutating func add(_ word: UInt64) { value = (value ^ word) &* 0x0000_0100_0000_01B3 }

    mutating func add(_ tokens: [TokenID]) {
        add(UInt64(tokens.count))
        for token in tokens { add(UInt64(UInt32(bitPattern: token))) }
    }

    mutating func add(_ weights: [Float]?) {
        guard let weights else { return add(.max) }
        add(UInt64(weights.count))
        for weight in weights { add(UInt64(weight.bitPattern)) }
    }

    mutating func add(_ values: UnsafeBufferPointer<Float>) {
        add(UInt64(values.count))
        for value in values { add(UInt64(value.bitPattern)) }
    }

    /// The hash of nothing.
    init() {}

    init(_ examples: [SupervisedExample]) {
        for example in examples {
            add(example.tokens)
            add(example.weights)
        }
    }

    init(_ pairs: [PreferenceExample]) {
        for pair in pairs {
            add(pair.prompt)
            add(pair.chosen)
            add(pair.rejected)
            add(pair.chosenWeights)
            add(pair.rejectedWeights)
        }
    }
}
