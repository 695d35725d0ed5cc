/// A word problem with its gold answer.
public struct Problem: Sendable, Hashable, Codable {
    /// A stable identifier: a hash of the question unless the source named one.
    public var id: String
    /// The question as it is put to a model.
    public var question: String
    /// The worked solution in GSM8K's layout (`<<a+b=c>>` marks), without the final `####` line.
    public var solution: String?
    /// The gold answer.
    public var answer: String
    /// The generator's family, or the source's own label.
    public var family: String?
    /// The number of dependent calculations, where known.
    public var steps: Int?

    /// Makes a problem; the identifier defaults to a hash of the question.
    public init(
        id: String? = nil,
        question: String,
        solution: String?,
        answer: String,
        family: String? = nil,
        steps: Int? = nil
    ) {
        self.id = id ?? StableHash.hexadecimal(of: question)
        self.question = question
        self.solution = solution
        self.answer = answer
        self.family = family
        self.steps = steps
    }
}

/// Hashes that are the same in every process and on every machine.
public enum StableHash {
    /// A 64-bit FNV-1a hash with a final avalanche.
    public static func value(of text: String, basis: UInt64 = 0xcbf2_9ce4_8422_2325) -> UInt64 {
        var hash = basis
        for byte in text.utf8 {
            hash ^= UInt64(byte)
            hash = hash &* 0x0000_0100_0000_01b3
        }
        hash ^= hash >> 33
        hash = hash &* 0xff51_afd7_ed55_8ccd
        hash ^= hash >> 33
        hash = hash &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ (hash >> 33)
    }

    /// 128 bits as 32 hexadecimal digits.
    public static func hexadecimal(of text: String) -> String {
        let high = value(of: text)
        let low = value(of: text, basis: 0x6c62_272e_07bb_0142)
        return padded(high) + padded(low)
    }

    private static func padded(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// A small seeded generator (SplitMix64): the same seed gives the same numbers everywhere.
package struct ReasoningRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// A number in the range, the same on every platform and library version.
    package mutating func integer(_ range: ClosedRange<Int>) -> Int {
        let width = UInt64(range.upperBound - range.lowerBound) &+ 1
        return range.lowerBound + Int(next() % width)
    }

    package mutating func chance(_ probability: Double) -> Bool {
        Double(next() >> 11) * 0x1p-53 < probability
    }

    package mutating func pick<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[integer(0...(elements.count - 1))]
    }

    package mutating func shuffle<Element>(_ elements: inout [Element]) {
        guard elements.count > 1 else { return }
        for index in stride(from: elements.count - 1, to: 0, by: -1) {
            elements.swapAt(index, integer(0...index))
        }
    }
}
