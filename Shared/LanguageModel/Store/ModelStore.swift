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
/// model do not disturb each other.
public struct ModelStore: Sendable {
    /// The folder that holds one folder a model.
    public let root: URL

    /// A store at `root`, which is made when it is missing.
    public init(root: URL) throws {
        self.root = root
        do {
            try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        } catch {
            throw ModelFileError(
                .inaccessible,
                place: root.path,
                "cannot make the model store: \(error.localizedDescription)"
            )
        }
    }

    /// Copies the files of `folder` into the store; a model that is there already is left as it is.
    ///
    /// Hidden files are passed over; a folder inside the folder is an error.
    public func add(_ folder: URL) throws -> StoredModel {
        let hash = try Self.hash(of: folder)
        let target = root.appendingPathComponent(hash, isDirectory: true)
        if FileManager.default.fileExists(atPath: target.path) { return StoredModel(hash: hash, folder: target) }
        let temporary = root.appendingPathComponent(".adding-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: temporary) }
        do {
            try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: false)
            for name in try Self.fileNames(folder) {
                var file = try AtomicFile(url: temporary.appendingPathComponent(name))
                try MappedFile(url: folder.appendingPathComponent(name)).withBytes { try file.append($0) }
                try file.finish()
            }
            // The source may have changed since it was hashed; what is stored must be what its name says.
            let copied = try Self.hash(of: temporary)
            guard copied == hash else {
                throw ModelFileError(.corrupt, place: folder.path, "changed while it was being stored; store it again")
            }
            do {
                try FileManager.default.moveItem(at: temporary, to: target)
            } catch {
                // Another writer of the same content may have been first.
                guard FileManager.default.fileExists(atPath: target.path) else { throw error }
            }
        } catch let error as ModelFileError {
            throw error
        } catch {
            throw ModelFileError(
                .inaccessible,
                place: target.path,
                "cannot store the model: \(error.localizedDescription)"
            )
        }
        return StoredModel(hash: hash, folder: target)
    }

    /// The folder of a model.
    ///
    /// - Throws: `ModelFileError` when `hash` is no SHA-256 in lower-case hexadecimal or the store does not hold it.
    public func folder(_ hash: String) throws -> URL {
        guard hash.utf8.count == 64,
            hash.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else {
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
    public func hashes() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.path).filter { $0.utf8.count == 64 }.sorted()
    }

    /// The hash of a folder's content: SHA-256 over the sorted file names, each with its length and bytes.
    public static func hash(of folder: URL) throws -> String {
        var hasher = SHA256()
        for name in try fileNames(folder) {
            let file = try MappedFile(url: folder.appendingPathComponent(name))
            hasher.update("\(name.utf8.count) \(name) \(file.count)\n".utf8)
            file.withBytes { hasher.update($0) }
        }
        return hasher.hex
    }

    private static func fileNames(_ folder: URL) throws -> [String] {
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
        let visible = names.filter { !$0.hasPrefix(".") }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        guard !visible.isEmpty else { throw ModelFileError(.missing, place: folder.path, "holds no files") }
        return visible
    }
}
