package import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What processes that were killed left of files and folders that they had not finished: hidden, and named by a UUID.
package enum Leftovers {
    /// How long something is left alone, in seconds: a day.
    ///
    /// Writing the largest model takes minutes.
    package static let age: TimeInterval = 86_400

    /// Runs the body while others see that the file or folder is being written, by a lock that ends with the process.
    package static func whileHolding<Value>(_ url: URL, _ body: () throws -> Value) rethrows -> Value {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        if descriptor >= 0 { hold(descriptor) }
        return try body()
    }

    /// The same for an open file, until it is closed.
    static func hold(_ descriptor: Int32) {
        // Where the file system has no locks, the age alone decides.
        _ = flock(descriptor, LOCK_SH | LOCK_NB)
    }

    /// The unfinished files and folders in a folder that are old and that no process holds, sorted by name.
    ///
    /// `now`: the time that ages are counted to.
    package static func find(in folder: URL, now: Date = Date()) -> [URL] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter(isUnfinished).sorted().map { folder.appendingPathComponent($0) }.filter { url in
            guard let changed = lastChange(of: url) else { return false }
            return now.timeIntervalSince(changed) > age && !isHeld(url)
        }
    }

    /// Removes what ``find(in:now:)`` finds.
    ///
    /// - Returns: what is gone.
    package static func remove(from folder: URL, now: Date = Date()) -> [URL] {
        find(in: folder, now: now).filter { (try? FileManager.default.removeItem(at: $0)) != nil }
    }

    /// Whether a name is one that ``AtomicFile`` or the model store gives before something is whole: `.NAME.UUID`,
    /// `.adding-UUID`, `.removing-UUID`.
    private static func isUnfinished(_ name: String) -> Bool {
        guard name.hasPrefix("."), name.utf8.count > 37, UUID(uuidString: String(name.suffix(36))) != nil else {
            return false
        }
        let start = name.dropLast(36)
        return start.hasSuffix(".") || start == ".adding-" || start == ".removing-"
    }

    /// When the file, or anything in the folder, was changed last.
    private static func lastChange(of url: URL) -> Date? {
        let files = FileManager.default
        func date(_ path: String) -> Date? {
            (try? files.attributesOfItem(atPath: path))?[.modificationDate] as? Date
        }
        let inside = (try? files.contentsOfDirectory(atPath: url.path)) ?? []
        return ([url.path] + inside.map { url.appendingPathComponent($0).path }).compactMap(date).max()
    }

    private static func isHeld(_ url: URL) -> Bool {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }
}
