import Foundation
import ServiceRuntime

/// A file or standard input, read as its bytes come.
struct ByteInput {
    /// What a look at the input found.
    enum Chunk: Sendable {
        case bytes(Data)
        /// No byte has come yet.
        case nothing
        case end
    }

    /// How long is waited for a byte, in milliseconds: as long may an interrupt go unnoticed.
    private static let patience: Int32 = 200
    private static let chunkSize = 64 << 10

    private let handle: FileHandle
    private let name: String

    /// Opens a file, or standard input where it is `-`.
    ///
    /// - Throws: ``CLIError`` that names the file.
    init(_ file: String) throws {
        name = InputFile.place(file)
        if file == "-" {
            handle = .standardInput
        } else {
            do {
                handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            } catch {
                throw CLIError("\(file) cannot be read: \(error.localizedDescription)")
            }
        }
    }

    /// The next bytes.
    ///
    /// Arguments:
    ///   - waits: whether to wait a little for them, on a thread of its own.
    func next(waits: Bool) async throws -> Chunk {
        let (descriptor, name) = (handle.fileDescriptor, name)
        let found = try Self.look(descriptor, name, patience: 0)
        guard waits, case .nothing = found else { return found }
        return try await DedicatedThread.run(name: "submit-input") { _ in
            try Self.look(descriptor, name, patience: Self.patience)
        }
    }

    private static func look(_ descriptor: Int32, _ name: String, patience: Int32) throws -> Chunk {
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let count = poll(&state, 1, patience)
        if count == 0 || count < 0 && errno == EINTR { return .nothing }
        var bytes = Data(count: chunkSize)
        let size = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        if size < 0, errno == EINTR || errno == EAGAIN { return .nothing }
        guard size >= 0 else { throw CLIError("\(name) cannot be read: \(String(cString: strerror(errno)))") }
        return size == 0 ? .end : .bytes(bytes.prefix(size))
    }
}
