public import Foundation
package import ModelFiles

/// Where a model's weights are read from, under Hugging Face's names.
package protocol WeightSource {
    /// The file or folder, for messages.
    var place: String { get }
    /// All weights, sorted.
    var names: [String] { get }
    /// What a weight is called in the files, for messages.
    func storedName(_ name: String) -> String
    /// The dimensions of a weight, outermost first; nil where there is none of that name.
    func shape(_ name: String) -> [Int]?
    /// What the files call a weight's element type.
    func typeName(_ name: String) -> String?
    /// Whether weights of a weight's element type can be computed with.
    func isReadable(_ name: String) -> Bool
    /// Reads a weight into `destination`, which must have exactly its element count.
    func read(_ name: String, into destination: UnsafeMutableBufferPointer<Float>) throws
    /// A bfloat16 weight where it lies in its mapped file, in the order of Hugging Face's rows; nil where it cannot be read
    /// in place.
    func mappedBFloat16(_ name: String) throws -> MappedBFloat16?
    /// Lets go of the memory that reading a weight took, where it will not be read again soon.
    func release(_ name: String)
}

extension SafetensorsCheckpoint: WeightSource {
    package var place: String { folder.path }

    package func storedName(_ name: String) -> String { name }

    package func shape(_ name: String) -> [Int]? { entry(name)?.shape }

    package func typeName(_ name: String) -> String? { entry(name)?.elementType.rawValue }

    package func isReadable(_ name: String) -> Bool { entry(name)?.elementType.torchName != nil }
}

/// The files that hold a model's weights.
public enum WeightFiles {
    /// Opens the weights of a folder: safetensors, or a GGUF file beside its configuration; or those of a GGUF file itself.
    package static func open(folder: URL, configuration: ModelConfiguration) throws -> any WeightSource {
        guard let url = ModelFolder.ggufWeights(of: folder) else { return try SafetensorsCheckpoint(folder: folder) }
        let file = try GGUFFile(url: url)
        try configuration.checkHeads(of: file)
        return GGUFWeights(file, configuration)
    }

    /// The names of the files that hold a folder's weights.
    ///
    /// - Throws: `ModelFileError` when there are none or the index cannot be read.
    public static func names(in folder: URL) throws -> [String] {
        func has(_ name: String) -> Bool {
            FileManager.default.fileExists(atPath: folder.appendingPathComponent(name).path)
        }
        if has(ModelFolder.weightsFile) { return [ModelFolder.weightsFile] }
        if has(ModelFolder.weightsIndexFile) {
            return [ModelFolder.weightsIndexFile] + (try SafetensorsCheckpoint(folder: folder).fileNames)
        }
        if has(ModelFolder.ggufWeightsFile) { return [ModelFolder.ggufWeightsFile] }
        throw ModelFileError(
            .missing,
            place: folder.path,
            "holds no weights: neither \(ModelFolder.weightsFile), \(ModelFolder.weightsIndexFile) nor "
                + ModelFolder.ggufWeightsFile
        )
    }
}
