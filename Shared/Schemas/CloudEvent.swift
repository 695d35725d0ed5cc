public import Foundation

/// The attributes of a CloudEvents 1.0 event, without its data.
///
/// Over Kafka they travel in binary content mode: one `ce_` header an attribute, the JSON body as the record's value.
public struct CloudEvent: Sendable, Hashable {
    /// The one CloudEvents version that is read and written.
    public static let specVersion = "1.0"
    /// The content type of every event body.
    public static let contentType = "application/json"
    /// The longest value of an attribute, in bytes.
    public static let longestAttribute = 2048

    /// Identifies the event within its source; a consumer that has seen the pair has seen the event.
    public var id: String
    /// Who made the event, a URI reference such as `/errata/evaluator`.
    public var source: String
    /// The event type as it stands in the header; see ``eventType``.
    public var type: String
    /// When it happened.
    public var time: Date?
    /// The id of the thing that the event is about.
    public var subject: String?
    /// The `$id` of the JSON Schema of the body.
    public var dataschema: String?
    /// The trace that the event belongs to, and the span that made it: CloudEvents' Distributed Tracing extension.
    public var trace: TraceContext?
    /// Extension attributes that Errata does not know, kept so that they can be handed on.
    public var extensions: [String: String]

    /// Makes the attributes of an event from their values.
    public init(
        id: String,
        source: String,
        type: String,
        time: Date? = nil,
        subject: String? = nil,
        dataschema: String? = nil,
        trace: TraceContext? = nil,
        extensions: [String: String] = [:]
    ) {
        self.id = id
        self.source = source
        self.type = type
        self.time = time
        self.subject = subject
        self.dataschema = dataschema
        self.trace = trace
        self.extensions = extensions
    }

    /// Makes the attributes of an event that carries a payload; the subject is the payload's id.
    public init(
        id: String,
        source: String,
        time: Date?,
        payload: some EventPayload,
        trace: TraceContext? = nil
    ) {
        let type = Swift.type(of: payload).type
        self.init(
            id: id,
            source: source,
            type: type.rawValue,
            time: time,
            subject: payload.id,
            dataschema: type.schemaIdentifier,
            trace: trace
        )
    }

    /// The event type when it is one of Errata's.
    public var eventType: EventType? { EventType(rawValue: type) }

    /// The event type, when it is one of those expected.
    ///
    /// - Throws: ``SchemasError`` with the code `unknownType` that names the type and those that are read.
    public func requireType(oneOf expected: [EventType]) throws -> EventType {
        guard let eventType, expected.contains(eventType) else {
            let known = expected.map(\.rawValue).joined(separator: ", ")
            throw SchemasError(
                .unknownType,
                "ce_type is \"\(Self.shown(type))\"; this consumer reads \(known.isEmpty ? "no type" : known)"
            )
        }
        return eventType
    }

    static func shown(_ text: String) -> String {
        let cut = text.unicodeScalars.prefix(80).map { $0.properties.generalCategory == .control ? "?" : String($0) }
        return cut.joined() + (text.unicodeScalars.count > 80 ? "…" : "")
    }
}

extension CloudEvent {
    /// The Kafka headers of the event in binary content mode, in a fixed order.
    ///
    /// - Throws: ``SchemasError`` when an attribute is empty, too long or has an illegal name.
    public func headers() throws -> [(String, Data)] {
        var attributes: [(String, String)] = [
            ("specversion", Self.specVersion), ("id", id), ("source", source), ("type", type),
        ]
        if let time { attributes.append(("time", try Timestamp.format(time))) }
        if let subject { attributes.append(("subject", subject)) }
        if let dataschema { attributes.append(("dataschema", dataschema)) }
        for (name, value) in extensions.sorted(by: { $0.key < $1.key }) {
            guard Self.isLegalName(name), !Self.ownAttributes.contains(name) else {
                throw SchemasError(
                    .malformedAttribute,
                    "the extension \"\(Self.shown(name))\" needs a name of 1 to 64 lower-case letters and digits "
                        + "that is not an attribute of its own"
                )
            }
            attributes.append((name, value))
        }
        var headers: [(String, Data)] = []
        for (name, value) in attributes {
            try Self.check(value, name: name)
            headers.append(("ce_\(name)", Data(value.utf8)))
        }
        if let trace { headers += trace.headers }
        headers.append(("content-type", Data(Self.contentType.utf8)))
        return headers
    }

    /// Reads the attributes from the headers of a Kafka record in binary content mode.
    ///
    /// Headers that are not CloudEvents' are ignored, but for those of a trace: see ``TraceContext/init(headers:)``. One that
    /// is not valid is ignored too.
    ///
    /// - Throws: ``SchemasError`` that names the attribute which is missing, doubled or malformed, an unknown
    ///   specversion, or a content type other than JSON.
    public init(headers: [(String, Data)]) throws {
        var attributes: [String: String] = [:]
        var contentType: String?
        for (header, data) in headers {
            let isContentType = header.lowercased() == "content-type"
            guard isContentType || header.hasPrefix("ce_"), !Self.traceHeaders.contains(header) else { continue }
            // Kafka's headers may be null, and some producers write every attribute: one without a value is not there.
            guard !data.isEmpty else { continue }
            guard data.count <= Self.longestAttribute, let value = String(validating: data, as: UTF8.self) else {
                throw SchemasError(
                    .malformedAttribute,
                    "the header \(Self.shown(header)) must be UTF-8 of at most \(Self.longestAttribute) bytes"
                )
            }
            if isContentType {
                contentType = value
                continue
            }
            let name = String(header.dropFirst(3))
            guard attributes.updateValue(value, forKey: name) == nil else {
                throw SchemasError(.malformedAttribute, "the header \(Self.shown(header)) stands twice")
            }
        }
        try Self.check(contentType: contentType)
        let version = try Self.take("specversion", from: &attributes)
        guard version == Self.specVersion else {
            throw SchemasError(
                .unknownSpecVersion,
                "ce_specversion is \"\(Self.shown(version))\"; only \(Self.specVersion) is read"
            )
        }
        id = try Self.take("id", from: &attributes)
        source = try Self.take("source", from: &attributes)
        type = try Self.take("type", from: &attributes)
        time = nil
        if let text = attributes.removeValue(forKey: "time") {
            guard let date = Timestamp.parse(text) else {
                throw SchemasError(.malformedAttribute, "ce_time is \"\(Self.shown(text))\", not an RFC 3339 time")
            }
            time = date
        }
        subject = attributes.removeValue(forKey: "subject")
        dataschema = attributes.removeValue(forKey: "dataschema")
        trace = TraceContext(headers: headers)
        attributes.removeValue(forKey: "datacontenttype")
        extensions = attributes.filter { Self.isLegalName($0.key) }
    }

    private static let ownAttributes: Set<String> = [
        "specversion", "id", "source", "type", "time", "subject", "dataschema", "datacontenttype", "traceparent",
        "tracestate",
    ]
    private static let traceHeaders: Set<String> = ["ce_traceparent", "ce_tracestate"]

    private static func isLegalName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0) }
    }

    private static func check(_ value: String, name: String) throws {
        guard !value.isEmpty, value.utf8.count <= longestAttribute else {
            throw SchemasError(
                .malformedAttribute,
                "the attribute \(name) must have 1 to \(longestAttribute) bytes, has \(value.utf8.count)"
            )
        }
    }

    private static func check(contentType: String?) throws {
        guard let contentType else {
            throw SchemasError(.contentType, "the header content-type is missing; send \(Self.contentType)")
        }
        let parts = contentType.split(separator: ";", omittingEmptySubsequences: false).map {
            $0.trimmingCharacters(in: .whitespaces).lowercased()
        }
        if parts.first?.hasPrefix("application/cloudevents") == true {
            throw SchemasError(
                .contentType,
                "structured mode (\(shown(contentType))) is not read; send binary mode: ce_ headers, JSON body"
            )
        }
        let charset = parts.dropFirst().first { $0.hasPrefix("charset=") }?.dropFirst(8)
        guard parts.first == Self.contentType, charset.map({ $0 == "utf-8" || $0 == "\"utf-8\"" }) ?? true else {
            throw SchemasError(.contentType, "content-type is \"\(shown(contentType))\"; send \(Self.contentType)")
        }
    }

    private static func take(_ name: String, from attributes: inout [String: String]) throws -> String {
        guard let value = attributes.removeValue(forKey: name) else {
            throw SchemasError(.missingAttribute, "the header ce_\(name) is missing; CloudEvents 1.0 requires it")
        }
        return value
    }
}
