public import Foundation
import ModelFiles

extension ModelStore {
    /// What killed processes left unfinished in the store: models that were being added or removed, files of names and
    /// records.
    ///
    /// Only what is older than a day, counted to `now`, and held by no process.
    public func leftovers(now: Date = Date()) -> [URL] { places.flatMap { Leftovers.find(in: $0, now: now) } }

    /// Removes what ``leftovers(now:)`` finds.
    ///
    /// - Returns: what is gone.
    @discardableResult
    public func removeLeftovers(now: Date = Date()) -> [URL] { places.flatMap { Leftovers.remove(from: $0, now: now) } }

    /// Bytes of all that lies in the store, what is unfinished included.
    public func size() -> Int {
        guard let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: [.fileSizeKey]) else {
            return 0
        }
        var sum = 0
        for case let file as URL in files {
            // A file may go while it is looked at.
            sum += (try? file.resourceValues(forKeys: [.fileSizeKey]).fileSize) ?? 0
        }
        return sum
    }

    private var places: [URL] {
        [root] + ["names", "records"].map { root.appendingPathComponent($0, isDirectory: true) }
    }
}
