package import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A regular file mapped into memory for reading; unmapped when the last owner goes.
///
/// Weight files are written once and replaced by renaming, so the mapping stays whole. Shortening a mapped file in place
/// would fault on access, as with every memory-mapped reader.
package final class MappedFile: Sendable {
    package let path: String
    /// The content.
    ///
    /// Immutable for as long as this object lives, hence safe to share between threads.
    nonisolated(unsafe) private let bytes: UnsafeRawBufferPointer

    package init(url: URL) throws {
        path = url.path
        func failure(_ action: String) -> ModelFileError {
            ModelFileError(.inaccessible, place: url.path, "cannot \(action): \(String(cString: strerror(errno)))")
        }
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("inspect") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ModelFileError(.inaccessible, place: url.path, "is no regular file")
        }
        let size = Int(status.st_size)
        guard size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
            throw failure("map")
        }
        bytes = UnsafeRawBufferPointer(start: base, count: size)
    }

    /// Bytes in the file.
    package var count: Int { bytes.count }

    /// Lends the content to `body`; the mapping outlives the call.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(bytes) }
    }

    /// Gives the pages that lie wholly inside `range` back to the system, which reads them again when they are touched.
    ///
    /// So a model that is converted while it is loaded is not in memory twice.
    package func release(_ range: Range<Int>) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        guard let base = bytes.baseAddress, page > 0, range.upperBound <= bytes.count else { return }
        let first = (range.lowerBound + page - 1) / page * page
        let last = range.upperBound / page * page
        guard first < last else { return }
        madvise(UnsafeMutableRawPointer(mutating: base + first), last - first, MADV_DONTNEED)
    }

    deinit {
        if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
    }
}
