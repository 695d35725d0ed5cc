import Foundation
import Schemas
import Testing

@Suite("What a schema refuses is refused when it is read")
struct SchemaRuleTests {
    @Test("a value that breaks one rule of a schema is refused, and the field is named", arguments: Samples.full)
    func rules(sample: Samples.Sample) throws {
        let value: JSONValue = try EventCoding.decodeJSON(from: sample.encoded())
        let validator = try SchemaValidator.of(sample.type)
        var tried = 0
        for node in validator.nodes(value) {
            for violation in SchemaValidator.violations(of: node) {
                let broken = value.replacing(node.path[...], with: violation)
                let place = "\(node.path.text): \(violation)"
                #expect(!validator.faults(broken).isEmpty, "\(place)")
                let error = #expect(throws: SchemasError.self, "\(place)") {
                    try sample.read(EventCoding.encodeJSON(broken))
                }
                tried += 1
                // JSONDecoder does not say where a number stands that its type cannot hold, a fraction or a negative seed.
                if error?.message.hasSuffix("The given data was not valid JSON.") == true { continue }
                guard case .member(let name)? = node.path.last else { continue }
                #expect(error?.message.contains(name) == true, "\(place): \(error?.message ?? "")")
            }
        }
        #expect(tried >= 5)
    }

    @Test("so is one in the earlier form of a run")
    func fixedForm() throws {
        let value = try Samples.fixedForm()
        let validator = try SchemaValidator.of(.run)
        for node in validator.nodes(value) {
            for violation in SchemaValidator.violations(of: node) {
                let broken = value.replacing(node.path[...], with: violation)
                let place = "\(node.path.text): \(violation)"
                #expect(!validator.faults(broken).isEmpty, "\(place)")
                #expect(throws: SchemasError.self, "\(place)") {
                    try EventCoding.decode(RunEvent.self, from: EventCoding.encodeJSON(broken))
                }
            }
        }
    }
}
