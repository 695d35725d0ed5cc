import Foundation
import LanguageModel
import PostgresClient
import ServiceRuntime

/// Collects the models of a store that no run, name, champion or later model needs.
struct ModelCollection: Sendable {
    let pool: PostgresPool
    let store: ModelStore

    /// The models that are needed no more, sorted by hash.
    ///
    /// Needed are those that have a name, those that runs need, those that came into the store less than a life ago (what
    /// stores them may not have written them down yet), and what any of these was trained from.
    ///
    /// Arguments:
    ///   - life: how long the models of ended runs are kept.
    ///   - now: the time that the store's ages are counted to.
    func unneeded(life: Duration, now: Date = Date()) async throws -> [String] {
        let hashes = try store.hashes()
        var needed = Set(try store.names().values)
        needed.formUnion(try await RetentionStore.neededModels(life: life, from: pool))
        needed.formUnion(try hashes.filter { try Self.isYoung(store.folder($0), life: life, now: now) })
        var open = Array(needed)
        while let hash = open.popLast() {
            for parent in try store.record(of: hash)?.parents ?? [] where needed.insert(parent).inserted {
                open.append(parent)
            }
        }
        return hashes.filter { !needed.contains($0) }
    }

    /// Removes models, those that were trained from others among them first.
    ///
    /// Arguments:
    ///   - life, now: as ``unneeded(life:now:)`` was asked.
    /// - Returns: those that are gone; one that has got a name, a run, or a model trained from it, or was stored again
    ///   meanwhile is left.
    func remove(_ hashes: [String], life: Duration, now: Date = Date()) async throws -> [String] {
        var (left, removed) = (hashes, [String]())
        while true {
            let free = try left.filter { try store.names(of: $0).isEmpty && store.descendants(of: $0).isEmpty }
            guard !free.isEmpty else { return removed }
            for hash in free {
                let isGone = try await store.remove(hash) { folder in
                    if try Self.isYoung(folder, life: life, now: now) || !store.names(of: hash).isEmpty { return true }
                    if try !store.descendants(of: hash).isEmpty { return true }
                    return try await RetentionStore.neededModels(life: life, from: pool).contains(hash)
                }
                if isGone { removed.append(hash) }
            }
            left.removeAll(where: Set(free).contains)
        }
    }

    private static func isYoung(_ folder: URL, life: Duration, now: Date) throws -> Bool {
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path)
        guard let date = attributes[.modificationDate] as? Date else { return true }
        return now.timeIntervalSince(date) < life / .seconds(1)
    }
}
