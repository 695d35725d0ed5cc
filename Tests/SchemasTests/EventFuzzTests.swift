import DataSupport
import Foundation
import Testing

@testable import Schemas

@Suite("Events of anyone", .timeLimit(.minutes(5)))
struct EventFuzzTests {
    private static let all = Samples.full + Samples.minimal
    private static let words = [
        "\"id\":", "\"weight\":", "\"spans\":[]", "\"firstWrongStep\":", "\"kind\":\"dual\"", "2026-01-31T12:00:00Z",
        "0001-01-01T00:00:00+23:59", "\"stages\":{}",
    ]

    @Test("a mutated body is refused, or read as what can be written and read again", arguments: all)
    func bodies(sample: Samples.Sample) throws {
        func check<Payload: EventPayload>(_ payload: Payload, _ data: Data) throws -> Bool {
            let read: Payload
            do {
                read = try EventCoding.decode(Payload.self, from: data)
            } catch let error as SchemasError {
                #expect(!error.message.isEmpty && error.message.utf8.count <= SchemasError.longestMessage)
                return false
            }
            let written = try EventCoding.encode(try EventCoding.decode(Payload.self, from: EventCoding.encode(read)))
            let again = try EventCoding.decode(Payload.self, from: written)
            #expect(try EventCoding.encode(again) == written)
            return true
        }
        let own = [UInt8](try sample.encoded())
        let others = try Self.all.filter { $0.type == sample.type }.map { [UInt8](try $0.encoded()) }
        let samples = [own, own, own] + others
        // A reader that refuses everything would pass too.
        let isRead = try check(sample.payload, Data(own))
        #expect(isRead)
        var mutator = ByteMutator(seed: 1, words: Self.words)
        let rounds = ByteMutator.rounds(100)
        var refused = 0
        for _ in 0..<rounds {
            let isRead = try check(sample.payload, Data(mutator.mutant(of: samples)))
            if !isRead { refused += 1 }
        }
        #expect(refused > rounds / 4)
    }

    @Test("mutated headers are refused, or read as attributes that can be written and read again")
    func headers() throws {
        var event = CloudEvent(
            id: "e-1",
            source: "/errata/test",
            time: Date(timeIntervalSince1970: 1_700_000_000.25),
            payload: Samples.problem,
            trace: TraceContext(traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=1")
        )
        event.extensions = ["partner": "x"]
        let headers = try event.headers()
        let names = headers.map { [UInt8]($0.0.utf8) }
        let values = headers.map { [UInt8]($0.1) }
        var mutator = ByteMutator(seed: 2, words: ["ce_", "ce_id", "application/json; charset=utf-8", ";charset="])
        var read = 0
        for _ in 0..<ByteMutator.rounds(4_000) {
            var changed = headers
            for _ in 0...mutator.number(below: 2) {
                let place = mutator.number(below: changed.count)
                if mutator.number(below: 3) == 0 {
                    changed[place].0 = String(decoding: mutator.mutant(of: names), as: UTF8.self)
                } else {
                    changed[place].1 = Data(mutator.mutant(of: values))
                }
            }
            let first: CloudEvent
            do {
                first = try CloudEvent(headers: changed)
            } catch let error as SchemasError {
                #expect(error.message.utf8.count <= SchemasError.longestMessage)
                continue
            }
            read += 1
            let written = try first.headers()
            let second = try CloudEvent(headers: written).headers()
            #expect(second.map(\.0) == written.map(\.0) && second.map(\.1) == written.map(\.1))
        }
        #expect(read > 20 && read < ByteMutator.rounds(4_000))
    }

    @Test("mutated times are none, or within a millisecond of what is written of them")
    func times() throws {
        let samples = [
            "2026-01-31T12:00:00.250Z", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999999-23:59",
            "2000-02-29T23:59:60z", "0001-01-01t00:00:00.5+23:59",
        ].map { [UInt8]($0.utf8) }
        var mutator = ByteMutator(seed: 3)
        for bytes in samples { try checkTime(String(decoding: bytes, as: UTF8.self)) }
        for _ in 0..<ByteMutator.rounds(5_000) {
            try checkTime(String(decoding: mutator.mutant(of: samples), as: UTF8.self))
        }
        #expect(Timestamp.parse("0001-01-01T00:00:00+00:01") == nil)
        #expect(Timestamp.parse("9999-12-31T23:59:60Z") == nil)
    }

    private func checkTime(_ text: String) throws {
        guard let time = Timestamp.parse(text) else { return }
        let written = try Timestamp.format(time)
        let again = try #require(Timestamp.parse(written), "\(text)")
        #expect(abs(again.timeIntervalSince(time)) < 0.001, "\(text)")
    }

    // MARK: Bounds

    private func refusal(_ body: String) -> SchemasError? {
        #expect(throws: SchemasError.self) { try EventCoding.decodeForeign(Data(body.utf8)) }
    }

    @Test("what nests too deep, or holds too many values, is refused before anything is made of it")
    func shapes() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(try EventCoding.decodeForeign(Data(nested(64).utf8)).arrayValue?.count == 1)
        #expect(refusal(nested(65))?.message.contains("deeper than 64") == true)
        #expect(refusal(String(repeating: "[", count: 1 << 20))?.message.contains("deeper than 64") == true)
        func list(_ count: Int) -> String { "[" + Array(repeating: "1", count: count).joined(separator: ",") + "]" }
        #expect(try EventCoding.decodeForeign(Data(list(100_000).utf8)).arrayValue?.count == 100_000)
        #expect(refusal(list(250_000))?.message.contains("250000 values") == true)
        let error = #expect(throws: SchemasError.self) {
            try EventCoding.decode(ProblemEvent.self, from: Data(#"{"id":"p","metadata":\#(nested(65))}"#.utf8))
        }
        #expect(error?.code == .malformedPayload && error?.message.contains("deeper than 64") == true)
    }

    @Test("marks in texts count for nothing, and texts in other encodings than UTF-8 are refused")
    func marks() throws {
        let text = String(repeating: "[", count: 1000) + #"\",,\\"#
        #expect(try EventCoding.decodeForeign(Data(#"["\#(text)"]"#.utf8)).arrayValue?.count == 1)
        let wide = try #require("[1]".data(using: .utf16LittleEndian))
        let error = #expect(throws: SchemasError.self) { try EventCoding.decodeForeign(wide) }
        #expect(error?.message.contains("UTF-8") == true)
    }

    /// One character of a megabyte: a limit of characters would not cut it.
    private static let oneCharacter = "e" + String(repeating: "\u{301}", count: 400_000)

    @Test("a message that quotes what came is short, however long that is")
    func longWords() throws {
        let body = #"{"problemId":"p","kind":"dual","right":"a","wrong":"b","mistake":"\#(Self.oneCharacter)"}"#
        let error = #expect(throws: SchemasError.self) {
            try EventCoding.decode(RecordedTraceEvent.self, from: Data(body.utf8))
        }
        #expect(error?.message.contains("mistake") == true)
        #expect(error.map { $0.message.utf8.count <= SchemasError.longestMessage } == true)
    }

    @Test("whatever is cut fits in its bytes and is valid")
    func cuts() {
        #expect("abc".cut(toBytes: 3) == "abc")
        #expect("abcdef".cut(toBytes: 5) == "ab\u{2026}")
        let cut = Self.oneCharacter.cut(toBytes: 100)
        #expect((98...100).contains(cut.utf8.count) && cut.hasSuffix("\u{2026}"))
        #expect(Array(cut.unicodeScalars.prefix(2)) == ["e", "\u{301}"])
        for limit in 3..<12 { #expect("\u{1F600}\u{1F600}\u{1F600}".cut(toBytes: limit).utf8.count <= limit) }
    }

    private static let worstHeaders: [[(String, Data?)]] = [
        Array(repeating: ("", nil), count: 200_000),
        Array(repeating: ("a", Data()), count: 200_000),
        Array(repeating: (String(repeating: "\u{1}", count: 1000), nil), count: 200),
        [("a", Data(count: 1 << 20))],
        [(String(repeating: "\u{1}", count: 1 << 20), nil)],
    ]

    @Test("a dead letter of any message fits an event", arguments: worstHeaders.indices)
    func deadLetters(index: Int) throws {
        let headers = Self.worstHeaders[index]
        for payload in [nil, Data(), Data(repeating: 0xFF, count: 8 << 20)] {
            let letter = DeadLetterEvent(
                id: "d",
                topic: "t",
                partition: 0,
                offset: 1,
                recordKey: Data(repeating: 1, count: 1 << 20),
                consumer: "c",
                cause: DeadLetterCause(code: "x", message: Self.oneCharacter + String(repeating: "\u{1}", count: 9000)),
                payload: payload,
                headers: headers,
                failedAt: Date(timeIntervalSince1970: 0),
                attempts: 1
            )
            let data = try EventCoding.encode(letter)
            #expect(data.count <= EventCoding.defaultSizeLimit)
            #expect(try EventCoding.decode(DeadLetterEvent.self, from: data) == letter)
        }
    }
}
