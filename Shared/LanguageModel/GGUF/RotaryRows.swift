/// The order of the rows of llama's query and key projections.
///
/// Hugging Face rotates the first half of a head against the second, llama.cpp neighbours: its converter therefore puts
/// row i of a head's halves side by side. Qwen's files keep Hugging Face's order.
struct RotaryRows {
    /// Heads of the projection.
    let heads: Int

    /// Whether a weight of Hugging Face's name is one whose rows are reordered, and how many heads it has.
    init?(_ name: String, _ configuration: ModelConfiguration) {
        guard [.llama, .mistral].contains(configuration.modelType) else { return nil }
        if name.hasSuffix(".self_attn.q_proj.weight") {
            heads = configuration.heads
        } else if name.hasSuffix(".self_attn.k_proj.weight") {
            heads = configuration.keyValueHeads
        } else {
            return nil
        }
    }

    /// Puts rows in llama.cpp's order.
    ///
    /// - Parameters:
    ///   - values: [heads · headDimension, columns] in Hugging Face's order.
    ///   - result: Room for as much.
    ///   - columns: Elements of a row.
    func interleave(
        _ values: UnsafeBufferPointer<Float>,
        into result: UnsafeMutableBufferPointer<Float>,
        columns: Int
    ) {
        forEachRow(values.count, columns) { huggingFace, gguf in
            copy(values, huggingFace, to: result, gguf, columns)
        }
    }

    /// Puts rows back in Hugging Face's order.
    ///
    /// - Parameters:
    ///   - values: [heads · headDimension, columns] in llama.cpp's order.
    ///   - result: Room for as much.
    ///   - columns: Elements of a row.
    func restore(
        _ values: UnsafeBufferPointer<Float>,
        into result: UnsafeMutableBufferPointer<Float>,
        columns: Int
    ) {
        forEachRow(values.count, columns) { huggingFace, gguf in
            copy(values, gguf, to: result, huggingFace, columns)
        }
    }

    private func copy(
        _ source: UnsafeBufferPointer<Float>,
        _ from: Int,
        to target: UnsafeMutableBufferPointer<Float>,
        _ row: Int,
        _ columns: Int
    ) {
        let values = UnsafeBufferPointer(rebasing: source[from * columns..<(from + 1) * columns])
        _ = UnsafeMutableBufferPointer(rebasing: target[row * columns..<(row + 1) * columns])
            .update(fromContentsOf: values)
    }

    private func forEachRow(_ count: Int, _ columns: Int, _ body: (_ huggingFace: Int, _ gguf: Int) -> Void) {
        let dimension = count / columns / heads
        for head in 0..<heads {
            for row in 0..<dimension / 2 {
                for half in 0..<2 {
                    body(head * dimension + half * dimension / 2 + row, head * dimension + 2 * row + half)
                }
            }
        }
    }
}
