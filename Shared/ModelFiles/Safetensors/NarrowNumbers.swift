extension AtomicFile {
    /// Appends `values` in 16 bits each, rounded to nearest.
    ///
    /// - Parameters:
    ///   - values: What to write.
    ///   - tensor: The tensor's name, for messages.
    ///   - place: The file, for messages.
    ///   - type: The type's name, for messages.
    ///   - bits: The 16 bits of a value.
    /// - Throws: `ModelFileError` where a finite value is too large for the type, so that it would become infinite.
    mutating func append(
        _ values: UnsafeBufferPointer<Float>,
        tensor: String,
        place: String,
        type: String,
        bits: (Float) -> UInt16
    ) throws {
        let infinity = bits(.infinity)
        var chunk: [UInt16] = []
        var start = 0
        while start < values.count {
            let part = values[start..<min(start + 1 << 16, values.count)]
            chunk.removeAll(keepingCapacity: true)
            for value in part {
                let narrow = bits(value)
                if narrow & 0x7FFF == infinity, value.isFinite {
                    throw NarrowNumbers.overflow(value, tensor: tensor, place: place, type: type)
                }
                chunk.append(narrow.littleEndian)
            }
            try chunk.withUnsafeBytes { try append($0) }
            start = part.endIndex
        }
    }
}

/// What goes wrong where numbers are written in fewer bits than they have.
enum NarrowNumbers {
    static func overflow(_ value: Float, tensor: String, place: String, type: String) -> ModelFileError {
        let cure = type == "BF16" ? "F32 holds it" : "BF16 and F32 hold it"
        return ModelFileError(
            .unsupported,
            place: place,
            "tensor \(tensor) has the value \(value), which is too large for \(type); \(cure)"
        )
    }
}
