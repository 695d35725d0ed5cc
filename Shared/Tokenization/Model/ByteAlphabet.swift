/// GPT-2's spelling of the 256 bytes as printable characters, which byte-level vocabularies are written in.
enum ByteAlphabet {
    /// The character of each byte, as a scalar value.
    static let scalars: [UInt32] = {
        let printable = [UInt32(0x21)...0x7E, 0xA1...0xAC, 0xAE...0xFF]
        var next: UInt32 = 256
        return (UInt32(0)..<256).map { byte in
            if printable.contains(where: { $0.contains(byte) }) { return byte }
            defer { next += 1 }
            return next
        }
    }()

    /// The UTF-8 form of each byte's character.
    static let spellings: [[UInt8]] = scalars.map { scalar in
        Array(String(Unicode.Scalar(scalar).map(Character.init) ?? " ").utf8)
    }

    private static let bytes: [Int16] = {
        var table = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { table[Int(scalar)] = Int16(byte) }
        return table
    }()

    /// The bytes that a token spells, or nil when it holds a character outside the alphabet.
    static func decode(_ token: some Sequence<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        for scalar in String(decoding: Array(token), as: UTF8.self).unicodeScalars {
            guard scalar.value < bytes.count, bytes[Int(scalar.value)] >= 0 else { return nil }
            result.append(UInt8(bytes[Int(scalar.value)]))
        }
        return result
    }

    /// `bytes` spelled in the alphabet.
    static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] { bytes.flatMap { spellings[Int($0)] } }
}
