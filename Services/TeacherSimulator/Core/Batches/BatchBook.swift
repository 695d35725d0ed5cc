import CompletionAPI
import Foundation
import Reasoning
import Schemas

/// The files and batches of the simulator, in memory: what is uploaded, and what is answered to it.
///
/// A batch's requests are answered as they would be one by one. It is in progress for as long as the server was told, and
/// then completed; what is cancelled before has no results.
actor BatchBook {
    /// The most bytes of a file; OpenAI takes as many.
    static let maximumFile = 200 << 20
    /// The most requests of a batch; OpenAI takes as many.
    static let maximumRequests = 50_000

    private struct StoredFile {
        let id: String
        let name: String
        let purpose: String
        let content: Data
        let created: Int

        var json: JSONValue {
            [
                "id": .string(id), "object": "file", "bytes": .integer(Int64(content.count)),
                "created_at": .integer(Int64(created)), "filename": .string(name), "purpose": .string(purpose),
                "status": "processed",
            ]
        }
    }

    private struct StoredBatch {
        let id: String
        let input: String
        let window: String
        let metadata: JSONValue
        let created: Int
        let ends: ContinuousClock.Instant
        var status = "in_progress"
        var total = 0
        var answered = 0
        var failed = 0
        var ended: Int?
        var output: String?
        var errors: String?
        var problems: [JSONValue] = []
    }

    private let api: TeacherAPI
    private let delay: Duration
    private var files: [String: StoredFile] = [:]
    private var batches: [StoredBatch] = []
    private var numbers = 0

    /// Makes an empty book.
    ///
    /// - Parameters:
    ///   - api: Who answers.
    ///   - delay: How long a batch is in progress.
    init(api: TeacherAPI, delay: Duration) {
        self.api = api
        self.delay = delay
    }

    // MARK: Files

    /// Keeps a file that a form uploads.
    ///
    /// - Throws: `APIError` that names the field.
    func upload(_ parts: [MultipartReader.Part]) throws -> JSONValue {
        guard let file = parts.first(where: { $0.name == "file" && $0.filename != nil }) else {
            throw APIError.invalid("file", "You must provide file.")
        }
        let purpose = parts.first { $0.name == "purpose" }.map { String(decoding: $0.content, as: UTF8.self) }
        guard purpose == "batch" else { throw APIError.invalid("purpose", "purpose must be batch.") }
        return keep(file.filename ?? "file", purpose: "batch", file.content).json
    }

    /// Tells of a file.
    ///
    /// - Throws: `APIError` where there is none.
    func file(_ id: String) throws -> JSONValue { try stored(id).json }

    /// A file's content.
    ///
    /// - Throws: `APIError` where there is none.
    func content(_ id: String) throws -> Data { try stored(id).content }

    private func stored(_ id: String) throws -> StoredFile {
        guard let file = files[id] else {
            throw APIError(status: 404, parameter: "id", message: "No such File object: \(id)")
        }
        return file
    }

    private func keep(_ name: String, purpose: String, _ content: Data) -> StoredFile {
        let file = StoredFile(id: next("file"), name: name, purpose: purpose, content: content, created: Self.now)
        files[file.id] = file
        return file
    }

    private func next(_ kind: String) -> String {
        numbers += 1
        return "\(kind)-\(StableHash.hexadecimal(of: "\(kind) \(numbers)"))"
    }

    private static var now: Int { Int(Date().timeIntervalSince1970) }

    // MARK: Batches

    /// Begins a batch.
    ///
    /// - Throws: `APIError` that names the field.
    func create(_ body: Data) throws -> JSONValue {
        guard let json = try? EventCoding.decodeJSON([String: JSONValue].self, from: body) else {
            throw APIError.invalid(nil, "The body is no JSON object.")
        }
        guard let input = json["input_file_id"]?.stringValue else {
            throw APIError.invalid("input_file_id", "You must provide input_file_id.")
        }
        guard json["endpoint"]?.stringValue == BatchLine.endpoint else {
            throw APIError.invalid("endpoint", "endpoint must be \(BatchLine.endpoint).")
        }
        let window = json["completion_window"]?.stringValue ?? ""
        guard window == "24h" else {
            throw APIError.invalid("completion_window", "completion_window must be 24h.")
        }
        guard files[input] != nil else {
            throw APIError.invalid("input_file_id", "No such File object: \(input)")
        }
        var batch = StoredBatch(
            id: next("batch"),
            input: input,
            window: window,
            metadata: json["metadata"] ?? .null,
            created: Self.now,
            ends: .now + delay
        )
        let lines = try BatchLine.lines(of: stored(input).content)
        batch.problems = BatchLine.problems(of: lines, maximum: Self.maximumRequests)
        if batch.problems.isEmpty {
            batch.total = lines.count
        } else {
            batch.status = "failed"
            batch.ended = Self.now
        }
        batches.append(batch)
        return Self.json(of: try settled(batch.id))
    }

    /// Tells of a batch.
    ///
    /// - Throws: `APIError` where there is none.
    func batch(_ id: String) throws -> JSONValue { Self.json(of: try settled(id)) }

    /// Cancels a batch that has not ended.
    ///
    /// - Throws: `APIError` where there is none, or where it has ended.
    func cancel(_ id: String) throws -> JSONValue {
        let batch = try settled(id)
        guard batch.status == "in_progress", let index = index(id) else {
            throw APIError(status: 409, message: "Cannot cancel a batch with status '\(batch.status)'.")
        }
        batches[index].status = "cancelled"
        batches[index].ended = Self.now
        return Self.json(of: batches[index])
    }

    /// The batches, the latest first.
    ///
    /// - Parameters:
    ///   - limit: The most of them.
    ///   - after: The id behind which the list begins.
    /// - Returns: A page of the list.
    /// - Throws: `APIError` where there is no such id.
    func list(limit: Int, after: String?) throws -> JSONValue {
        var ids = Array(batches.map(\.id).reversed())
        if let after {
            guard let index = ids.firstIndex(of: after) else {
                throw APIError.invalid("after", "No such Batch object: \(after)")
            }
            ids.removeFirst(index + 1)
        }
        let page = Array(ids.prefix(limit))
        var json: [String: JSONValue] = ["object": "list", "has_more": .bool(page.count < ids.count)]
        json["data"] = .array(try page.map { Self.json(of: try settled($0)) })
        json["first_id"] = page.first.map { JSONValue.string($0) } ?? JSONValue.null
        json["last_id"] = page.last.map { JSONValue.string($0) } ?? JSONValue.null
        return .object(json)
    }

    private func index(_ id: String) -> Int? { batches.firstIndex { $0.id == id } }

    /// A batch, whose requests are answered now where its time has come.
    private func settled(_ id: String) throws -> StoredBatch {
        guard let index = index(id) else {
            throw APIError(status: 404, parameter: "id", message: "No such Batch object: \(id)")
        }
        guard batches[index].status == "in_progress", ContinuousClock.now >= batches[index].ends else {
            return batches[index]
        }
        var answers = Data()
        var refusals = Data()
        let created = Self.now
        for line in BatchLine.lines(of: try stored(batches[index].input).content) {
            let result = try line.result(of: api, id: next("batch_req"), created: created)
            if result.isAnswer {
                answers += result.line + Data("\n".utf8)
                batches[index].answered += 1
            } else {
                refusals += result.line + Data("\n".utf8)
                batches[index].failed += 1
            }
        }
        // A file without a line is not made.
        if !answers.isEmpty { batches[index].output = keep("\(id)_output.jsonl", purpose: "batch_output", answers).id }
        if !refusals.isEmpty { batches[index].errors = keep("\(id)_error.jsonl", purpose: "batch_output", refusals).id }
        batches[index].status = "completed"
        batches[index].ended = created
        return batches[index]
    }

    /// A batch in OpenAI's form.
    private static func json(of batch: StoredBatch) -> JSONValue {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        func number(_ value: Int?) -> JSONValue { value.map { .integer(Int64($0)) } ?? .null }
        func ended(as status: String) -> JSONValue { number(batch.status == status ? batch.ended : nil) }
        var json: [String: JSONValue] = ["object": "batch", "endpoint": .string(BatchLine.endpoint)]
        json["id"] = text(batch.id)
        json["input_file_id"] = text(batch.input)
        json["completion_window"] = text(batch.window)
        json["status"] = text(batch.status)
        json["output_file_id"] = text(batch.output)
        json["error_file_id"] = text(batch.errors)
        json["errors"] = .null
        if !batch.problems.isEmpty { json["errors"] = ["object": "list", "data": .array(batch.problems)] }
        json["created_at"] = number(batch.created)
        json["in_progress_at"] = number(batch.status == "failed" ? nil : batch.created)
        json["expires_at"] = number(batch.created + 86_400)
        json["expired_at"] = .null
        json["finalizing_at"] = ended(as: "completed")
        json["completed_at"] = ended(as: "completed")
        json["failed_at"] = ended(as: "failed")
        json["cancelling_at"] = ended(as: "cancelled")
        json["cancelled_at"] = ended(as: "cancelled")
        json["request_counts"] = [
            "total": number(batch.total), "completed": number(batch.answered), "failed": number(batch.failed),
        ]
        json["metadata"] = batch.metadata
        return .object(json)
    }
}
