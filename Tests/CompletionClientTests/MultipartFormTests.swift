import Foundation
import Testing

@testable import CompletionClient

@Suite("A form with files")
struct MultipartFormTests {
    @Test("fields and files stand between boundaries, bytes as they are")
    func body() throws {
        var form = MultipartForm()
        form.add("purpose", "batch")
        form.add("file", filename: "a\"b.jsonl", contentType: "application/jsonl", bytes: [0x7B, 0x00, 0xFF, 0x0A])
        let prefix = "multipart/form-data; boundary="
        #expect(form.contentType.hasPrefix(prefix))
        let boundary = form.contentType.dropFirst(prefix.count)
        let expected =
            Data(
                ("--\(boundary)\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
                    + "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22b.jsonl\"\r\n"
                    + "Content-Type: application/jsonl\r\n\r\n").utf8
            ) + Data([0x7B, 0x00, 0xFF, 0x0A]) + Data("\r\n--\(boundary)--\r\n".utf8)
        #expect(Data(form.body) == expected)
    }

    @Test("two forms have two boundaries")
    func boundaries() { #expect(MultipartForm().contentType != MultipartForm().contentType) }
}
