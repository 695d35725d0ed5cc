import FaultPoints
package import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Outside the type, whose own `write` would hide the C function.
private func posixWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, min(bytes.count, 1 << 30))
}

/// Writes a file beside its final place and renames it there once it is whole and on disk; its folder is on disk, too, when
/// that is done.
package struct AtomicFile: ~Copyable {
    private let folder: URL
    private let target: String
    private let temporary: String
    private var descriptor: Int32

    /// Opens the temporary file; `finish()` puts it in place, and a value that is dropped before leaves no trace.
    ///
    /// Arguments:
    ///   - mode: who may do what with it, from its creation on, less what the process's umask takes away.
    package init(url: URL, mode: mode_t = 0o644) throws {
        target = url.path
        folder = url.deletingLastPathComponent()
        temporary = folder.appendingPathComponent(".\(url.lastPathComponent).\(UUID().uuidString)").path
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw Self.failure(target, "create a file there") }
        Leftovers.hold(descriptor)
    }

    deinit {
        if descriptor >= 0 {
            close(descriptor)
            unlink(temporary)
        }
    }

    package static func write(_ data: Data, to url: URL, mode: mode_t = 0o644) throws {
        var file = try AtomicFile(url: url, mode: mode)
        try data.withUnsafeBytes { try file.append($0) }
        try file.finish()
    }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest)
            let count = posixWrite(descriptor, part)
            if count < 0 {
                if errno == EINTR { continue }
                throw Self.failure(target, "write")
            }
            rest = rest.dropFirst(count)
        }
    }

    package mutating func finish() throws {
        guard fsync(descriptor) == 0 else { throw Self.failure(target, "write to disk") }
        try FaultPoint.fileWritten.reach(file: temporary)
        close(descriptor)
        descriptor = -1
        guard rename(temporary, target) == 0 else {
            let error = Self.failure(target, "rename into place")
            unlink(temporary)
            throw error
        }
        try FolderSync.flush(folder)
    }

    private static func failure(_ place: String, _ action: String) -> ModelFileError {
        ModelFileError(.inaccessible, place: place, "cannot \(action): \(String(cString: strerror(errno)))")
    }
}
