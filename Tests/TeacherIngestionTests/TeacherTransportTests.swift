import AsyncHTTPClient
import CompletionClient
import Foundation
import Hummingbird
import Logging
import NIOCore
import Reasoning
import Schemas
import ServiceRuntime
import Synchronization
import Teaching
import TestSupport
import Testing

@testable import TeacherIngestionCore

@Suite("How a teacher's server is called")
struct TeacherTransportTests {
    private static let question = ChatRequest(
        messages: [PromptMessage(role: "user", content: "?")],
        temperature: 0.2,
        seed: 5
    )

    private static func chunk(_ text: String, end: String = "null") -> String {
        "data: {\"model\": \"served\", \"choices\": [{\"index\": 0, \"delta\": {\"content\": \"\(text)\"}, "
            + "\"finish_reason\": \(end)}]}\n\n"
    }

    /// Serves a stream that is written piece by piece, and after it nothing more until the caller has gone.
    private func streaming(
        _ pieces: [String],
        ends: Bool,
        _ settings: @escaping @Sendable (inout TeacherSettings) -> Void = { _ in },
        _ body: @escaping @Sendable (HTTPTeacher) async throws -> Void
    ) async throws {
        let router = Router()
        router.post("v1/chat/completions") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/event-stream"],
                body: ResponseBody { writer in
                    for piece in pieces { try await writer.write(ByteBuffer(string: piece)) }
                    if !ends { try await Task.sleep(for: .seconds(600)) }
                    try await writer.finish(nil)
                }
            )
        }
        try await whileServing(router) { port in
            var all = TeacherSettings()
            all.url = "http://127.0.0.1:\(port)/v1"
            all.model = "m"
            all.preset = .vllm
            settings(&all)
            try await body(
                HTTPTeacher(options: .init(settings: all, attempts: 1), client: .shared, logger: quiet)
            )
        }
    }

    @Test("an answer that is streamed is put together")
    func stream() async throws {
        let usage = "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 3, \"completion_tokens\": 2}}\n\n"
        let pieces = [Self.chunk("The answer "), Self.chunk("is 10.", end: "\"stop\""), usage, "data: [DONE]\n\n"]
        try await streaming(pieces, ends: true) { teacher in
            let reply = try await teacher.complete(Self.question)
            #expect(reply.text == "The answer is 10." && reply.finishReason == "stop")
            #expect(reply.promptTokens == 3 && reply.completionTokens == 2 && reply.model == "served")
        }
    }

    @Test("a stream that falls silent is a time-out that may be billed, and one that does not begin is another")
    func silence() async throws {
        let cases = [([Self.chunk("The")], "silent for 0.2 s"), ([], "did not begin to answer for 0.1 s")]
        for (pieces, words) in cases {
            let isEmpty = pieces.isEmpty
            let settings: @Sendable (inout TeacherSettings) -> Void = { settings in
                settings.silenceSeconds = 0.2
                settings.firstByteSeconds = isEmpty ? 0.1 : 60
            }
            try await streaming(pieces, ends: false, settings) { teacher in
                let told = Mutex<[FailedCall]>([])
                let hooks = CallHooks(failed: { call in told.withLock { $0.append(call) } })
                let error = await #expect(throws: TeacherError.self) {
                    try await teacher.complete(Self.question, hooks: hooks)
                }
                #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
                let calls = told.withLock { $0 }
                #expect(calls.map(\.outcome) == ["timeout"] && calls.map(\.mayBeBilled) == [true])
            }
        }
    }

    @Test("servers on a desk may be silent before an answer for as long as a whole call takes")
    func firstByte() {
        func settings(_ preset: TeacherPreset) -> TeacherSettings {
            var settings = TeacherSettings()
            settings.preset = preset
            return settings
        }
        #expect([TeacherPreset.llamaCpp, .ollama].map { settings($0).firstByte } == [1800, 1800])
        #expect(settings(.vllm).firstByte == 600 && settings(.generic).firstByte == 120)
        var own = settings(.ollama)
        own.firstByteSeconds = 5
        #expect(own.firstByte == 5 && own.silence == 120)
    }

    @Test("a server to which no connection comes about in time was asked nothing, so nothing is billed")
    func noConnection() async throws {
        // Nobody takes the connections of a socket with room for one, so that the next ones are left to wait.
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        func withAddress(_ body: (UnsafeMutablePointer<sockaddr>) -> Int32) -> Int32 {
            withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
            }
        }
        try #require(withAddress { bind(listener, $0, length) } == 0 && listen(listener, 0) == 0)
        try #require(withAddress { getsockname(listener, $0, &length) } == 0)
        let waiting = (0..<8).map { _ in socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK, 0) }
        defer { for one in waiting { close(one) } }
        for one in waiting { _ = withAddress { connect(one, $0, length) } }

        let client = CompletionServer.makeClient(connectTimeout: .milliseconds(300))
        let server = CompletionServer(
            .init(
                address: try #require(ServerAddress("http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/v1"))
            ),
            client: client
        )
        let error = await #expect(throws: ServerError.self) {
            _ = try await server.post("chat/completions", body: Array("{}".utf8), isStream: false)
        }
        #expect(error?.kind == .unavailable && error?.mayBeBilled == false, "\(error.map { "\($0)" } ?? "")")
        try await client.shutdown()
    }

    /// Serves one good answer, and returns the headers that came with the call.
    private func headers(
        apiKey: String? = nil,
        _ settings: @escaping @Sendable (inout TeacherSettings) -> Void
    ) async throws -> [String: String] {
        let seen = Mutex<[String: String]>([:])
        let router = Router()
        router.post("v1/chat/completions") { request, _ in
            let all = Dictionary(request.headers.map { ($0.name.canonicalName, $0.value) }) { $1 }
            seen.withLock { $0 = all }
            let body = #"{"choices": [{"message": {"content": "OK"}, "finish_reason": "stop"}]}"#
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: body)))
        }
        try await whileServing(router) { port in
            var all = TeacherSettings()
            all.url = "http://127.0.0.1:\(port)/v1"
            all.model = "m"
            settings(&all)
            let teacher = HTTPTeacher(options: .init(settings: all, apiKey: apiKey), client: .shared, logger: quiet)
            _ = try await teacher.complete(Self.question)
        }
        return seen.withLock { $0 }
    }

    @Test("azure's key goes in its own header, a key file's as a bearer token, and headers as they are")
    func headers() async throws {
        let azure = try await headers(apiKey: "sesame") { $0.preset = .azure }
        #expect(azure["api-key"] == "sesame" && azure["authorization"] == nil)
        let file = FileManager.default.temporaryDirectory.appending(path: "key-\(UUID().uuidString)")
        try Data("from-a-file\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let other = try await headers { settings in
            settings.apiKeyFile = file.path
            settings.headers = ["X-Project": "errata"]
        }
        #expect(other["authorization"] == "Bearer from-a-file" && other["x-project"] == "errata")
    }

    // MARK: At the start

    @Test("a key that is refused at the start closes the gate before any message, until it is mended")
    func greeting() async throws {
        let calls = Mutex(0)
        let router = Router()
        router.get("v1/models") { _, _ in
            let call = calls.withLock { calls in
                calls += 1
                return calls
            }
            let body = call < 3 ? #"{"error": {"message": "Incorrect API key"}}"# : #"{"data": [{"id": "m"}]}"#
            return Response(
                status: call < 3 ? .unauthorized : .ok,
                body: .init(byteBuffer: ByteBuffer(string: body))
            )
        }
        try await whileServing(router) { port in
            let told = Mutex<[String?]>([])
            let gate = TeacherGate(limit: 1) { closure in told.withLock { $0.append(closure?.reason) } }
            let address = try #require(ServerAddress("http://127.0.0.1:\(port)/v1"))
            let place = TeacherGreeting.Place(
                server: CompletionServer(.init(address: address)),
                gate: gate,
                models: ["m"]
            )
            try await TeacherGreeting(places: [place], backoff: Backoff(base: .zero, cap: .zero), logger: quiet)
                .greet(place)
            let words = told.withLock { $0 }
            #expect(words.count == 2 && words[0]?.contains("Incorrect API key") == true && words[1] == nil)
            #expect(await gate.closure == nil)
        }
        #expect(calls.withLock { $0 } == 3)
    }

    @Test("a server that lists no models is taken for well", arguments: [404, 403, 500])
    func noList(status: Int) async throws {
        let router = Router()
        router.get("v1/models") { _, _ in
            Response(status: .init(code: status), body: .init(byteBuffer: ByteBuffer(string: "moderation: no list")))
        }
        try await whileServing(router) { port in
            let gate = TeacherGate(limit: 1)
            let address = try #require(ServerAddress("http://127.0.0.1:\(port)/v1"))
            let place = TeacherGreeting.Place(server: CompletionServer(.init(address: address)), gate: gate, models: [])
            try await TeacherGreeting(places: [place], logger: quiet).greet(place)
            #expect(await gate.closure == nil)
            // Its place is given back.
            try await gate.enter()
        }
    }

    private func configuration(_ more: [String: String]) throws -> Configuration {
        var environment = [
            "ERRATA_KAFKA_BOOTSTRAP_SERVERS": "localhost:9092", "ERRATA_POSTGRES_URL": "postgresql://e@localhost/e",
            "ERRATA_TEACHER_URL": "http://127.0.0.1:1/v1", "ERRATA_TEACHER_MODEL": "m",
        ]
        environment.merge(more) { $1 }
        return try Configuration(keys: TeacherIngestionService.definition.allKeys, environment: environment)
    }

    @Test("--check --call names the parameter that is refused, and what it left out where that does")
    func firstCall() async throws {
        let router = Router()
        router.post("v1/chat/completions") { request, _ in
            let text = String(buffer: try await request.body.collect(upTo: 1 << 20))
            let refused = ["seed", "frequency_penalty"].first { text.contains("\"\($0)\"") }
            let body =
                refused.map { #"{"error": {"message": "Unsupported parameter", "param": "\#($0)"}}"# }
                ?? #"{"choices": [{"message": {"content": "OK"}, "finish_reason": "stop"}]}"#
            return Response(
                status: refused == nil ? .ok : .badRequest,
                body: .init(byteBuffer: ByteBuffer(string: body))
            )
        }
        try await whileServing(router) { port in
            let url = ["ERRATA_TEACHER_URL": "http://127.0.0.1:\(port)/v1"]
            let lines = try await TeacherIngestionService.call(try configuration(url))
            #expect(lines.contains("solver, template, inspector, corrector, classifier: m at"))
            #expect(lines.contains("seed is left out"))
            let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).json")
            try Data(#"{"default": {"body": {"frequency_penalty": 1}}}"#.utf8).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            let broken = try configuration(url.merging(["ERRATA_TEACHERS": file.path]) { $1 })
            let error = await #expect(throws: ConfigurationError.self) {
                try await TeacherIngestionService.call(broken)
            }
            #expect(error.map { "\($0)" }?.contains("it refuses frequency_penalty") == true)
        }
    }

    @Test("a day's bound of money without a price for each role is refused, and what is empty is not set")
    func dayCost() throws {
        let check = TeacherIngestionService.definition.check
        let error = #expect(throws: ConfigurationError.self) {
            try check(try configuration(["ERRATA_TEACHER_DAY_COST": "1"]))
        }
        #expect(error.map { "\($0)" }?.contains("ERRATA_TEACHER_DAY_COST: solver, template") == true)
        try check(try configuration(["ERRATA_TEACHER_DAY_COST": "", "ERRATA_TEACHER_MAXIMUM_TOKENS": ""]))
        // What settings files of earlier versions say for no bound.
        try check(try configuration(["ERRATA_TEACHER_DAY_COST": "1000000000000"]))
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).json")
        try Data(#"{"default": {"price": {"prompt": 1, "completion": 2}}}"#.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try check(try configuration(["ERRATA_TEACHER_DAY_COST": "1", "ERRATA_TEACHERS": file.path]))
    }
}
