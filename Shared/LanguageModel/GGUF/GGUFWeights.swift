import Foundation
import ModelFiles

/// The weights of a GGUF file under Hugging Face's names and in Hugging Face's order of rows.
///
/// Quantised weights become floats as they are read.
struct GGUFWeights: WeightSource {
    private let file: GGUFFile
    private let configuration: ModelConfiguration
    /// The file's tensors by Hugging Face's names; those whose names no decoder has stand under their own.
    private let tensorByName: [String: String]

    /// The weights of `file` for a model of this configuration, which decides about the order of rows.
    init(_ file: GGUFFile, _ configuration: ModelConfiguration) {
        self.file = file
        self.configuration = configuration
        // The factors have become part of the configuration.
        let names = file.entries.map(\.name).filter { $0 != GGUFTensorNames.ropeFactors }
        tensorByName = Dictionary(
            names.map { name in
                // A tensor that bears one of Hugging Face's names is none that llama.cpp knows.
                let unknown = GGUFTensorNames.gguf(name) == nil ? name : "\(name) (in GGUF)"
                return (GGUFTensorNames.huggingFace(name) ?? unknown, name)
            },
            uniquingKeysWith: { first, _ in first }
        )
    }

    var place: String { file.url.path }

    var names: [String] { tensorByName.keys.sorted() }

    func storedName(_ name: String) -> String { tensorByName[name] ?? GGUFTensorNames.gguf(name) ?? name }

    func shape(_ name: String) -> [Int]? { entry(name)?.shape }

    func typeName(_ name: String) -> String? { entry(name)?.elementType.name }

    func isReadable(_ name: String) -> Bool { entry(name) != nil }

    private func entry(_ name: String) -> GGUFFile.Entry? { tensorByName[name].flatMap { file.entry($0) } }

    func read(_ name: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
        guard let rows = RotaryRows(name, configuration), let columns = shape(name)?.last else {
            return try file.read(storedName(name), into: destination)
        }
        let values = try file.floats(storedName(name))
        guard values.count == destination.count else {
            throw ModelFileError(
                .malformed,
                place: place,
                "tensor \(storedName(name)) has \(values.count) elements; \(destination.count) were expected"
            )
        }
        values.withUnsafeBufferPointer { rows.restore($0, into: destination, columns: columns) }
    }

    func mappedBFloat16(_ name: String) throws -> MappedBFloat16? {
        guard RotaryRows(name, configuration) == nil else { return nil }
        return try file.mappedBFloat16(storedName(name))
    }

    func release(_ name: String) { file.release(storedName(name)) }
}
