import DataSupport
import Foundation
import LanguageModel
import Schemas
import Testing
import Tokenization

@testable import ErrataCLICore

@Suite("A run as people write it")
struct RunFileTests {
    private func resolve(_ text: String) throws -> JSONValue {
        let folder = try TestData.golden("tok/qwen2-512")
        let data = try RunFile.resolvingStudent(in: Data(text.utf8)) { name in
            guard name == "tiny" else { throw CLIError("no model '\(name)'") }
            return StoredModel(hash: "abc", folder: folder)
        }
        return try EventCoding.decodeJSON(JSONValue.self, from: data)
    }

    @Test("a student's name becomes its hash and its tokenizer's fingerprint, and the rest stays")
    func names() throws {
        let fingerprint = try Tokenizer(folder: TestData.golden("tok/qwen2-512")).fingerprint
        let run = try resolve(#"{"id": "r", "seed": 9007199254740991, "student": {"model": "tiny"}, "x": [1.5, null]}"#)
        #expect(
            run == [
                "id": "r", "seed": 9_007_199_254_740_991, "x": [1.5, .null],
                "student": ["modelHash": "abc", "tokenizerFingerprint": .string(fingerprint)],
            ]
        )
    }

    @Test("a student that is named by content, or none, is left for the event's own checks")
    func others() throws {
        for text in [#"{"student": {"modelHash": "m", "tokenizerFingerprint": "t"}}"#, #"{"id": "r"}"#, "[1]"] {
            let data = try RunFile.resolvingStudent(in: Data(text.utf8)) { _ in throw CLIError("asked") }
            #expect(data == Data(text.utf8))
        }
    }

    @Test("a name that is none, unknown, or given beside a hash is refused")
    func faults() {
        for (text, words) in [
            (#"{"student": {"model": 3}}"#, "no text"), (#"{"student": {"model": "other"}}"#, "no model 'other'"),
            (#"{"student": {"model": "tiny", "modelHash": "m"}}"#, "\"model\" alone"), ("{", "JSON"),
        ] {
            do {
                _ = try resolve(text)
                Issue.record("\(text) is taken")
            } catch {
                #expect("\(error)".contains(words))
            }
        }
    }
}
