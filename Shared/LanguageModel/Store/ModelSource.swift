public import Foundation
import ModelFiles

/// A model that someone names by a path: a folder in Hugging Face layout, or a GGUF file, which is given the folder that
/// it would have.
public final class ModelSource {
    /// The folder in Hugging Face layout; beside a GGUF file's weights it holds what the file says of configuration,
    /// tokenizer and chat template.
    public let folder: URL
    /// Whether the path was a GGUF file.
    public let isGGUF: Bool
    private let temporary: URL?

    /// Opens a path.
    ///
    /// - Throws: `ModelFileError` or `TokenizationError` that names the file and the fault.
    public init(_ path: URL) throws {
        isGGUF = GGUFFile.isNamed(path)
        guard isGGUF else {
            folder = path
            temporary = nil
            return
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("errata-gguf-\(UUID().uuidString)")
        do {
            try GGUFModelFolder.write(of: path.absoluteURL, to: folder, weights: .link)
        } catch {
            try? FileManager.default.removeItem(at: folder)
            throw error
        }
        self.folder = folder
        temporary = folder
    }

    /// Removes what was made for the file; a loaded model stays whole.
    public func close() {
        if let temporary { try? FileManager.default.removeItem(at: temporary) }
    }

    deinit { close() }
}
