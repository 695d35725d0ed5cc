/// The element types of GGUF tensors that Errata reads.
///
/// A quantised type stores a row as blocks of `blockSize` elements, `blockByteCount` bytes each.
public enum GGUFElementType: UInt32, Sendable, CaseIterable {
    /// IEEE single precision.
    case float32 = 0
    /// IEEE half precision.
    case float16 = 1
    /// Q4_0: 4-bit integers, a scale a block of 32.
    case q40 = 2
    /// Q4_1: 4-bit integers, a scale and a minimum a block of 32.
    case q41 = 3
    /// Q5_0: 5-bit integers, a scale a block of 32.
    case q50 = 6
    /// Q5_1: 5-bit integers, a scale and a minimum a block of 32.
    case q51 = 7
    /// Q8_0: 8-bit integers, a scale a block of 32.
    case q80 = 8
    /// Q2_K: 2-bit integers in groups of 16, whose scales and minima are quantised themselves.
    case q2K = 10
    /// Q3_K: 3-bit integers in groups of 16, whose scales are quantised themselves.
    case q3K = 11
    /// Q4_K: 4-bit integers in groups of 32, whose scales and minima are quantised themselves.
    case q4K = 12
    /// Q5_K: 5-bit integers in groups of 32, whose scales and minima are quantised themselves.
    case q5K = 13
    /// Q6_K: 6-bit integers in groups of 16, whose scales are quantised themselves.
    case q6K = 14
    /// The upper half of a single.
    case bfloat16 = 30

    /// The type's name in the format's documents.
    public var name: String { Self.names[rawValue] ?? "\(rawValue)" }

    /// Elements of one block.
    public var blockSize: Int {
        switch self {
        case .float32, .float16, .bfloat16: 1
        case .q40, .q41, .q50, .q51, .q80: 32
        case .q2K, .q3K, .q4K, .q5K, .q6K: 256
        }
    }

    /// Bytes of one block.
    public var blockByteCount: Int {
        switch self {
        case .float32: 4
        case .float16, .bfloat16: 2
        case .q40: 18
        case .q41: 20
        case .q50: 22
        case .q51: 24
        case .q80: 34
        case .q2K: 84
        case .q3K: 110
        case .q4K: 144
        case .q5K: 176
        case .q6K: 210
        }
    }

    /// The names of all types that can be read, for messages.
    static var readableNames: String { allCases.map(\.name).joined(separator: ", ") }

    /// What a type is called, whether it can be read or not.
    static func describe(_ rawValue: UInt32) -> String {
        names[rawValue].map { "type \($0)" } ?? "the unknown type \(rawValue)"
    }

    private static let names: [UInt32: String] = [
        0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K",
        12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
        20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
        29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0",
    ]
}
