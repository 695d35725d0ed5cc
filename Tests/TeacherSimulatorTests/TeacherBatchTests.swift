import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import PracticeDomain
import Testing

@testable import TeacherSimulatorCore

/// The body of a request, another one for each number.
private func batchBody(_ number: Int) -> String {
    #"{"model": "m", "temperature": 1, "seed": \#(number), "messages": [{"role": "user", "content": "#
        + #""Ann has \#(number) baskets with 4 pears each. How many pears has she?"}]}"#
}

/// A line of a file of requests.
private func batchLine(_ name: String, _ body: String, url: String = "/v1/chat/completions") -> String {
    #"{"custom_id": "\#(name)", "method": "POST", "url": "\#(url)", "body": \#(body)}"#
}

@Suite("The simulated teacher's batches")
struct TeacherBatchTests {
    private typealias Object = [String: Any]

    /// A running server, spoken to over loopback.
    private struct Server: Sendable {
        let port: Int

        func send(
            _ method: HTTPMethod,
            _ path: String,
            body: String? = nil,
            type: String = "application/json"
        ) async throws -> (status: Int, text: String) {
            var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/v1/\(path)")
            request.method = method
            request.headers.add(name: "content-type", value: type)
            if let body { request.body = .bytes(ByteBuffer(string: body)) }
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
            let text = String(buffer: try await response.body.collect(upTo: 1 << 24))
            return (Int(response.status.code), text)
        }

        /// Uploads a file and returns its id.
        func upload(_ content: String) async throws -> String {
            let body =
                "--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
                + "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n"
                + "Content-Type: application/jsonl\r\n\r\n\(content)\r\n--x--\r\n"
            let (status, text) = try await send(.POST, "files", body: body, type: "multipart/form-data; boundary=x")
            #expect(status == 200)
            let file = TeacherBatchTests.object(text)
            #expect(file["object"] as? String == "file" && file["filename"] as? String == "in.jsonl")
            #expect(file["bytes"] as? Int == content.utf8.count)
            return try #require(file["id"] as? String)
        }

        /// Begins a batch of a file and returns its id.
        func begin(_ file: String) async throws -> String {
            let (status, text) = try await send(
                .POST,
                "batches",
                body: #"{"input_file_id": "\#(file)", "endpoint": "/v1/chat/completions", "completion_window": "24h", "#
                    + #""metadata": {"errata_batch": "b1"}}"#
            )
            #expect(status == 200, "\(text)")
            return try #require(TeacherBatchTests.object(text)["id"] as? String)
        }
    }

    private static func object(_ text: String) -> Object {
        ((try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? Object) ?? [:]
    }

    private func serving(delay: Duration = .zero, _ body: @escaping (Server) async throws -> Void) async throws {
        try await whileServing(SimulatedTeacher(seed: 1), batchDelay: delay) { port in
            try await body(Server(port: port))
        }
    }

    @Test("each request of a batch is answered as it is by itself, and what is refused is in the file of errors")
    func answers() async throws {
        try await serving { server in
            var lines = (1...3).map { batchLine("r\($0)", batchBody($0)) }
            lines.append(batchLine("bad", #"{"model": "m", "messages": []}"#))
            let file = try await server.upload(lines.joined(separator: "\n"))
            let id = try await server.begin(file)
            let batch = Self.object(try await server.send(.GET, "batches/\(id)").text)
            #expect(batch["status"] as? String == "completed" && batch["object"] as? String == "batch")
            #expect((batch["metadata"] as? Object)?["errata_batch"] as? String == "b1")
            let counts = batch["request_counts"] as? Object
            #expect(counts?["total"] as? Int == 4)
            #expect(counts?["completed"] as? Int == 3 && counts?["failed"] as? Int == 1)
            let output = try #require(batch["output_file_id"] as? String)
            let results = try await server.send(.GET, "files/\(output)/content").text
                .split(separator: "\n").map { Self.object(String($0)) }
            #expect(results.map { $0["custom_id"] as? String } == ["r1", "r2", "r3"])
            for (number, result) in zip(1...3, results) {
                let response = result["response"] as? Object
                #expect(response?["status_code"] as? Int == 200)
                let alone = Self.object(
                    try await server.send(.POST, "chat/completions", body: batchBody(number)).text
                )
                let answer = response?["body"] as? Object
                #expect(answer?["id"] as? String == alone["id"] as? String)
                #expect(Self.content(answer) == Self.content(alone) && Self.content(alone)?.isEmpty == false)
            }
            let errors = try #require(batch["error_file_id"] as? String)
            let refusal = Self.object(try await server.send(.GET, "files/\(errors)/content").text)
            #expect(refusal["custom_id"] as? String == "bad")
            let response = refusal["response"] as? Object
            #expect(response?["status_code"] as? Int == 400)
            #expect(((response?["body"] as? Object)?["error"] as? Object)?["param"] as? String == "messages")
        }
    }

    private static func content(_ completion: Object?) -> String? {
        let choice = (completion?["choices"] as? [Object])?.first
        return (choice?["message"] as? Object)?["content"] as? String
    }

    @Test("a batch that takes its time is in progress, can be cancelled once, and has no results then")
    func cancelled() async throws {
        try await serving(delay: .seconds(600)) { server in
            let id = try await server.begin(try await server.upload(batchLine("r", batchBody(1))))
            let batch = Self.object(try await server.send(.GET, "batches/\(id)").text)
            #expect(batch["status"] as? String == "in_progress" && batch["output_file_id"] is NSNull)
            let (status, text) = try await server.send(.POST, "batches/\(id)/cancel")
            #expect(status == 200)
            #expect(Self.object(text)["status"] as? String == "cancelled")
            #expect(try await server.send(.POST, "batches/\(id)/cancel").status == 409)
        }
    }

    @Test("batches are listed in pages, the latest first")
    func listed() async throws {
        try await serving { server in
            let file = try await server.upload(batchLine("r", batchBody(1)))
            var ids: [String] = []
            for _ in 0..<3 { ids.append(try await server.begin(file)) }
            let page = Self.object(try await server.send(.GET, "batches?limit=2").text)
            let first = (page["data"] as? [Object])?.compactMap { $0["id"] as? String } ?? []
            #expect(first == [ids[2], ids[1]] && page["has_more"] as? Bool == true)
            let next = Self.object(try await server.send(.GET, "batches?limit=2&after=\(ids[1])").text)
            let rest = (next["data"] as? [Object])?.compactMap { $0["id"] as? String } ?? []
            #expect(rest == [ids[0]] && next["has_more"] as? Bool == false)
        }
    }

    @Test(
        "a file with a wrong line makes a batch that fails and says which line",
        arguments: [
            ("{", "invalid_json_line"), (batchLine("r", batchBody(1), url: "/v1/embeddings"), "invalid_url"),
            (batchLine("r", batchBody(1)) + "\n" + batchLine("r", batchBody(2)), "duplicate_custom_id"),
            ("", "empty_file"),
            (#"{"custom_id": "r", "method": "POST", "url": "/v1/chat/completions"}"#, "missing_required_parameter"),
        ]
    )
    func wrongLine(content: String, code: String) async throws {
        try await serving { server in
            let id = try await server.begin(try await server.upload(content))
            let batch = Self.object(try await server.send(.GET, "batches/\(id)").text)
            #expect(batch["status"] as? String == "failed")
            let errors = (batch["errors"] as? Object)?["data"] as? [Object]
            #expect(errors?.first?["code"] as? String == code)
        }
    }

    @Test("what does not exist is 404, and what is wrong is named")
    func refused() async throws {
        try await serving { server in
            for path in ["files/file-x", "files/file-x/content", "batches/batch-x"] {
                #expect(try await server.send(.GET, path).status == 404, "\(path)")
            }
            let (status, text) = try await server.send(
                .POST,
                "batches",
                body: #"{"input_file_id": "f", "endpoint": "/v1/embeddings", "completion_window": "24h"}"#
            )
            #expect(status == 400)
            #expect((Self.object(text)["error"] as? Object)?["param"] as? String == "endpoint")
            #expect(try await server.send(.POST, "files", body: "{}").status == 400)
            #expect(try await server.send(.GET, "batches?limit=0").status == 400)
        }
    }
}
