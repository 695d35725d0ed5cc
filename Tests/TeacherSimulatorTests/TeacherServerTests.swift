import AsyncHTTPClient
import CompletionAPI
import Foundation
import NIOCore
import NIOHTTP1
import PracticeDomain
import Testing

@testable import TeacherSimulatorCore

@Suite("The simulated teacher over HTTP")
struct TeacherServerTests {
    /// A running server, spoken to over loopback.
    private struct Server: Sendable {
        let port: Int

        func send(
            _ method: HTTPMethod,
            _ path: String,
            body: String? = nil
        ) async throws -> (status: Int, type: String?, json: [String: Any]) {
            var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
            request.method = method
            request.headers.add(name: "content-type", value: "application/json")
            if let body { request.body = .bytes(ByteBuffer(string: body)) }
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
            let data = Data(try await response.body.collect(upTo: 1 << 20).readableBytesView)
            let json = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
            return (Int(response.status.code), response.headers.first(name: "content-type"), json ?? [:])
        }

        func chat(
            _ fields: String = "",
            content: String = TeacherServerTests.question
        ) async throws
            -> (status: Int, type: String?, json: [String: Any])
        {
            try await send(
                .POST,
                "/v1/chat/completions",
                body: #"{"model": "m", "messages": [{"role": "user", "content": "\#(content)"}]\#(fields)}"#
            )
        }
    }

    private static let question = "Ann has 3 baskets with 4 pears each. How many pears has she?"

    private func serving(errorRate: Double = 0.5, _ body: @escaping (Server) async throws -> Void) async throws {
        try await whileServing(SimulatedTeacher(seed: 1, errorRate: errorRate)) { port in
            try await body(Server(port: port))
        }
    }

    private func contents(_ json: [String: Any]) -> [String] {
        (json["choices"] as? [[String: Any]] ?? []).compactMap {
            ($0["message"] as? [String: Any])?["content"] as? String
        }
    }

    private func error(_ json: [String: Any]) -> [String: Any] { json["error"] as? [String: Any] ?? [:] }

    @Test("a completion has the fields of OpenAI's API")
    func fields() async throws {
        try await serving { server in
            let before = Int(Date().timeIntervalSince1970)
            let (status, type, json) = try await server.chat(#", "temperature": 0"#)
            #expect(status == 200 && type == "application/json")
            #expect((json["id"] as? String)?.hasPrefix("chatcmpl-") == true)
            #expect(json["object"] as? String == "chat.completion")
            #expect(json["model"] as? String == "errata-simulator")
            let created = try #require(json["created"] as? Int)
            #expect(created >= before && created <= Int(Date().timeIntervalSince1970))
            let choices = try #require(json["choices"] as? [[String: Any]])
            #expect(choices.count == 1)
            #expect(choices.first?["index"] as? Int == 0 && choices.first?["finish_reason"] as? String == "stop")
            let message = try #require(choices.first?["message"] as? [String: Any])
            #expect(message["role"] as? String == "assistant")
            #expect((message["content"] as? String)?.hasSuffix("The answer is 12.") == true)
            let usage = try #require(json["usage"] as? [String: Int])
            let prompt = usage["prompt_tokens"] ?? 0
            let completion = usage["completion_tokens"] ?? 0
            #expect(prompt >= 14 && completion >= 4)
            #expect(usage["total_tokens"] == prompt + completion)
        }
    }

    @Test("the same request gets the same answer, and another seed another")
    func seeds() async throws {
        try await serving { server in
            func answer(_ seed: Int) async throws -> (id: String?, contents: [String]) {
                let json = try await server.chat(#", "temperature": 1, "seed": \#(seed)"#).json
                return (json["id"] as? String, contents(json))
            }
            let first = try await answer(1)
            let again = try await answer(1)
            #expect(first.contents.count == 1 && first == again)
            var answers: Set<[String]> = []
            var ids: Set<String?> = []
            for seed in 1...12 {
                let next = try await answer(seed)
                answers.insert(next.contents)
                ids.insert(next.id)
            }
            #expect(answers.count > 1 && ids.count == 12)
        }
    }

    @Test("several choices are numbered and sampled apart, and each is counted")
    func choices() async throws {
        try await serving { server in
            let one = try await server.chat(#", "temperature": 1, "seed": 3"#).json
            let many = try await server.chat(#", "temperature": 1, "seed": 3, "n": 12"#).json
            #expect((many["choices"] as? [[String: Any]])?.compactMap { $0["index"] as? Int } == Array(0..<12))
            #expect(contents(many).first == contents(one).first)
            #expect(Set(contents(many)).count > 1)
            let single = try #require((one["usage"] as? [String: Int])?["completion_tokens"])
            let total = try #require((many["usage"] as? [String: Int])?["completion_tokens"])
            #expect(total > 6 * single)
        }
    }

    @Test("a limit of tokens cuts the answer and says so")
    func cut() async throws {
        try await serving { server in
            for key in ["max_tokens", "max_completion_tokens"] {
                let whole = try await server.chat(#", "temperature": 0"#).json
                let json = try await server.chat(#", "temperature": 0, "\#(key)": 2"#).json
                let choice = (json["choices"] as? [[String: Any]])?.first
                #expect(choice?["finish_reason"] as? String == "length")
                let text = contents(json).first ?? ""
                #expect(
                    !text.isEmpty && contents(whole).first?.hasPrefix(text) == true && text != contents(whole).first
                )
                #expect((json["usage"] as? [String: Int])?["completion_tokens"] == 2)
            }
        }
    }

    @Test(
        "a request that cannot be read is refused with the place that is wrong",
        arguments: [
            ("{", nil), ("[]", nil), ("", nil),
            (#"{"messages": [{"role": "user", "content": "x"}]}"#, "model"),
            (#"{"model": "m"}"#, "messages"),
            (#"{"model": "m", "messages": []}"#, "messages"),
            (#"{"model": "m", "messages": [{"role": "system", "content": "x"}]}"#, "messages"),
            (#"{"model": "m", "messages": [{"role": "wizard", "content": "x"}]}"#, "messages[0].role"),
            (#"{"model": "m", "messages": [{"role": "user", "content": "x"}], "n": 17}"#, "n"),
            (#"{"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 3}"#, "temperature"),
            (#"{"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": true, "n": 2}"#, "stream"),
            (#"{"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 0}"#, "max_tokens"),
        ] as [(String, String?)]
    )
    func refused(body: String, parameter: String?) async throws {
        try await serving { server in
            let (status, type, json) = try await server.send(.POST, "/v1/chat/completions", body: body)
            #expect(status == 400 && type == "application/json")
            #expect(error(json)["type"] as? String == "invalid_request_error")
            #expect((error(json)["message"] as? String)?.isEmpty == false)
            #expect(error(json)["param"] as? String == parameter)
            // The server goes on.
            #expect(try await server.chat().status == 200)
        }
    }

    @Test("a body that is too long is refused with 413, one that just fits is answered")
    func tooLong() async throws {
        try await serving { server in
            let frame = #"{"model": "m", "messages": [{"role": "user", "content": ""}]}"#.utf8.count
            let fits = String(repeating: "a", count: CompletionRoutes.maximumBody - frame)
            #expect(try await server.chat(content: fits).status == 200)
            let (status, _, json) = try await server.chat(content: fits + "a")
            #expect(status == 413)
            #expect(error(json)["type"] as? String == "invalid_request_error")
            #expect((error(json)["message"] as? String)?.contains("\(CompletionRoutes.maximumBody)") == true)
        }
    }

    @Test("routes that do not exist are 404 with an error in OpenAI's form")
    func unknownRoutes() async throws {
        try await serving { server in
            for (method, path) in [(HTTPMethod.GET, "/v1/nothing"), (.POST, "/v1/embeddings"), (.GET, "/")] {
                let (status, type, json) = try await server.send(method, path, body: method == .POST ? "{}" : nil)
                #expect(status == 404, "\(path)")
                #expect(type == "application/json")
                #expect(error(json)["type"] as? String == "invalid_request_error")
                #expect((error(json)["message"] as? String)?.contains(path) == true)
            }
            #expect(try await server.send(.GET, "/v1/chat/completions").status == 404)
        }
    }

    @Test("a prompt that names no task of ours is read as a question, also when there is nothing to work out")
    func unknownPrompt() async throws {
        try await serving { server in
            for content in [#"Task: juggle\n\nHello."#, "Hello."] {
                let (status, _, json) = try await server.chat(#", "temperature": 0"#, content: content)
                #expect(status == 200)
                #expect(contents(json) == ["There is no number to work with.\nThe answer is 0."])
            }
            let parts = try await server.send(
                .POST,
                "/v1/chat/completions",
                body: #"""
                    {"model": "m", "temperature": 0, "messages": [{"role": "user", "content":
                     [{"type": "text", "text": "Ann has 3 baskets with 4 pears each."},
                      {"type": "text", "text": "How many pears has she?"}]}]}
                    """#
            )
            #expect(contents(parts.json).first?.hasSuffix("The answer is 12.") == true)
        }
    }

    @Test("the models are listed, and the server says that it is well")
    func others() async throws {
        try await serving { server in
            let (status, _, json) = try await server.send(.GET, "/v1/models")
            #expect(status == 200 && json["object"] as? String == "list")
            let models = json["data"] as? [[String: Any]] ?? []
            #expect(models.map { $0["id"] as? String } == ["errata-simulator"])
            #expect(models.first?["object"] as? String == "model")
            #expect(try await server.send(.GET, "/health").json["status"] as? String == "ok")
            #expect(try await server.send(.GET, "/ready").json["status"] as? String == "ready")
        }
    }
}
