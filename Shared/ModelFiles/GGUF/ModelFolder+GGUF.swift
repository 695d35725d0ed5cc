package import Foundation

extension ModelFolder {
    /// The GGUF file that holds the weights of what `model` names: itself, or the one in a folder without safetensors.
    package static func ggufWeights(of model: URL) -> URL? {
        if GGUFFile.isNamed(model) { return model }
        let exists = { (name: String) in
            FileManager.default.fileExists(atPath: model.appendingPathComponent(name).path)
        }
        guard exists(ggufWeightsFile), !exists(weightsFile), !exists(weightsIndexFile) else { return nil }
        return model.appendingPathComponent(ggufWeightsFile)
    }

    /// The GGUF file whose metadata says what `file` of the folder says elsewhere; nil where that file is there, or no GGUF
    /// file.
    package static func ggufAlone(_ model: URL, without file: String) -> URL? {
        FileManager.default.fileExists(atPath: model.appendingPathComponent(file).path) ? nil : ggufWeights(of: model)
    }
}
