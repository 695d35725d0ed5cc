import Foundation
import Synchronization

/// Memory for the bytes of the messages that a consumer copies out of librdkafka's.
///
/// Many messages stand in one stretch of it, which is used again once none of them is left: a buffer of its own for each
/// message costs more than the copy. So a message that is kept keeps a stretch (64 KiB) with it. Bytes so many that few would
/// fit into a stretch have a buffer of their own, which lives as long as they.
///
/// For one thread; the bytes that it gives away are for any.
struct MessageMemory {
    /// Bytes of a stretch.
    static let stretchSize = 64 << 10
    /// The most bytes of a value that stands in a stretch.
    static let most = stretchSize / 8
    /// `Data` holds so many bytes in itself.
    private static let inlineSize = 14

    private let idle = IdleStretches()
    private var current: (stretch: Stretch, release: (UnsafeMutableRawPointer, Int) -> Void)?
    private var used = 0

    /// Copies bytes.
    mutating func copy(_ bytes: UnsafeRawPointer, count: Int) -> Data {
        guard count > Self.inlineSize, count <= Self.most else { return Data(bytes: bytes, count: count) }
        if current == nil || used + count > Self.stretchSize { begin() }
        guard let (stretch, release) = current else { return Data(bytes: bytes, count: count) }
        let place = stretch.base + used
        place.copyMemory(from: bytes, byteCount: count)
        used += count
        return Data(bytesNoCopy: place, count: count, deallocator: .custom(release))
    }

    /// Stretches that were ever made.
    var stretches: Int { idle.made }
    /// Stretches in which nothing stands.
    var idleStretches: Int { idle.count }

    private mutating func begin() {
        let stretch = Stretch(idle.take(), idle: idle)
        // Whoever holds some of the bytes holds this, and by it the stretch.
        current = (stretch, { _, _ in withExtendedLifetime(stretch) {} })
        used = 0
    }
}

/// A stretch that is given back when the last who holds bytes of it is gone.
///
/// Written to by the thread that owns the ``MessageMemory``, each byte once and before anybody is given it.
private final class Stretch: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    private let idle: IdleStretches

    init(_ base: UnsafeMutableRawPointer, idle: IdleStretches) {
        self.base = base
        self.idle = idle
    }

    deinit { idle.giveBack(base) }
}

/// Stretches in which nothing stands; a few are kept.
private final class IdleStretches: Sendable {
    /// The most that are kept: 4 MiB, several batches of messages of 1 KB.
    private static let most = 64

    private struct Memory: @unchecked Sendable { let base: UnsafeMutableRawPointer }

    private let state = Mutex<(kept: [Memory], made: Int)>(([], 0))

    var made: Int { state.withLock { $0.made } }
    var count: Int { state.withLock { $0.kept.count } }

    func take() -> UnsafeMutableRawPointer {
        let kept = state.withLock { state in
            let kept = state.kept.popLast()
            if kept == nil { state.made += 1 }
            return kept
        }
        return kept?.base ?? .allocate(byteCount: MessageMemory.stretchSize, alignment: MemoryLayout<Int>.alignment)
    }

    func giveBack(_ base: UnsafeMutableRawPointer) {
        let memory = Memory(base: base)
        let isKept = state.withLock { state in
            guard state.kept.count < Self.most else { return false }
            state.kept.append(memory)
            return true
        }
        if !isKept { base.deallocate() }
    }

    deinit {
        state.withLock { state in
            for memory in state.kept { memory.base.deallocate() }
        }
    }
}
