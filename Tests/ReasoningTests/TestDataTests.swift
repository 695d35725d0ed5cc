import DataSupport
import Foundation
import Testing

@Suite("Data of tests")
struct TestDataTests {
    @Test("the folder with others' texts is the one that the variable names, and there is no default")
    func folder() {
        #expect(TestData.externalFolder([:]) == nil)
        #expect(TestData.externalFolder(["ERRATA_TEST_DATA_2": "/data"]) == nil)
        #expect(TestData.externalFolder([TestData.variable: ""]) == nil)
        #expect(TestData.externalFolder([TestData.variable: "/data"])?.path == "/data")
    }

    @Test("a file that is missing, or asked for without a folder, is an error that names it")
    func missing() throws {
        let without = #expect(throws: TestData.Missing.self) { try TestData.external("a.jsonl", in: nil) }
        #expect(without?.description.contains("a.jsonl") == true)
        let folder = try TestData.own("word_problems.jsonl").deletingLastPathComponent()
        #expect(try TestData.external("answers.jsonl", in: folder) == TestData.own("answers.jsonl"))
        for get in [{ try TestData.external("none.jsonl", in: folder) }, { try TestData.own("none.jsonl") }] {
            let error = #expect(throws: TestData.Missing.self) { try get() }
            #expect(error?.description.contains("none.jsonl is missing") == true)
        }
        #expect(throws: TestData.Missing.self) { try TestData.golden("none") }
    }
}
