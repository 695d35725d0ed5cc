public import Foundation
import ModelFiles

/// How the weights of a trained model are written.
public enum SavedType: String, Sendable, CaseIterable {
    /// As they are trained.
    case float32
    /// Rounded to nearest.
    case bfloat16, float16
    /// As the model's own folder says that it stores them; float32 where it names another type.
    case auto

    /// The type of the files of a model whose folder says `dtype`.
    func elementType(_ dtype: String) -> SafetensorsFile.ElementType {
        let types = [SafetensorsFile.ElementType.float32, .bfloat16, .float16]
        let name = self == .auto ? dtype : rawValue
        return types.first { $0.torchName == name } ?? .float32
    }
}

extension CausalLanguageModel {
    /// Writes the model as ``save(to:elementType:)`` does, in the type that a training names.
    ///
    /// - Throws: A file error.
    public func save(to folder: URL, as type: SavedType) throws {
        try save(to: folder, elementType: type.elementType(configuration.torchDtype))
    }
}
