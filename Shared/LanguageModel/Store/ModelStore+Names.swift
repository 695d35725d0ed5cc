import Foundation
import ModelFiles

/// Names are files in the store's folder `names`, each holding the hash of its model, so that whoever shares the store
/// shares them and no server is needed to ask for one.
extension ModelStore {
    /// The folder of the names.
    private var namesFolder: URL { root.appendingPathComponent("names", isDirectory: true) }

    /// Checks that a text can be a model's name.
    ///
    /// - Throws: `ModelFileError` unless it has 1 to 100 of the characters `A-Z a-z 0-9 . _ -`, begins with a letter or a
    ///   digit, and cannot be taken for a hash or the beginning of one.
    public static func checkName(_ name: String) throws {
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        let bytes = Array(name.utf8)
        guard let first = bytes.first, bytes.count <= 100, isLetterOrDigit(first),
            bytes.allSatisfy({ isLetterOrDigit($0) || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D })
        else {
            throw ModelFileError(
                .malformed,
                place: "model name",
                "\"\(name.prefix(120))\" cannot be a name: it needs 1 to 100 letters, digits, dots, underscores or hyphens "
                    + "and begins with a letter or a digit"
            )
        }
        guard bytes.count < shortestPrefix || !isHexadecimal(name) else {
            throw ModelFileError(.malformed, place: "model name", "\"\(name)\" looks like a hash; choose another name")
        }
    }

    /// All names with the hashes of their models.
    ///
    /// - Throws: `ModelFileError` when a name's file does not hold a hash.
    public func names() throws -> [String: String] {
        guard FileManager.default.fileExists(atPath: namesFolder.path) else { return [:] }
        var result: [String: String] = [:]
        for name in try fileNames(namesFolder) { result[name] = try target(of: name) }
        return result
    }

    /// The names of a model, sorted.
    public func names(of hash: String) throws -> [String] {
        try names().filter { $0.value == hash }.keys.sorted()
    }

    /// Gives a stored model a name; a model may have several.
    ///
    /// - Throws: `ModelFileError` when the name cannot be one, stands for another model, or the store lacks the model.
    public func setName(_ name: String, for hash: String) throws {
        try Self.checkName(name)
        _ = try folder(hash)
        try makeFolder(namesFolder)
        if let other = try target(of: name) {
            guard other != hash else { return }
            throw ModelFileError(
                .malformed,
                place: root.path,
                "the name \(name) stands for the model \(other.prefix(12)) already; choose another name, or rename that one"
            )
        }
        try AtomicFile.write(Data((hash + "\n").utf8), to: nameFile(name))
    }

    /// Lets a name stand for a model, whatever it stood for before: for names that follow something, such as the best
    /// model of a run.
    ///
    /// - Throws: `ModelFileError` when the name cannot be one or the store lacks the model.
    public func pointName(_ name: String, to hash: String) throws {
        try Self.checkName(name)
        guard try target(of: name) != hash else { return }
        _ = try folder(hash)
        try makeFolder(namesFolder)
        try AtomicFile.write(Data((hash + "\n").utf8), to: nameFile(name))
    }

    /// Gives a name's model another name.
    ///
    /// The new name is there before the old one goes, so that the model is never without one.
    /// - Throws: `ModelFileError` when there is no such name or the new one cannot be taken.
    public func rename(_ old: String, to new: String) throws {
        guard let hash = try target(of: old) else { throw unknownName(old) }
        guard old != new else { return }
        try setName(new, for: hash)
        try removeName(old)
    }

    /// Takes a name away; its model stays.
    ///
    /// - Throws: `ModelFileError` when there is no such name.
    public func removeName(_ name: String) throws {
        guard try target(of: name) != nil else { throw unknownName(name) }
        do {
            try FileManager.default.removeItem(at: nameFile(name))
        } catch {
            throw ModelFileError(
                .inaccessible,
                place: root.path,
                "cannot remove the name \(name): \(error.localizedDescription)"
            )
        }
    }

    /// The model that a name, a hash, or the first 8 or more digits of one hash stand for.
    ///
    /// - Throws: `ModelFileError` when nothing fits, or more than one hash begins so.
    public func resolve(_ reference: String) throws -> StoredModel {
        let hash: String
        if let named = try target(of: reference) {
            hash = named
        } else if Self.isHash(reference) {
            hash = reference
        } else {
            let isPrefix = reference.utf8.count >= Self.shortestPrefix && Self.isHexadecimal(reference)
            let matches = isPrefix ? try hashes().filter { $0.hasPrefix(reference) } : []
            guard matches.count < 2 else {
                throw ModelFileError(
                    .malformed,
                    place: root.path,
                    "\(matches.count) models have hashes that begin with \(reference); give more digits"
                )
            }
            guard let match = matches.first else { throw unknownName(reference) }
            hash = match
        }
        return StoredModel(hash: hash, folder: try folder(hash))
    }

    private static let shortestPrefix = 8

    private static func isHexadecimal(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private func nameFile(_ name: String) -> URL { namesFolder.appendingPathComponent(name) }

    /// The hash that a name stands for, or nil where there is no such name.
    private func target(of name: String) throws -> String? {
        // What cannot be a name must not become a path.
        guard (try? Self.checkName(name)) != nil, FileManager.default.fileExists(atPath: nameFile(name).path) else {
            return nil
        }
        let text = String(decoding: try ModelFolder.read(nameFile(name), limit: 1 << 10), as: UTF8.self)
        let hash = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard Self.isHash(hash) else {
            throw ModelFileError(
                .malformed,
                place: nameFile(name).path,
                "holds no model hash; remove the file and name the model again"
            )
        }
        return hash
    }

    private func unknownName(_ name: String) -> ModelFileError {
        let known = (try? names().keys.sorted().prefix(20).joined(separator: ", ")) ?? ""
        return ModelFileError(
            .missing,
            place: root.path,
            "holds no model \"\(name.prefix(120))\"; "
                + (known.isEmpty ? "it has no names yet" : "its names are \(known)")
                + " (`errata models list` shows all, `errata models add` brings one in)"
        )
    }
}
