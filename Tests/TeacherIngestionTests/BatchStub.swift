import Foundation
import Hummingbird
import NIOCore
import Schemas
import Synchronization
import TestSupport

/// A server of the batch API that keeps files and jobs in memory and answers by a script.
final class BatchStub: Sendable {
    /// What stands in the results for a request.
    enum Line: Sendable {
        case answer(String)
        case refusal(Int, String)
        case expired
        case nothing
    }

    /// The script is given the question, the request's body, and the number of the job, from 0.
    typealias Script = @Sendable (_ question: String, _ body: [String: JSONValue], _ job: Int) -> Line

    private struct State {
        var files: [String: String] = [:]
        var jobs: [[String: JSONValue]] = []
        var lines: [[String: JSONValue]] = []
        var uploads = 0
        var isHeld = false
        var isLocked = false
        var unconfirmed = 0
        var refusedJobs: [String] = []
    }

    private let state = Mutex(State())
    private let script: Script

    init(_ script: @escaping Script = { question, _, _ in .answer("to \(question)") }) { self.script = script }

    var jobs: [[String: JSONValue]] { state.withLock { $0.jobs } }
    /// All lines of all jobs.
    var lines: [[String: JSONValue]] { state.withLock { $0.lines } }
    var uploads: Int { state.withLock { $0.uploads } }

    /// While jobs are held, none ends.
    func hold(_ isHeld: Bool) { state.withLock { $0.isHeld = isHeld } }

    /// While it is locked, every call is refused for its key.
    func lock(_ isLocked: Bool) { state.withLock { $0.isLocked = isLocked } }

    /// Answers so many next makings of a job with 500, although the job is made.
    func leaveUnconfirmed(_ count: Int) { state.withLock { $0.unconfirmed = count } }

    /// Lets the next jobs fail as a whole with these codes.
    func refuseJobs(_ codes: [String]) { state.withLock { $0.refusedJobs = codes } }

    /// Serves while the body runs, which is given the address.
    func serving(_ body: @escaping @Sendable (String) async throws -> Void) async throws {
        try await whileServing(router()) { port in
            try await body("http://127.0.0.1:\(port)/v1")
        }
    }

    // MARK: Routes

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.post("v1/files") { [self] request, _ in
            let text = String(buffer: try await request.body.collect(upTo: 1 << 24))
            return Self.json(isLocked ? nil : upload(text))
        }
        router.post("v1/batches") { [self] request, _ in
            let body = Data(String(buffer: try await request.body.collect(upTo: 1 << 20)).utf8)
            let made = create(try EventCoding.decodeJSON([String: JSONValue].self, from: body))
            return made.map { Self.json($0) } ?? Response(status: .internalServerError)
        }
        router.get("v1/batches") { [self] _, _ in
            Self.json(["object": "list", "data": .array(jobs.reversed().map { .object($0) }), "has_more": false])
        }
        router.get("v1/batches/:id") { [self] _, context in
            Self.json(job(try context.parameters.require("id")))
        }
        router.get("v1/files/:id/content") { [self] _, context in
            let id = try context.parameters.require("id")
            let content = state.withLock { $0.files[id] } ?? ""
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: content)))
        }
        return router
    }

    private var isLocked: Bool { state.withLock { $0.isLocked } }

    private static func json(_ value: [String: JSONValue]?) -> Response {
        let refusal: [String: JSONValue] = ["error": ["message": "Incorrect API key", "code": "invalid_api_key"]]
        let data = (try? EventCoding.encodeJSON(value ?? refusal)) ?? Data()
        return Response(
            status: value == nil ? .unauthorized : .ok,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: data))
        )
    }

    /// Keeps the form's lines that are JSON.
    private func upload(_ form: String) -> [String: JSONValue] {
        let lines = form.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("{") }.joined(separator: "\n")
        return state.withLock { state in
            state.uploads += 1
            let id = "file-\(state.uploads)"
            state.files[id] = lines
            return ["id": .string(id), "object": "file"]
        }
    }

    private func create(_ body: [String: JSONValue]) -> [String: JSONValue]? {
        state.withLock { state in
            let number = state.jobs.count
            let input = body["input_file_id"]?.stringValue ?? ""
            var job = body
            job["id"] = .string("job-\(number)")
            job["created_at"] = .integer(Int64(Date().timeIntervalSince1970))
            if state.refusedJobs.isEmpty {
                var (answers, refusals) = ("", "")
                var status = "completed"
                for text in (state.files[input] ?? "").split(separator: "\n") {
                    let data = Data(text.utf8)
                    guard let line = try? EventCoding.decodeJSON([String: JSONValue].self, from: data) else { continue }
                    state.lines.append(line)
                    let request = line["body"]?.objectValue ?? [:]
                    let messages = request["messages"]?.arrayValue ?? []
                    let question = messages.last?.objectValue?["content"]?.stringValue ?? ""
                    let name = line["custom_id"]?.stringValue ?? ""
                    switch script(question, request, number) {
                    case .answer(let text): answers += Self.answer(name, text)
                    case .refusal(let code, let error): refusals += Self.refusal(name, code, error)
                    case .expired:
                        status = "expired"
                        refusals += Self.expiry(name)
                    case .nothing: break
                    }
                }
                job["status"] = .string(status)
                state.files["out-\(number)"] = answers
                state.files["err-\(number)"] = refusals
                if !answers.isEmpty { job["output_file_id"] = .string("out-\(number)") }
                if !refusals.isEmpty { job["error_file_id"] = .string("err-\(number)") }
            } else {
                let code = state.refusedJobs.removeFirst()
                job["status"] = "failed"
                job["errors"] = ["object": "list", "data": [["code": .string(code), "message": "No."]]]
            }
            state.jobs.append(job)
            guard state.unconfirmed == 0 else {
                state.unconfirmed -= 1
                return nil
            }
            return job
        }
    }

    private func job(_ id: String) -> [String: JSONValue]? {
        state.withLock { state in
            var job = state.jobs.first { $0["id"] == .string(id) }
            if state.isHeld { job?["status"] = "in_progress" }
            return job
        }
    }

    private static func answer(_ name: String, _ text: String) -> String {
        """
        {"id": "r", "custom_id": "\(name)", "error": null, "response": {"status_code": 200, "request_id": "q", "body": \
        {"model": "served", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", \
        "content": "\(text)"}}], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}}}

        """
    }

    private static func refusal(_ name: String, _ status: Int, _ error: String) -> String {
        """
        {"id": "r", "custom_id": "\(name)", "error": null, "response": {"status_code": \(status), "request_id": "q", \
        "body": {"error": \(error)}}}

        """
    }

    private static func expiry(_ name: String) -> String {
        """
        {"id": "r", "custom_id": "\(name)", "response": null, "error": {"code": "batch_expired", "message": "Too late."}}

        """
    }
}
