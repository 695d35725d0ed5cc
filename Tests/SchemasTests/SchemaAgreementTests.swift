import Foundation
import Schemas
import Testing

@Suite("Types and schemas agree in both directions")
struct SchemaAgreementTests {
    private func json(_ data: Data) throws -> JSONValue { try EventCoding.decodeJSON(from: data) }

    @Test("every type has full samples")
    func coverage() {
        #expect(Set(Samples.full.map(\.type)) == Set(EventType.allCases))
    }

    @Test("an encoded sample validates and comes back unchanged", arguments: Samples.full + Samples.minimal)
    func samplesValidate(sample: Samples.Sample) throws {
        let data = try sample.encoded()
        #expect(try SchemaValidator.of(sample.type).faults(json(data)) == [])
        #expect(try sample.decodeAgain(data) == data)
    }

    @Test("every coding key is in the schema", arguments: Samples.full + Samples.minimal)
    func keysAreDescribed(sample: Samples.Sample) throws {
        let value = try json(sample.encoded())
        #expect(try SchemaValidator.of(sample.type).undescribed(value) == [])
    }

    @Test("every schema property is written by a full sample", arguments: EventType.allCases)
    func propertiesAreKnown(type: EventType) throws {
        var values = try Samples.full.filter { $0.type == type }.map { try json($0.encoded()) }
        // The earlier form of a run is only read, never written.
        if type == .run { values += try Samples.lengths.map { try Samples.fixedForm(length: $0) } }
        #expect(try unwritten(values, SchemaValidator.of(type)) == [])
    }

    @Test("a required property that is removed makes reading fail and is named", arguments: Samples.full)
    func requiredMeansRequired(sample: Samples.Sample) throws {
        let value = try json(sample.encoded())
        let validator = try SchemaValidator.of(sample.type)
        var tried = 0
        for place in validator.places(value) {
            for name in place.required {
                let broken = value.changing(place.path[...], name, to: nil)
                #expect(!validator.faults(broken).isEmpty)
                let error = #expect(throws: SchemasError.self, "\(place.path) \(name)") {
                    try sample.read(EventCoding.encodeJSON(broken))
                }
                #expect(error?.message.contains(name) == true)
                tried += 1
            }
        }
        #expect(tried >= 3)
    }

    @Test("an optional property that is removed does not make reading fail", arguments: Samples.full)
    func optionalMeansOptional(sample: Samples.Sample) throws {
        let value = try json(sample.encoded())
        let validator = try SchemaValidator.of(sample.type)
        for place in validator.places(value) {
            let members = value.member(at: place.path)?.objectValue ?? [:]
            for name in place.properties.subtracting(place.required) where members[name] != nil {
                // A verified correction must name its step; that rule joins two fields and is not in the schema.
                if name == "firstWrongStep", place.path == [.member("body")] { continue }
                // A stage has a last round where the run has rounds.
                if name == "rounds", sample.type == .run { continue }
                // A recorded template is there in parts or as a text.
                if name == "template", sample.type == .recordedTrace { continue }
                let less = value.changing(place.path[...], name, to: nil)
                #expect(validator.faults(less) == [])
                #expect(throws: Never.self, "\(place.path) \(name)") {
                    try sample.read(EventCoding.encodeJSON(less))
                }
            }
        }
    }

    @Test(
        "unknown keys are ignored, but for runs and orders to them",
        arguments: Samples.full.filter { $0.type != .run && $0.type != .runControl }
    )
    func unknownKeys(sample: Samples.Sample) throws {
        let data = try sample.encoded()
        let more = try json(data).changing([], "aLaterField", to: ["x": 1])
        #expect(try sample.decodeAgain(EventCoding.encodeJSON(more)) == data)
        #expect(try SchemaValidator.of(sample.type).faults(more) == [])
    }

    @Test("planted mismatches are seen")
    func planted() throws {
        let value = try json(EventCoding.encode(Samples.problem))
        let schema = try json(SchemaDocuments.schema(for: .problem))
        let properties: [SchemaValidator.JSONPathStep] = [.member("properties")]
        let without = SchemaValidator(schema.changing(properties[...], "family", to: nil))
        #expect(without.undescribed(value) == ["family"])
        let with = SchemaValidator(schema.changing(properties[...], "planted", to: ["type": "string"]))
        #expect(unwritten([value], with) == ["planted"])
        let other = SchemaValidator(schema.changing(properties[...], "steps", to: ["type": "string"]))
        #expect(other.faults(value) == ["$.steps: not string"])
        let typo = SchemaValidator(schema.changing(properties[...], "steps", to: ["minimun": 1]))
        #expect(typo.faults(value) == ["$.steps: unknown keyword minimun"])
    }

    @Test("schemas name themselves and are in the AsyncAPI document with their topics", arguments: EventType.allCases)
    func documents(type: EventType) throws {
        #expect(try SchemaValidator.of(type).root["$id"]?.stringValue == type.schemaIdentifier)
        let text = String(decoding: SchemaDocuments.asyncAPI, as: UTF8.self)
        #expect(text.hasPrefix("asyncapi: 3.0.0\n"))
        #expect(text.contains("$ref: ./\(SchemaDocuments.fileName(for: type))\n"))
        #expect(text.contains("const: \(type.rawValue)\n"))
        let topic = type.topic
        let channel = try #require(text.range(of: "address: \(topic.name)\n"))
        let rest = text[channel.upperBound...].prefix(700)
        #expect(rest.contains("partitions: \(topic.defaultPartitions)\n"))
        #expect(rest.contains("retention.ms: \(topic.retentionMilliseconds)\n"))
        // The channel lists exactly the types that stand on the topic, by the names of their cases.
        let messages = try #require(rest.range(of: "    messages:\n"))
        let bindings = try #require(rest.range(of: "    bindings:\n"))
        let listed = topic.eventTypes.map { "      \($0):\n        $ref: '#/components/messages/\($0)'\n" }
        #expect(rest[messages.upperBound..<bindings.lowerBound] == listed.joined())
        #expect(topic.eventTypes.contains(type))
        for action in ["send", "receive"] {
            let name = String(describing: type)
            #expect(
                text.contains("  \(action)\(name.prefix(1).uppercased())\(name.dropFirst()):\n    action: \(action)\n")
            )
        }
    }

    private func unwritten(_ values: [JSONValue], _ validator: SchemaValidator) -> [String] {
        var known: Set<String> = []
        var written: Set<String> = []
        for value in values {
            let variant = value.objectValue?["kind"]?.stringValue ?? ""
            for place in validator.places(value) {
                var path = place.path.map { step in
                    if case .member(let name) = step { name } else { "[]" }
                }.joined(separator: ".")
                if path.hasPrefix("body") { path = "\(variant):\(path)" }
                known.formUnion(place.properties.map { "\(path)/\($0)" })
                written.formUnion((value.member(at: place.path)?.objectValue ?? [:]).keys.map { "\(path)/\($0)" })
            }
        }
        return known.subtracting(written).map { String($0.drop { $0 == "/" }) }.sorted()
    }
}
