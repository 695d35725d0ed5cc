public import Foundation

/// A W3C trace context: which trace something belongs to, and which of its spans caused it.
///
/// It is read strictly, by the Recommendation of 2021 with the random flag of the second level. What cannot be read is no
/// context: it begins a new trace and is never a fault of the message that carries it.
public struct TraceContext: Sendable, Hashable {
    /// The id of a trace: 16 bytes, not all of them zero.
    public struct TraceID: Sendable, Hashable, CustomStringConvertible {
        /// The first 8 bytes.
        public let high: UInt64
        /// The last 8 bytes.
        public let low: UInt64

        /// Makes an id; nil of zeros alone.
        public init?(high: UInt64, low: UInt64) {
            guard high != 0 || low != 0 else { return nil }
            self.high = high
            self.low = low
        }

        /// A random id.
        public static func random(using generator: inout some RandomNumberGenerator) -> TraceID {
            while true {
                let high = UInt64.random(in: .min ... .max, using: &generator)
                if let id = TraceID(high: high, low: UInt64.random(in: .min ... .max, using: &generator)) { return id }
            }
        }

        /// 32 lower-case hexadecimal digits.
        public var description: String { LowercaseHex.text(high) + LowercaseHex.text(low) }
    }

    /// The id of a span: 8 bytes, not all of them zero.
    public struct SpanID: Sendable, Hashable, CustomStringConvertible {
        /// The bytes.
        public let value: UInt64

        /// Makes an id; nil of zero.
        public init?(_ value: UInt64) {
            guard value != 0 else { return nil }
            self.value = value
        }

        /// A random id.
        public static func random(using generator: inout some RandomNumberGenerator) -> SpanID {
            while true {
                if let id = SpanID(UInt64.random(in: .min ... .max, using: &generator)) { return id }
            }
        }

        /// 16 lower-case hexadecimal digits.
        public var description: String { LowercaseHex.text(value) }
    }

    /// The flags that the version 00 defines, as bits.
    public struct Flags: OptionSet, Sendable, Hashable {
        /// The bits.
        public let rawValue: UInt8

        /// Takes bits.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The caller may have recorded the trace, and asks others to.
        public static let sampled = Flags(rawValue: 1)
        /// At least the last 7 bytes of the trace's id are random.
        public static let random = Flags(rawValue: 2)
    }

    /// The trace.
    public let traceID: TraceID
    /// The span that what carries the context comes from.
    public let spanID: SpanID
    /// The flags.
    public let flags: Flags
    /// What other tracing systems hand on with it, as `tracestate` has it; nil where there is nothing.
    public let state: String?

    /// Makes a context; a state that cannot be read is left out.
    public init(traceID: TraceID, spanID: SpanID, flags: Flags, state: String? = nil) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
        self.state = state.flatMap(TraceState.normalized)
    }

    /// Reads a `traceparent` and, where there is one, its `tracestate`; nil where the first is not valid.
    ///
    /// Of a later version what the version 00 defines is read. A `tracestate` that is not valid is left out.
    public init?(traceparent: String, tracestate: String? = nil) {
        let bytes = Array(traceparent.utf8)
        // version-traceid-parentid-flags
        guard bytes.count >= 55, bytes[2] == UInt8(ascii: "-"), bytes[35] == UInt8(ascii: "-"),
            bytes[52] == UInt8(ascii: "-"),
            let version = LowercaseHex.value(bytes[0..<2]), version != 0xff,
            let high = LowercaseHex.value(bytes[3..<19]), let low = LowercaseHex.value(bytes[19..<35]),
            let span = LowercaseHex.value(bytes[36..<52]), let flags = LowercaseHex.value(bytes[53..<55]),
            let traceID = TraceID(high: high, low: low), let spanID = SpanID(span)
        else { return nil }
        // Only a later version may have more, behind a dash.
        guard bytes.count == 55 || version > 0 && bytes[55] == UInt8(ascii: "-") else { return nil }
        self.init(
            traceID: traceID,
            spanID: spanID,
            flags: Flags(rawValue: UInt8(flags & 3)),
            state: tracestate
        )
    }

    /// The context as `traceparent` of version 00.
    public var traceparent: String {
        "00-\(traceID)-\(spanID)-\(LowercaseHex.text(UInt64(flags.rawValue)).suffix(2))"
    }

    // MARK: In one text

    /// Reads what ``text`` wrote.
    public init?(text: String) {
        let parts = text.split(separator: " ", maxSplits: 1)
        guard let first = parts.first else { return nil }
        self.init(traceparent: String(first), tracestate: parts.count > 1 ? String(parts[1]) : nil)
    }

    /// The context in one text, as it is stored: the `traceparent` and, behind a space, the `tracestate`.
    public var text: String { state.map { "\(traceparent) \($0)" } ?? traceparent }

    // MARK: In headers

    /// Reads the context from the headers of a Kafka record; nil where there is none that is valid.
    ///
    /// The attributes of CloudEvents' Distributed Tracing extension, `ce_traceparent` and `ce_tracestate`, come before the
    /// plain headers `traceparent` and `tracestate` that OpenTelemetry's instrumentation of Kafka clients writes: the former
    /// are the event's own and stay with it, the latter are whoever's who has sent the record.
    public init?(headers: [(String, Data)]) {
        for prefix in ["ce_", ""] {
            func values(_ name: String) -> [String?] {
                headers.filter { $0.0 == prefix + name && !$0.1.isEmpty }.map { String(validating: $0.1, as: UTF8.self) }
            }
            let parents = values("traceparent")
            guard parents.count == 1, let parent = parents[0] else { continue }
            let states = values("tracestate")
            // Several are one list.
            let state = states.contains(nil) ? nil : states.compactMap { $0 }.joined(separator: ",")
            guard let context = TraceContext(traceparent: parent, tracestate: state) else { continue }
            self = context
            return
        }
        return nil
    }

    /// The context as the headers of an event in CloudEvents' binary mode.
    public var headers: [(String, Data)] {
        [("ce_traceparent", Data(traceparent.utf8))] + (state.map { [("ce_tracestate", Data($0.utf8))] } ?? [])
    }
}

/// The list that `tracestate` is.
enum TraceState {
    /// The most members.
    static let memberLimit = 32
    /// The most bytes that are handed on; the specification asks for at least so many.
    static let sizeLimit = 512
    /// Members with more bytes are the first to go where the list is too long.
    static let longMember = 128

    /// The list in its plainest form, cut to what is handed on; nil where it is empty or not valid.
    static func normalized(_ text: String) -> String? {
        var members: [(key: ArraySlice<UInt8>, text: String)] = []
        for part in Array(text.utf8).split(separator: UInt8(ascii: ",")) {
            guard let start = part.firstIndex(where: { !isSpace($0) }), let end = part.lastIndex(where: { !isSpace($0) })
            else { continue }
            let member = part[start...end]
            guard members.count < memberLimit, let mark = member.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let key = member[..<mark]
            guard isKey(key), isValue(member[(mark + 1)...]), !members.contains(where: { $0.key == key }) else {
                return nil
            }
            members.append((key, String(decoding: member, as: UTF8.self)))
        }
        var kept = members.map(\.text)
        func size() -> Int { kept.reduce(-1) { $0 + $1.utf8.count + 1 } }
        while size() > sizeLimit {
            kept.remove(at: kept.lastIndex { $0.utf8.count > longMember } ?? kept.count - 1)
        }
        return kept.isEmpty ? nil : kept.joined(separator: ",")
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    private static func isKey(_ bytes: ArraySlice<UInt8>) -> Bool {
        let parts = bytes.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return bytes.count <= 256 && isName(bytes, mayBeginWithDigit: false)
        case 2:
            return parts[0].count <= 241 && isName(parts[0], mayBeginWithDigit: true) && parts[1].count <= 14
                && isName(parts[1], mayBeginWithDigit: false)
        default: return false
        }
    }

    private static func isName(_ bytes: ArraySlice<UInt8>, mayBeginWithDigit: Bool) -> Bool {
        guard let first = bytes.first else { return false }
        func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
        func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
        guard isLetter(first) || mayBeginWithDigit && isDigit(first) else { return false }
        return bytes.allSatisfy { isLetter($0) || isDigit($0) || "_-*/".utf8.contains($0) }
    }

    private static func isValue(_ bytes: ArraySlice<UInt8>) -> Bool {
        (1...256).contains(bytes.count) && bytes.last != UInt8(ascii: " ")
            && bytes.allSatisfy { (0x20...0x7e).contains($0) && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") }
    }
}

/// Hexadecimal digits as trace contexts have them: lower case alone.
private enum LowercaseHex {
    static func text(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The number of at most 16 digits; nil where one is none.
    static func value(_ bytes: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for byte in bytes {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            default: return nil
            }
            value = value << 4 | UInt64(digit)
        }
        return value
    }
}
