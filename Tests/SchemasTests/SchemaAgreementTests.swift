import Foundation
import Schemas
import Testing

@Suite("Types and schemas agree in both directions")
struct SchemaAgreementTests {
    private func json(_ data: Data) throws -> JSONValue { try EventCoding.decodeJSON(from: data) }

    private func validator(_ type: EventType) throws -> SchemaValidator {
        SchemaValidator(try json(SchemaDocuments.schema(for: type)))
    }

    @Test("every type has full samples")
    func coverage() {
        #expect(Set(Samples.full.map(\.type)) == Set(EventType.allCases))
    }

    @Test("an encoded sample validates and comes back unchanged", arguments: Samples.full + Samples.minimal)
    func samplesValidate(sample: Samples.Sample) throws {
        let data = try sample.encoded()
        #expect(try validator(sample.type).faults(json(data)) == [])
        #expect(try sample.decodeAgain(data) == data)
    }

    @Test("every coding key is in the schema", arguments: Samples.full + Samples.minimal)
    func keysAreDescribed(sample: Samples.Sample) throws {
        let value = try json(sample.encoded())
        #expect(try undescribed(value, validator(sample.type)) == [])
    }

    @Test("every schema property is written by a full sample", arguments: EventType.allCases)
    func propertiesAreKnown(type: EventType) throws {
        let values = try Samples.full.filter { $0.type == type }.map { try json($0.encoded()) }
        #expect(try unwritten(values, validator(type)) == [])
    }

    @Test("a required property that is removed makes reading fail and is named", arguments: Samples.full)
    func requiredMeansRequired(sample: Samples.Sample) throws {
        let value = try json(sample.encoded())
        let validator = try validator(sample.type)
        var tried = 0
        for place in validator.places(value) {
            for name in place.required {
                let broken = value.changing(place.path[...], name, to: nil)
                #expect(!validator.faults(broken).isEmpty)
                let error = #expect(throws: SchemasError.self, "\(place.path) \(name)") {
                    try sample.decodeAgain(EventCoding.encodeJSON(broken))
                }
                #expect(error?.message.contains(name) == true)
                tried += 1
            }
        }
        #expect(tried >= 5)
    }

    @Test("an optional property that is removed does not make reading fail", arguments: Samples.full)
    func optionalMeansOptional(sample: Samples.Sample) throws {
        let value = try json(sample.encoded())
        let validator = try validator(sample.type)
        for place in validator.places(value) {
            let members = value.member(at: place.path)?.objectValue ?? [:]
            for name in place.properties.subtracting(place.required) where members[name] != nil {
                // A verified correction must name its step; that rule joins two fields and is not in the schema.
                if name == "firstWrongStep", place.path == [.member("body")] { continue }
                let less = value.changing(place.path[...], name, to: nil)
                #expect(validator.faults(less) == [])
                #expect(throws: Never.self, "\(place.path) \(name)") {
                    try sample.decodeAgain(EventCoding.encodeJSON(less))
                }
            }
        }
    }

    @Test("unknown keys are ignored", arguments: Samples.full.filter { $0.type != .run })
    func unknownKeys(sample: Samples.Sample) throws {
        let data = try sample.encoded()
        let more = try json(data).changing([], "aLaterField", to: ["x": 1])
        #expect(try sample.decodeAgain(EventCoding.encodeJSON(more)) == data)
        #expect(try validator(sample.type).faults(more) == [])
    }

    @Test("an option of a run that nothing reads is refused with its place, and left alone where it was checked before")
    func unknownOptions() throws {
        let run = try EventCoding.encode(Samples.run)
        let value = try json(run)
        for (path, name) in [
            ([], "rounds"), (["stages"], "sft"), (["stages", "dpo"], "bate"), (["stages", "krsl", "training"], "lr"),
            (["student"], "name"), (["decoding"], "stop"),
        ] as [([String], String)] {
            let more = value.changing(path.map { .member($0) }[...], name, to: ["x": 1])
            let data = try EventCoding.encodeJSON(more)
            let error = #expect(throws: SchemasError.self) { try EventCoding.decode(RunEvent.self, from: data) }
            let place = (["$"] + path + [name]).joined(separator: ".")
            #expect(
                error?.message.contains("\(place) is not known; known there are") == true,
                "\(error?.message ?? "")"
            )
            #expect(!(try validator(.run).faults(more)).isEmpty)
            #expect(
                try EventCoding.encode(EventCoding.decode(RunEvent.self, from: data, ignoresUnknownKeys: true)) == run
            )
        }
        let suite = value.changing([.member("suites"), .element(0)], "n", to: 1)
        let error = #expect(throws: SchemasError.self) {
            try EventCoding.decode(RunEvent.self, from: EventCoding.encodeJSON(suite))
        }
        #expect(error?.message.contains("$.suites[0].n is not known") == true)
    }

    @Test("a run is not scored on what it learns from")
    func overlaps() throws {
        func refusal(_ change: (inout RunEvent) -> Void) -> String {
            var run = Samples.run
            change(&run)
            do {
                try run.validate()
                return ""
            } catch { return "\(error)" }
        }
        #expect(refusal { _ in } == "")
        #expect(refusal { $0.rollout.split = .test }.contains("rollout.split"))
        #expect(refusal { $0.suites[0].split = .train }.contains("$.suites[0].split"))
        #expect(refusal { $0.suites[0].split = .rollout }.contains("which the run learns from"))
        #expect(refusal { $0.suites[0].split = .development } == "")
        #expect(refusal { ($0.suites[0].split, $0.suites[0].dataset) = (.train, "other") } == "")
        #expect(refusal { ($0.suites[0].split, $0.stages.dpo) = (.rollout, nil) } == "")
    }

    @Test("planted mismatches are seen")
    func planted() throws {
        let value = try json(EventCoding.encode(Samples.problem))
        let schema = try json(SchemaDocuments.schema(for: .problem))
        let properties: [SchemaValidator.JSONPathStep] = [.member("properties")]
        let without = SchemaValidator(schema.changing(properties[...], "family", to: nil))
        #expect(undescribed(value, without) == ["family"])
        let with = SchemaValidator(schema.changing(properties[...], "planted", to: ["type": "string"]))
        #expect(unwritten([value], with) == ["planted"])
        let other = SchemaValidator(schema.changing(properties[...], "steps", to: ["type": "string"]))
        #expect(other.faults(value) == ["$.steps: not string"])
        let typo = SchemaValidator(schema.changing(properties[...], "steps", to: ["minimun": 1]))
        #expect(typo.faults(value) == ["$.steps: unknown keyword minimun"])
    }

    @Test("schemas name themselves and are in the AsyncAPI document with their topics", arguments: EventType.allCases)
    func documents(type: EventType) throws {
        #expect(try validator(type).root["$id"]?.stringValue == type.schemaIdentifier)
        let text = String(decoding: SchemaDocuments.asyncAPI, as: UTF8.self)
        #expect(text.hasPrefix("asyncapi: 3.0.0\n"))
        #expect(text.contains("$ref: ./\(SchemaDocuments.fileName(for: type))\n"))
        #expect(text.contains("const: \(type.rawValue)\n"))
        let topic = type.topic
        let channel = try #require(text.range(of: "address: \(topic.name)\n"))
        let rest = text[channel.upperBound...].prefix(600)
        #expect(rest.contains("partitions: \(topic.defaultPartitions)\n"))
        #expect(rest.contains("retention.ms: \(topic.retentionMilliseconds)\n"))
        #expect(topic.eventTypes == [type])
    }

    private func undescribed(_ value: JSONValue, _ validator: SchemaValidator) -> [String] {
        validator.places(value).flatMap { place in
            (value.member(at: place.path)?.objectValue ?? [:]).keys.filter { !place.properties.contains($0) }
        }.sorted()
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
        return known.subtracting(written).filter {
            !$0.hasSuffix("training/batchSequences") && !$0.hasSuffix("training/batchTokens")
        }
        .map { String($0.drop { $0 == "/" }) }.sorted()
    }
}
