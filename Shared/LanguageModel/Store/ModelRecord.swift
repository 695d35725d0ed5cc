public import Foundation
import ModelFiles

/// Where a stored model came from: kept beside the models and not in their folders, so that the same content has the
/// same hash whoever made it.
public struct ModelRecord: Sendable, Codable, Equatable {
    /// One way in which the model came to be.
    public struct Origin: Sendable, Codable, Hashable {
        /// What it was made from or by: a file's or folder's name, or the work that trained it.
        public var source: String
        /// The hash of the model that the training started from; nil where the model was brought in.
        public var parent: String?

        /// An origin.
        public init(source: String, parent: String? = nil) {
            self.source = source
            self.parent = parent
        }
    }

    /// When the model was first stored.
    public var addedAt: Date
    /// Every way in which it came, the first first.
    public var origins: [Origin]

    /// The models that this one was trained from, without repeats.
    public var parents: [String] {
        var seen: Set<String> = []
        return origins.compactMap(\.parent).filter { seen.insert($0).inserted }
    }
}

extension ModelStore {
    private var recordsFolder: URL { root.appendingPathComponent("records", isDirectory: true) }

    private func recordFile(_ hash: String) -> URL { recordsFolder.appendingPathComponent("\(hash).json") }

    /// What is known of where a model came from; nil where nothing was noted.
    ///
    /// - Throws: `ModelFileError` when the record cannot be read.
    public func record(of hash: String) throws -> ModelRecord? {
        guard Self.isHash(hash), FileManager.default.fileExists(atPath: recordFile(hash).path) else { return nil }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        do {
            return try decoder.decode(ModelRecord.self, from: ModelFolder.read(recordFile(hash), limit: 16 << 20))
        } catch let error as DecodingError {
            throw ModelFileError(.malformed, place: recordFile(hash).path, "is no record of a model: \(error)")
        }
    }

    /// Notes where a stored model came from; an origin that is known already is not noted twice.
    ///
    /// - Throws: `ModelFileError` when the store does not hold the model or the record cannot be written.
    public func note(_ origin: ModelRecord.Origin, of hash: String, at date: Date = Date()) throws {
        _ = try folder(hash)
        var record = try record(of: hash) ?? ModelRecord(addedAt: date, origins: [])
        guard !record.origins.contains(origin) else { return }
        record.origins.append(origin)
        try makeFolder(recordsFolder)
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try AtomicFile.write(try encoder.encode(record), to: recordFile(hash))
    }

    /// The stored models that were trained from `hash`.
    public func descendants(of hash: String) throws -> [String] {
        try hashes().filter { try record(of: $0)?.parents.contains(hash) ?? false }
    }

    /// Removes a model with its names and its record.
    ///
    /// - Throws: `ModelFileError` when the store does not hold it, or another stored model was trained from it.
    public func remove(_ hash: String) throws { try destroy(hash, in: try bury(hash)) }

    /// Removes a model with its names and its record, unless it turns out to be wanted.
    ///
    /// Arguments:
    ///   - isWanted: asked of the model's folder once nobody finds the model any more, so that what began before is seen,
    ///     and what begins later stores the model anew.
    /// - Returns: whether it is gone; one that is wanted, or whose question throws, is put back.
    /// - Throws: `ModelFileError` as ``remove(_:)``, and what the question throws.
    public func remove(_ hash: String, unless isWanted: (URL) async throws -> Bool) async throws -> Bool {
        let grave = try bury(hash)
        let wanted: Bool
        do {
            wanted = try await isWanted(grave)
        } catch {
            try putBack(hash, from: grave)
            throw error
        }
        if wanted {
            try putBack(hash, from: grave)
        } else {
            try destroy(hash, in: grave)
        }
        return !wanted
    }

    /// Takes a model from under its hash by one rename, so that nobody finds half a model there.
    private func bury(_ hash: String) throws -> URL {
        let folder = try folder(hash)
        let descendants = try descendants(of: hash)
        guard descendants.isEmpty else {
            let list = descendants.map { String($0.prefix(12)) }.joined(separator: ", ")
            throw ModelFileError(
                .malformed,
                place: root.path,
                "the model \(hash.prefix(12)) is what \(list) was trained from; remove that first"
            )
        }
        let grave = root.appendingPathComponent(".removing-\(UUID().uuidString)", isDirectory: true)
        try moving(folder) { try FileManager.default.moveItem(at: folder, to: grave) }
        return grave
    }

    private func putBack(_ hash: String, from grave: URL) throws {
        let folder = root.appendingPathComponent(hash, isDirectory: true)
        try moving(grave) {
            do {
                try FileManager.default.moveItem(at: grave, to: folder)
            } catch {
                // Somebody may have stored it anew meanwhile.
                guard FileManager.default.fileExists(atPath: folder.path) else { throw error }
                try FileManager.default.removeItem(at: grave)
            }
        }
    }

    private func destroy(_ hash: String, in grave: URL) throws {
        try moving(grave) {
            // One that was stored anew meanwhile keeps what is known of it.
            if !FileManager.default.fileExists(atPath: root.appendingPathComponent(hash).path) {
                for name in try names(of: hash) { try removeName(name) }
                if FileManager.default.fileExists(atPath: recordFile(hash).path) {
                    try FileManager.default.removeItem(at: recordFile(hash))
                }
            }
            try FileManager.default.removeItem(at: grave)
        }
    }

    private func moving(_ folder: URL, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as ModelFileError {
            throw error
        } catch {
            throw ModelFileError(
                .inaccessible,
                place: folder.path,
                "cannot be moved or removed: \(error.localizedDescription)"
            )
        }
    }
}
