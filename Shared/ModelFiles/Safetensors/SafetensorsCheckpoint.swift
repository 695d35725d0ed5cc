public import Foundation

/// The weights of a model folder: `model.safetensors`, or the shards that `model.safetensors.index.json` names.
public struct SafetensorsCheckpoint: Sendable {
    /// The folder.
    public let folder: URL
    private let files: [SafetensorsFile]
    private let fileByName: [String: Int]

    /// Maps the weight files of `folder` and checks their headers and the index against each other.
    ///
    /// - Throws: `ModelFileError` when there are no weights, the index points outside the folder, or a shard lacks a
    ///   tensor that the index places there.
    public init(folder: URL) throws {
        self.folder = folder
        let single = folder.appendingPathComponent(ModelFolder.weightsFile)
        let index = folder.appendingPathComponent(ModelFolder.weightsIndexFile)
        if FileManager.default.fileExists(atPath: single.path) {
            let file = try SafetensorsFile(url: single)
            files = [file]
            fileByName = Dictionary(uniqueKeysWithValues: file.entries.map { ($0.name, 0) })
        } else if FileManager.default.fileExists(atPath: index.path) {
            (files, fileByName) = try Self.openShards(index: index, folder: folder)
        } else {
            throw ModelFileError(
                .inaccessible,
                place: folder.path,
                "holds neither \(ModelFolder.weightsFile) nor \(ModelFolder.weightsIndexFile)"
            )
        }
    }

    private static func openShards(index: URL, folder: URL) throws -> ([SafetensorsFile], [String: Int]) {
        func failure(_ message: String) -> ModelFileError { ModelFileError(.malformed, place: index.path, message) }
        let root: JSONNode
        do {
            root = try JSONNode.parse(ModelFolder.read(index, limit: 256 << 20))
        } catch let error as JSONSyntaxError {
            throw failure(error.description)
        }
        guard let map = root["weight_map"]?.object else { throw failure("has no weight_map object") }
        var files: [SafetensorsFile] = []
        var indexByFile: [String: Int] = [:]
        var fileByName: [String: Int] = [:]
        for member in map {
            let name = String(decoding: member.key, as: UTF8.self)
            guard let fileName = member.value.string else { throw failure("weight_map \(name) is no file name") }
            guard isPlainFileName(fileName) else {
                throw failure("weight_map places \(name) in \(fileName), which is no plain file name in the folder")
            }
            guard fileByName[name] == nil else { throw failure("weight_map lists \(name) twice") }
            let position: Int
            if let known = indexByFile[fileName] {
                position = known
            } else {
                guard files.count < 4096 else { throw failure("weight_map names more than 4096 files") }
                position = files.count
                files.append(try SafetensorsFile(url: folder.appendingPathComponent(fileName)))
                indexByFile[fileName] = position
            }
            guard files[position].entry(name) != nil else {
                throw failure("weight_map places \(name) in \(fileName), which does not hold it")
            }
            fileByName[name] = position
        }
        return (files, fileByName)
    }

    private static func isPlainFileName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 255 && name != "." && name != ".."
            && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") || $0 == 0 }
    }

    /// The names of all tensors, sorted.
    public var names: [String] { fileByName.keys.sorted() }

    /// The names of the weight files, sorted.
    package var fileNames: [String] { files.map { $0.url.lastPathComponent }.sorted() }

    /// What the headers say about a tensor, or nil.
    public func entry(_ name: String) -> SafetensorsFile.Entry? { fileByName[name].flatMap { files[$0].entry(name) } }

    /// A tensor as floats.
    public func floats(_ name: String) throws -> [Float] { try file(name).floats(name) }

    /// Reads a tensor into `destination`, which must have exactly its element count.
    public func read(_ name: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
        try file(name).read(name, into: destination)
    }

    /// A bfloat16 tensor where it lies in its mapped file; nil where it does not lie at an even address.
    package func mappedBFloat16(_ name: String) throws -> MappedBFloat16? { try file(name).mappedBFloat16(name) }

    /// Lets go of the memory that reading a tensor took, where it will not be read again soon.
    package func release(_ name: String) {
        if let index = fileByName[name] { files[index].release(name) }
    }

    private func file(_ name: String) throws -> SafetensorsFile {
        guard let index = fileByName[name] else {
            throw ModelFileError(.missing, place: folder.path, "the weights have no tensor \(name)")
        }
        return files[index]
    }
}
