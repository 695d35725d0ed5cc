package import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Brings folders to disk: a file that was made or renamed is found again after a power cut once its folder is written too.
package enum FolderSync {
    /// Writes a folder's list of names to disk.
    ///
    /// One that may be written, but not read, cannot be opened for that and is left to the system.
    package static func flush(_ folder: URL) throws {
        let path = folder.path.isEmpty ? "." : folder.path
        guard access(path, R_OK) == 0 || errno != EACCES else { return }
        try flush(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }

    /// Writes the files of a folder to disk, whoever wrote them, and the folder itself.
    package static func flushFiles(of folder: URL) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            try flush(folder.appendingPathComponent(name).path, O_RDONLY | O_CLOEXEC)
        }
        try flush(folder)
    }

    private static func flush(_ path: String, _ flags: Int32) throws {
        let descriptor = open(path, flags)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        // Some file systems have no fsync for folders, and say so by EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw failure(path) }
    }

    private static func failure(_ path: String) -> ModelFileError {
        ModelFileError(.inaccessible, place: path, "cannot be written to disk: \(String(cString: strerror(errno)))")
    }
}
