import Digests
public import Foundation
import ModelFiles

/// A model folder in the store.
public struct StoredModel: Sendable, Equatable {
    /// SHA-256, in hexadecimal, of the names and contents of its files.
    public let hash: String
    /// Where it lies.
    public let folder: URL

    /// A stored model from its parts.
    public init(hash: String, folder: URL) {
        self.hash = hash
        self.folder = folder
    }
}

/// Model folders by the hash of their content, under one root that services may share.
///
/// A model appears under its hash by one rename, so a reader sees all of it or nothing, and two writers of the same
/// model do not disturb each other. Beside the models lie their names (`names`) and where they came from (`records`).
public struct ModelStore: Sendable {
    /// The folder that holds one folder a model.
    public let root: URL

    /// A store at `root`, which is made when it is missing.
    public init(root: URL) throws {
        self.root = root
        try makeFolder(root)
    }

    /// Copies the files of `folder` into the store; a model that is there already is left as it is.
    ///
    /// Hidden files are passed over; a folder inside the folder is an error.
    /// - Parameters:
    ///   - folder: Where the files are.
    ///   - files: The names of those that make up the model; nil takes all.
    /// - Returns: The stored model.
    /// - Throws: `ModelFileError` when a file cannot be read or written, or the folder changes meanwhile.
    public func add(_ folder: URL, files: [String]? = nil) throws -> StoredModel {
        let files = try files?.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } ?? Self.fileNames(folder)
        let hash = try Self.hash(of: folder, files: files)
        let known = root.appendingPathComponent(hash, isDirectory: true)
        if isThere(known) { return StoredModel(hash: hash, folder: known) }
        return try make { copy in
            for name in files {
                var file = try AtomicFile(url: copy.appendingPathComponent(name))
                try MappedFile(url: folder.appendingPathComponent(name)).withBytes { try file.append($0) }
                try file.finish()
            }
            // The source may have changed since it was hashed; what is stored must be what its name says.
            guard try Self.hash(of: copy) == hash else {
                throw ModelFileError(.corrupt, place: folder.path, "changed while it was being stored; store it again")
            }
        }
    }

    /// Stores the model whose files `fill` writes into the empty folder that it is given.
    ///
    /// The folder lies inside the store: a model need not fit into the system's folder for temporary files, and is moved
    /// into place without being copied.
    /// - Throws: what `fill` throws, or `ModelFileError` when the folder cannot be made, read or moved.
    public func make(_ fill: (URL) throws -> Void) throws -> StoredModel {
        let temporary = root.appendingPathComponent(".adding-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: temporary) }
        try makeFolder(temporary)
        return try Leftovers.whileHolding(temporary) {
            try fill(temporary)
            let hash = try Self.hash(of: temporary)
            let target = root.appendingPathComponent(hash, isDirectory: true)
            if isThere(target) { return StoredModel(hash: hash, folder: target) }
            // Whoever writes the hash down relies on the model's being there after a power cut.
            try FolderSync.flushFiles(of: temporary)
            do {
                try FileManager.default.moveItem(at: temporary, to: target)
            } catch {
                // Another writer of the same content may have been first.
                guard isThere(target) else {
                    throw ModelFileError(
                        .inaccessible,
                        place: target.path,
                        "cannot store the model: \(error.localizedDescription)"
                    )
                }
            }
            try FolderSync.flush(root)
            return StoredModel(hash: hash, folder: target)
        }
    }

    /// Whether a model is there; one that is wanted again counts as new, so that it is not collected meanwhile.
    private func isThere(_ folder: URL) -> Bool {
        do {
            try FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: folder.path)
            return true
        } catch {
            // One that belongs to another user stays as old as it is. One that is not there, or was collected just now,
            // has to be stored.
            return FileManager.default.fileExists(atPath: folder.path)
        }
    }

    /// The folder of a model.
    ///
    /// - Throws: `ModelFileError` when `hash` is no SHA-256 in lower-case hexadecimal or the store does not hold it.
    public func folder(_ hash: String) throws -> URL {
        guard Self.isHash(hash) else {
            throw ModelFileError(.malformed, place: root.path, "\"\(hash.prefix(80))\" is no model hash")
        }
        let folder = root.appendingPathComponent(hash, isDirectory: true)
        guard FileManager.default.fileExists(atPath: folder.path) else {
            throw ModelFileError(
                .missing,
                place: root.path,
                "does not hold model \(hash); do all services share this folder?"
            )
        }
        return folder
    }

    /// Hashes a stored model again.
    ///
    /// - Throws: `ModelFileError` with code `.corrupt` when its content is not what its name says.
    public func verify(_ hash: String) throws {
        let folder = try folder(hash)
        let found = try Self.hash(of: folder)
        guard found == hash else {
            throw ModelFileError(.corrupt, place: folder.path, "has changed: its content now hashes to \(found)")
        }
    }

    /// The hashes of all stored models, sorted.
    public func hashes() throws -> [String] { try fileNames(root).filter(Self.isHash) }

    /// Whether a text is a SHA-256 in lower-case hexadecimal.
    static func isHash(_ text: String) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// The visible files and folders of `folder`, sorted by bytes.
    func fileNames(_ folder: URL) throws -> [String] { try Self.visibleNames(folder) }

    /// Makes a folder of the store where it is missing.
    func makeFolder(_ folder: URL) throws {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder), isFolder.boolValue { return }
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try FolderSync.flush(folder.deletingLastPathComponent())
        } catch let error as ModelFileError {
            throw error
        } catch {
            throw ModelFileError(
                .inaccessible,
                place: folder.path,
                "cannot be made: \(error.localizedDescription)"
            )
        }
    }

    /// The hash of a folder's content: SHA-256 over the sorted file names, each with its length and bytes.
    public static func hash(of folder: URL) throws -> String { try hash(of: folder, files: fileNames(folder)) }

    private static func hash(of folder: URL, files: [String]) throws -> String {
        var hasher = SHA256()
        for name in files {
            let file = try MappedFile(url: folder.appendingPathComponent(name))
            hasher.update("\(name.utf8.count) \(name) \(file.count)\n".utf8)
            file.withBytes { hasher.update($0) }
        }
        return hasher.hex
    }

    private static func fileNames(_ folder: URL) throws -> [String] {
        let names = try visibleNames(folder)
        guard !names.isEmpty else { throw ModelFileError(.missing, place: folder.path, "holds no files") }
        return names
    }

    private static func visibleNames(_ folder: URL) throws -> [String] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        } catch {
            throw ModelFileError(
                .inaccessible,
                place: folder.path,
                "cannot be listed: \(error.localizedDescription)"
            )
        }
        return names.filter { !$0.hasPrefix(".") }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
