import Foundation
import ModelFiles

/// The weights of a GGUF file under Hugging Face's names and in their order of rows.
///
/// For the architecture `llama` the converter of llama.cpp moves the rows of queries and keys, since its rotary embedding
/// turns neighbours and Hugging Face's turns halves; they are moved back. Quantised weights become floats as they are
/// read.
struct GGUFWeights: WeightSource {
    let file: GGUFFile
    private let configuration: ModelConfiguration
    private let isPermuted: Bool
    let names: [String]

    init(_ file: GGUFFile, _ configuration: ModelConfiguration) {
        self.file = file
        self.configuration = configuration
        isPermuted = Self.permutesRows(configuration.modelType)
        names = file.entries.map(\.name).filter { $0 != GGUFModelFolder.ropeFactorsName }.map(GGUFNames.huggingFace)
            .sorted()
    }

    /// Whether llama.cpp's files of a family have the rows of queries and keys moved.
    static func permutesRows(_ type: ModelConfiguration.ModelType) -> Bool {
        switch type {
        case .llama, .mistral: true
        case .qwen2, .qwen3: false
        }
    }

    var place: String { file.url.path }

    func shape(_ name: String) -> [Int]? { entry(name)?.shape }

    func typeName(_ name: String) -> String? { entry(name)?.elementType.name }

    func isReadable(_ name: String) -> Bool { entry(name) != nil }

    func read(_ name: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
        try file.read(stored(name), into: destination)
        guard let heads = movedHeads(name), let shape = shape(name),
            let columns = shape.dropFirst().reduce(1, *) as Int?
        else {
            return
        }
        Self.halvesFromNeighbours(destination, heads: heads, rows: shape[0], columns: columns)
    }

    func mappedBFloat16(_ name: String) throws -> MappedBFloat16? {
        guard movedHeads(name) == nil else { return nil }
        return try file.mappedBFloat16(stored(name))
    }

    func release(_ name: String) { file.release(stored(name)) }

    private func stored(_ name: String) -> String { GGUFNames.gguf(name) ?? name }

    private func entry(_ name: String) -> GGUFFile.Entry? { file.entry(stored(name)) }

    /// The heads whose rows were moved; nil for a weight that is as it was.
    private func movedHeads(_ name: String) -> Int? { Self.movedHeads(name, configuration) }

    /// The heads whose rows llama.cpp's files have moved; nil for a weight that they have as it was.
    static func movedHeads(_ name: String, _ configuration: ModelConfiguration) -> Int? {
        guard permutesRows(configuration.modelType) else { return nil }
        if name.contains(".self_attn.q_proj.") { return configuration.heads }
        return name.contains(".self_attn.k_proj.") ? configuration.keyValueHeads : nil
    }

    /// Moves rows that stand as neighbours, the first halves' and the second halves' in turn, back into halves.
    static func halvesFromNeighbours(
        _ values: UnsafeMutableBufferPointer<Float>,
        heads: Int,
        rows: Int,
        columns: Int
    ) {
        move(values, heads: heads, rows: rows, columns: columns) { half, index, width in
            (half * width + index, 2 * index + half)
        }
    }

    /// The reverse of ``halvesFromNeighbours(_:heads:rows:columns:)``.
    static func neighboursFromHalves(
        _ values: UnsafeMutableBufferPointer<Float>,
        heads: Int,
        rows: Int,
        columns: Int
    ) {
        move(values, heads: heads, rows: rows, columns: columns) { half, index, width in
            (2 * index + half, half * width + index)
        }
    }

    private static func move(
        _ values: UnsafeMutableBufferPointer<Float>,
        heads: Int,
        rows: Int,
        columns: Int,
        _ places: (_ half: Int, _ index: Int, _ width: Int) -> (to: Int, from: Int)
    ) {
        let height = rows / heads
        let count = height * columns
        let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
        defer { copy.deallocate() }
        for head in 0..<heads {
            let block = UnsafeMutableBufferPointer(rebasing: values[head * count..<(head + 1) * count])
            _ = copy.update(fromContentsOf: block)
            for half in 0..<2 {
                for index in 0..<height / 2 {
                    let (to, from) = places(half, index, height / 2)
                    for column in 0..<columns { block[to * columns + column] = copy[from * columns + column] }
                }
            }
        }
    }
}
