import Foundation
import Testing

@testable import KafkaClient

@Suite("The memory of messages, without a broker")
struct MessageMemoryTests {
    private static func bytes(_ count: Int, seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed &* 17) }
    }

    private static func copy(_ bytes: [UInt8], into memory: inout MessageMemory) -> Data {
        bytes.withUnsafeBytes { raw in raw.baseAddress.map { memory.copy($0, count: raw.count) } ?? Data() }
    }

    @Test("bytes of every size are those that were copied, whatever is copied after them, and when the memory is gone")
    func sizes() {
        let sizes = [
            0, 1, 14, 15, 16, 1_000, MessageMemory.most - 1, MessageMemory.most, MessageMemory.most + 1,
            MessageMemory.stretchSize, MessageMemory.stretchSize + 1,
        ]
        var kept: [(data: Data, bytes: [UInt8])] = []
        do {
            var memory = MessageMemory()
            for (seed, size) in (sizes + sizes.reversed() + sizes).enumerated() {
                let bytes = Self.bytes(size, seed: seed)
                kept.append((Self.copy(bytes, into: &memory), bytes))
            }
        }
        for (data, bytes) in kept {
            #expect(data.startIndex == 0)
            #expect(data.elementsEqual(bytes), "\(bytes.count) bytes")
        }
    }

    @Test("what is changed or made longer leaves its neighbours as they are")
    func changes() {
        var memory = MessageMemory()
        let bytes = (0..<30).map { Self.bytes(100, seed: $0) }
        var copies = bytes.map { Self.copy($0, into: &memory) }
        copies[3][99] = 0xff
        copies[5].append(contentsOf: [1, 2, 3])
        copies[7].removeFirst(10)
        copies[9].resetBytes(in: 0..<100)
        copies[11].replaceSubrange(50..<60, with: Data(repeating: 7, count: 1_000))
        copies[13].removeAll(keepingCapacity: true)
        copies[13].append(contentsOf: Self.bytes(300, seed: 99))
        for index in 0..<30 where ![3, 5, 7, 9, 11, 13].contains(index) {
            #expect(copies[index].elementsEqual(bytes[index]), "copy \(index)")
        }
        #expect(copies[3].elementsEqual(bytes[3].dropLast() + [0xff]))
        #expect(copies[5].elementsEqual(bytes[5] + [1, 2, 3]))
        #expect(copies[7].elementsEqual(bytes[7].dropFirst(10)))
        #expect(copies[9].elementsEqual([UInt8](repeating: 0, count: 100)))
        #expect(copies[11].count == 1_090 && copies[11].suffix(40).elementsEqual(bytes[11].suffix(40)))
        #expect(copies[13].elementsEqual(Self.bytes(300, seed: 99)))
    }

    @Test("a stretch is used again once nothing in it is held, and not before")
    func reuse() {
        var memory = MessageMemory()
        let perStretch = MessageMemory.stretchSize / 1_000
        var kept: Data?
        for round in 0..<10 {
            var stretch = (0..<perStretch).map { Self.copy(Self.bytes(1_000, seed: round + $0), into: &memory) }
            if round == 0 { kept = stretch[3] }
            #expect(stretch.indices.allSatisfy { stretch[$0].elementsEqual(Self.bytes(1_000, seed: round + $0)) })
            stretch = []
        }
        #expect(kept?.elementsEqual(Self.bytes(1_000, seed: 3)) == true)
        // That of the kept one, that which is written to, and one that was given back: no more were ever needed.
        #expect(memory.stretches <= 3)
        #expect(memory.idleStretches >= 1)
    }

    @Test("bytes that other threads let go while more are copied stay right")
    func threads() async {
        let (stream, giver) = AsyncStream.makeStream(of: (data: Data, seed: Int).self)
        let readers = (0..<4).map { _ in
            Task.detached {
                var wrong = 0
                var held: [(data: Data, seed: Int)] = []
                for await message in stream {
                    held.append(message)
                    if held.count > 50 {
                        let first = held.removeFirst()
                        if !first.data.elementsEqual(Self.bytes(first.data.count, seed: first.seed)) { wrong += 1 }
                    }
                }
                return wrong + held.count { !$0.data.elementsEqual(Self.bytes($0.data.count, seed: $0.seed)) }
            }
        }
        var memory = MessageMemory()
        for seed in 0..<20_000 {
            giver.yield((Self.copy(Self.bytes(1 + seed % 997, seed: seed), into: &memory), seed))
        }
        giver.finish()
        var wrong = 0
        for reader in readers { wrong += await reader.value }
        #expect(wrong == 0)
    }
}
