import CompletionClient
import Foundation
import Schemas
import Teaching

/// The batch API of a server, called through the gate that all calls of the server go through.
struct BatchServer: Sendable {
    /// The most bytes of a file of results.
    private static let maximumResults = 512 << 20
    /// So many pages of a hundred jobs are looked through for one of ours.
    private static let pages = 20

    let server: CompletionServer
    let gate: TeacherGate
    let plan: BatchPlan

    /// The address, for messages.
    var place: String { "\(server.options.address)" }

    /// Uploads the file of requests.
    ///
    /// - Returns: The server's name of it.
    /// - Throws: ``ServerError``, ``TeacherError`` while the gate is closed.
    func upload(_ requests: [BatchRequest], name: String) async throws -> String {
        var form = MultipartForm()
        form.add("purpose", "batch")
        form.add(
            "file",
            filename: "\(name).jsonl",
            contentType: "application/jsonl",
            bytes: try BatchWire.file(requests, endpoint: plan.endpoint)
        )
        let (body, type) = (form.body, form.contentType)
        let answer = try await call { try await server.post("files", body: body, contentType: type) }
        guard let id = answer.json["id"]?.stringValue, !id.isEmpty else {
            throw ServerError(.malformed, "\(place)/files answered without an id")
        }
        return id
    }

    /// Makes a job.
    ///
    /// - Throws: ``ServerError``, ``TeacherError`` while the gate is closed.
    func create(file: String, name: String) async throws -> BatchJob {
        let body: [String: JSONValue] = [
            "input_file_id": .string(file),
            "endpoint": .string(plan.endpoint),
            "completion_window": .string(plan.completionWindow),
            "metadata": .object([BatchJob.mark: .string(name)]),
        ]
        let bytes = Array(try EventCoding.encodeJSON(body))
        return try read(try await call { try await server.post("batches", body: bytes) })
    }

    /// Looks for a job whose making was not confirmed, by its metadata or its file.
    ///
    /// - Parameters:
    ///   - name: Our name of the batch.
    ///   - file: The server's name of its file.
    ///   - since: When it was made; jobs that are older by an hour are not looked through.
    /// - Returns: The job; nil where there is none, or where the server lists no jobs.
    /// - Throws: ``ServerError``, ``TeacherError`` while the gate is closed.
    func find(name: String, file: String, since: Date) async throws -> BatchJob? {
        var after: String?
        for _ in 0..<Self.pages {
            let query = [(name: "limit", value: "100")] + (after.map { [(name: "after", value: $0)] } ?? [])
            let answer: CompletionServer.Answer
            do {
                answer = try await call(mayBeMissing: true) { try await server.get("batches", query: query) }
            } catch let error as ServerError where error.kind == .notFound {
                return nil
            }
            let jobs = (answer.json["data"]?.arrayValue ?? []).compactMap { $0.objectValue.flatMap(BatchJob.init) }
            if let found = jobs.first(where: { $0.name == name || $0.inputFile == file }) { return found }
            guard answer.json["has_more"]?.boolValue == true, let last = jobs.last,
                (last.createdAt ?? .infinity) >= since.timeIntervalSince1970 - 3600
            else { return nil }
            after = last.id
        }
        return nil
    }

    /// Looks at a job.
    ///
    /// - Throws: ``ServerError`` (`notFound` where the server does not know it), ``TeacherError`` while the gate is closed.
    func job(_ id: String) async throws -> BatchJob {
        let path = "batches/\(ServerAddress.encoded(id))"
        return try read(try await call(mayBeMissing: true) { try await server.get(path) })
    }

    /// Reads the results in a file.
    ///
    /// - Throws: ``ServerError`` (`notFound` where the server does not know it), ``TeacherError`` while the gate is closed.
    func results(_ file: String, model: String) async throws -> [BatchResult] {
        let path = "files/\(ServerAddress.encoded(file))/content"
        let data = try await guarded(mayBeMissing: true) {
            (try await server.content(path, maximumBytes: Self.maximumResults), nil)
        }
        return BatchWire.results(in: data, model: model, place: place)
    }

    /// Closes the gate for what every other request would be refused for too.
    func close(for error: ServerError) async {
        // Where it lets nobody in, it is closed already.
        guard (try? await gate.enter()) != nil else { return }
        await gate.leave(HTTPTeacher.outcome(of: error))
    }

    // MARK: A call

    private func read(_ answer: CompletionServer.Answer) throws -> BatchJob {
        guard let job = BatchJob(answer.json) else {
            throw ServerError(.malformed, "\(place)/batches answered with a job without id and status")
        }
        return job
    }

    private func call(
        mayBeMissing: Bool = false,
        _ body: () async throws -> CompletionServer.Answer
    ) async throws -> CompletionServer.Answer {
        try await guarded(mayBeMissing: mayBeMissing) {
            let answer = try await body()
            return (answer, answer.pause)
        }
    }

    /// Calls when the gate lets the call in, and tells it how the call ended.
    ///
    /// - Parameters:
    ///   - mayBeMissing: Whether the server may not know what is asked for, so that this says nothing of other calls.
    ///   - body: The call; it returns its value, and how long the answer asks all calls to wait.
    /// - Returns: The value.
    /// - Throws: ``ServerError``, ``TeacherError`` while the gate is closed.
    private func guarded<Value: Sendable>(
        mayBeMissing: Bool,
        _ body: () async throws -> (value: Value, pause: Duration?)
    ) async throws -> Value {
        try await gate.enter()
        do {
            let (value, pause) = try await body()
            await gate.leave(.answered(pause: pause))
            return value
        } catch let error as ServerError {
            let isMissing = mayBeMissing && error.kind == .notFound
            await gate.leave(isMissing ? .rejected(reason: error.message) : HTTPTeacher.outcome(of: error))
            throw error
        } catch {
            await gate.leave(.abandoned)
            throw error
        }
    }
}
