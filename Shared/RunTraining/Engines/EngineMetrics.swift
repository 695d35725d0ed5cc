import Foundation

/// Follows the lines that an engine appends to its metrics.
///
/// A look reads what has come since the one before, at most the last ``window`` bytes of it, so that it costs the same
/// however long the training has gone on.
struct EngineMetrics {
    /// The most bytes that a look reads.
    static let window = 1 << 20
    /// The longest line, in bytes; longer ones are passed over.
    static let longestLine = 1 << 16

    private static let newline = UInt8(ascii: "\n")

    private let file: URL
    /// Up to where the file was read.
    private var offset: UInt64 = 0
    /// The beginning of a line whose end has not come.
    private var begun = Data()
    /// Whether the line that is being read is passed over.
    private var isPassedOver = false

    init(_ file: URL) {
        self.file = file
    }

    /// The last line that can be read of those that are whole since the last look; nil where there is none.
    mutating func latest() -> EngineJob.Line? {
        guard let handle = try? FileHandle(forReadingFrom: file) else { return nil }
        defer { try? handle.close() }
        guard let size = try? handle.seekToEnd() else { return nil }
        // An engine that is taken up again may cut off what it had written of a line.
        if size < offset { readOn(from: 0) }
        if size - offset > UInt64(Self.window) { readOn(from: size - UInt64(Self.window)) }
        guard (try? handle.seek(toOffset: offset)) != nil else { return nil }
        var latest: EngineJob.Line?
        while offset < size, let piece = try? handle.read(upToCount: Self.longestLine), !piece.isEmpty {
            offset += UInt64(piece.count)
            latest = take(piece) ?? latest
        }
        return latest
    }

    private mutating func readOn(from start: UInt64) {
        offset = start
        begun = Data()
        // What stands there may be the middle of a line.
        isPassedOver = start > 0
    }

    private mutating func take(_ piece: Data) -> EngineJob.Line? {
        guard let end = piece.lastIndex(of: Self.newline) else {
            begin(piece)
            return nil
        }
        var lines = (begun + piece[..<end]).split(separator: Self.newline, omittingEmptySubsequences: false)
        if isPassedOver { lines.removeFirst() }
        begun = Data()
        isPassedOver = false
        begin(piece[piece.index(after: end)...])
        return lines.reversed().lazy.compactMap { Self.line($0) }.first
    }

    private mutating func begin(_ bytes: Data) {
        guard !isPassedOver else { return }
        begun += bytes
        guard begun.count > Self.longestLine else { return }
        begun = Data()
        isPassedOver = true
    }

    private static func line(_ bytes: Data) -> EngineJob.Line? {
        guard bytes.count <= longestLine else { return nil }
        return try? JSONDecoder().decode(EngineJob.Line.self, from: Data(bytes))
    }
}
