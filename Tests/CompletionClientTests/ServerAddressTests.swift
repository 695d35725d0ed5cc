import Testing

@testable import CompletionClient

@Suite("The address of a server")
struct ServerAddressTests {
    @Test(
        "what users give for one server means one endpoint",
        arguments: [
            ("http://h:8000", "http://h:8000/v1/chat/completions"),
            ("http://h:8000/", "http://h:8000/v1/chat/completions"),
            ("http://h:8000/v1", "http://h:8000/v1/chat/completions"),
            (" http://h:8000/v1/ ", "http://h:8000/v1/chat/completions"),
            ("http://h:8000/v1/chat/completions", "http://h:8000/v1/chat/completions"),
            ("http://h:8000/v1/chat/completions/", "http://h:8000/v1/chat/completions"),
            ("http://h:8000/v1/completions", "http://h:8000/v1/chat/completions"),
            ("http://h/chat/completions", "http://h/v1/chat/completions"),
            ("HTTPS://h/api/openai/v2", "HTTPS://h/api/openai/v2/chat/completions"),
            (
                "https://x.example/openai/deployments/d?api-version=2024-10-21",
                "https://x.example/openai/deployments/d/chat/completions?api-version=2024-10-21"
            ),
            (
                "https://x.example/openai/deployments/d/chat/completions?api-version=1",
                "https://x.example/openai/deployments/d/chat/completions?api-version=1"
            ),
        ]
    )
    func endpoint(text: String, expected: String) {
        #expect(ServerAddress(text)?.endpoint("chat/completions") == expected)
    }

    @Test(
        "a call's query goes behind the address' own",
        arguments: [
            ("http://h", "http://h/v1/batches?limit=100&after=a%2Fb%20c"),
            ("http://h/x?v=1", "http://h/x/batches?v=1&limit=100&after=a%2Fb%20c"),
        ]
    )
    func query(text: String, expected: String) {
        let query = [(name: "limit", value: "100"), (name: "after", value: "a/b c")]
        #expect(ServerAddress(text)?.endpoint("batches", query: query) == expected)
    }

    @Test("a server's name of a file is one part of a path")
    func encoded() { #expect(ServerAddress.encoded("../a?b") == "%2E%2E%2Fa%3Fb") }

    @Test(
        "what is no address of HTTP is none",
        arguments: [
            "", "h:8000", "localhost", "ftp://h/v1", "http://", "http:///v1", "http://h:99999/v1", "http://h/v1#x",
        ]
    )
    func refused(text: String) { #expect(ServerAddress(text) == nil) }

    @Test("a message shows neither user nor password nor query")
    func shown() { #expect(ServerAddress("http://u:secret@h/v1?key=secret")?.description == "http://h/v1") }
}
