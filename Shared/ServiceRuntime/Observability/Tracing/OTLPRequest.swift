import Foundation
import Schemas
import Tracing

/// What is posted to a collector: OTLP's ExportTraceServiceRequest in the JSON mapping that OpenTelemetry describes.
///
/// Ids are in hexadecimal, 64-bit integers are texts, enums are numbers, and a field that has its default is left out.
struct OTLPRequest: Encodable {
    let resourceSpans: [ResourceSpans]

    /// Puts spans together.
    init(_ spans: [SpanRecord], resource: [String: String]) {
        let attributes = resource.sorted { $0.key < $1.key }.map {
            KeyValue(key: $0.key, value: .one(.string($0.value)))
        }
        resourceSpans = [
            ResourceSpans(
                resource: Resource(attributes: attributes),
                scopeSpans: [ScopeSpans(scope: Scope(name: "errata"), spans: spans.map(Span.init))]
            )
        ]
    }

    /// The body's bytes.
    func encoded() throws -> Data { try EventCoding.encodeJSON(self) }

    struct ResourceSpans: Encodable {
        let resource: Resource
        let scopeSpans: [ScopeSpans]
    }

    struct Resource: Encodable {
        let attributes: [KeyValue]
    }

    struct ScopeSpans: Encodable {
        let scope: Scope
        let spans: [Span]
    }

    struct Scope: Encodable {
        let name: String
    }

    struct Span: Encodable {
        let traceId: String
        let spanId: String
        let traceState: String?
        let parentSpanId: String?
        let flags: UInt32
        let name: String
        let kind: Int
        let startTimeUnixNano: String
        let endTimeUnixNano: String
        let attributes: [KeyValue]
        let events: [Event]?
        let links: [Link]?
        let status: Status?

        init(_ record: SpanRecord) {
            traceId = record.trace.traceID.description
            spanId = record.trace.spanID.description
            traceState = record.trace.state
            parentSpanId = record.parent?.description
            flags = UInt32(record.trace.flags.rawValue)
            name = record.name
            kind =
                switch record.kind {
                case .internal: 1
                case .server: 2
                case .client: 3
                case .producer: 4
                case .consumer: 5
                }
            startTimeUnixNano = String(record.start)
            endTimeUnixNano = String(record.end)
            attributes = KeyValue.list(record.attributes)
            events = record.events.isEmpty ? nil : record.events.map(Event.init)
            links =
                record.links.isEmpty
                ? nil
                : record.links.map { link in
                    Link(
                        traceId: link.trace.traceID.description,
                        spanId: link.trace.spanID.description,
                        traceState: link.trace.state,
                        attributes: KeyValue.list(link.attributes)
                    )
                }
            status = record.status.map { Status(code: $0.code == .ok ? 1 : 2, message: $0.message) }
        }
    }

    struct Event: Encodable {
        let timeUnixNano: String
        let name: String
        let attributes: [KeyValue]

        init(_ event: SpanEvent) {
            timeUnixNano = String(event.nanosecondsSinceEpoch)
            name = event.name
            attributes = KeyValue.list(event.attributes)
        }
    }

    struct Link: Encodable {
        let traceId: String
        let spanId: String
        let traceState: String?
        let attributes: [KeyValue]
    }

    struct Status: Encodable {
        let code: Int
        let message: String?
    }

    struct KeyValue: Encodable {
        let key: String
        let value: AnyValue

        static func list(_ attributes: SpanAttributes) -> [KeyValue] {
            var list: [KeyValue] = []
            func add(_ key: String, _ value: SpanAttribute) {
                if let value = AnyValue(value) { list.append(KeyValue(key: key, value: value)) }
            }
            attributes.forEach(add)
            return list.sorted { $0.key < $1.key }
        }
    }

    /// A value: one, or a list of them.
    enum AnyValue: Encodable {
        case one(Scalar)
        case list([Scalar])

        /// Takes an attribute; nil for one of a kind that is not known.
        init?(_ attribute: SpanAttribute) {
            switch attribute {
            case .int32(let value): self = .one(.int(Int64(value)))
            case .int64(let value): self = .one(.int(value))
            case .int32Array(let values): self = .list(values.map { .int(Int64($0)) })
            case .int64Array(let values): self = .list(values.map { .int($0) })
            case .double(let value): self = .one(.double(value))
            case .doubleArray(let values): self = .list(values.map { .double($0) })
            case .bool(let value): self = .one(.bool(value))
            case .boolArray(let values): self = .list(values.map { .bool($0) })
            case .string(let value): self = .one(.string(value))
            case .stringArray(let values): self = .list(values.map { .string($0) })
            case .stringConvertible(let value): self = .one(.string("\(value)"))
            case .stringConvertibleArray(let values): self = .list(values.map { .string("\($0)") })
            default: return nil
            }
        }

        private enum Key: String, CodingKey { case arrayValue }
        private enum ListKey: String, CodingKey { case values }

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .one(let scalar): try scalar.encode(to: encoder)
            case .list(let scalars):
                var container = encoder.container(keyedBy: Key.self)
                var list = container.nestedContainer(keyedBy: ListKey.self, forKey: .arrayValue)
                try list.encode(scalars, forKey: .values)
            }
        }
    }

    enum Scalar: Encodable {
        case string(String)
        case int(Int64)
        case double(Double)
        case bool(Bool)

        private enum Key: String, CodingKey { case stringValue, intValue, doubleValue, boolValue }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            switch self {
            case .string(let value): try container.encode(value, forKey: .stringValue)
            case .int(let value): try container.encode(String(value), forKey: .intValue)
            case .double(let value) where value.isFinite: try container.encode(value, forKey: .doubleValue)
            case .double(let value):
                let name = value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
                try container.encode(name, forKey: .doubleValue)
            case .bool(let value): try container.encode(value, forKey: .boolValue)
            }
        }
    }
}
