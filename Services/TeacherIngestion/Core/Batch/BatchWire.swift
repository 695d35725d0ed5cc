import CompletionClient
import Foundation
import Schemas
import Teaching

/// A job of the batch API as a server tells of it.
struct BatchJob: Sendable, Hashable {
    /// The field of a job's metadata that holds our name of the batch.
    static let mark = "errata_batch"

    let id: String
    let status: String
    let inputFile: String?
    let outputFile: String?
    let errorFile: String?
    /// Our name of the batch, where the server repeats metadata.
    let name: String?
    /// Seconds since 1970.
    let createdAt: Double?
    /// What the server says of a job that failed as a whole.
    let errors: [[String: JSONValue]]

    /// Reads a job; nil where it has no id or no status.
    init?(_ json: [String: JSONValue]) {
        guard let id = json["id"]?.stringValue, !id.isEmpty, let status = json["status"]?.stringValue else {
            return nil
        }
        self.id = id
        self.status = status.lowercased()
        func file(_ name: String) -> String? { json[name]?.stringValue.flatMap { $0.isEmpty ? nil : $0 } }
        inputFile = file("input_file_id")
        outputFile = file("output_file_id")
        errorFile = file("error_file_id")
        name = json["metadata"]?.objectValue?[Self.mark]?.stringValue
        createdAt = json["created_at"]?.doubleValue
        let list = json["errors"]?.objectValue?["data"]?.arrayValue ?? json["errors"]?.arrayValue ?? []
        errors = list.compactMap(\.objectValue)
    }

    /// Whether nothing more will come of it.
    var isFinal: Bool { ["completed", "failed", "expired", "cancelled", "canceled"].contains(status) }

    /// Why requests that no line tells of have no answer.
    func rest(place: String) -> ServerError {
        let words = "\(place), batch \(id) (\(status)),"
        guard let error = errors.first else {
            return ServerError(.unavailable, "\(words) said nothing of this request")
        }
        let said = [error["code"]?.stringValue, error["message"]?.stringValue].compactMap { $0 }.joined(separator: ": ")
        // A limit of what may wait at the server passes by itself; what else is wrong with a whole batch is no fault of one
        // request.
        let isLimit = said.lowercased().contains("limit") || said.lowercased().contains("enqueued")
        let refusal = ServerError.refusal(status: isLimit ? 429 : 400, answer: ["error": .object(error)], place: words)
        return refusal.kind == .refusedRequest ? ServerError(.unavailable, refusal.message) : refusal
    }
}

/// What came of one request of a batch.
struct BatchResult: Sendable {
    let key: String
    /// The HTTP status of its own, where there is one.
    let status: Int?
    /// The answer's body, or why there is none.
    let outcome: Result<String, ServerError>
}

/// The files of the batch API: JSON, one request or result a line.
enum BatchWire {
    private struct Line: Encodable {
        let key: String
        let endpoint: String
        let body: JSONValue

        enum CodingKeys: String, CodingKey {
            case key = "custom_id"
            case endpoint = "url"
            case method, body
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(key, forKey: .key)
            try container.encode("POST", forKey: .method)
            try container.encode(endpoint, forKey: .endpoint)
            try container.encode(body, forKey: .body)
        }
    }

    /// The file of requests.
    ///
    /// - Throws: `SchemasError` where a body is no JSON.
    static func file(_ requests: [BatchRequest], endpoint: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        for request in requests {
            let body = try EventCoding.decodeJSON(JSONValue.self, from: Data(request.body.utf8))
            bytes += try EventCoding.encodeJSON(Line(key: request.key, endpoint: endpoint, body: body))
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    /// The results in a file; lines that cannot be read, or name no request, are left out.
    static func results(in data: Data, model: String, place: String) -> [BatchResult] {
        data.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let json = try? EventCoding.decodeForeign(Data(line)).objectValue,
                let key = json["custom_id"]?.stringValue
            else { return nil }
            let response = json["response"]?.objectValue
            let status = response?["status_code"]?.doubleValue.flatMap { Int(exactly: $0) }
            return BatchResult(
                key: key,
                status: status,
                outcome: outcome(json, response: response, status: status, model: model, place: place)
            )
        }
    }

    private static func outcome(
        _ json: [String: JSONValue],
        response: [String: JSONValue]?,
        status: Int?,
        model: String,
        place: String
    ) -> Result<String, ServerError> {
        let body = response?["body"]?.objectValue
        if let status, (200..<300).contains(status) {
            guard let body else {
                return .failure(ServerError(.malformed, "\(place): a result without a body", mayBeBilled: true))
            }
            if let refusal = ServerError.refusal(in: body, place: place) { return .failure(refusal) }
            do {
                // Read here as it will be read for who asked, so that what is no answer is known as none.
                let answer = CompletionServer.Answer(json: body, pause: nil, milliseconds: 0)
                _ = try ChatWire.reply(answer, model: model, place: place)
                return .success(String(decoding: try EventCoding.encodeJSON(body), as: UTF8.self))
            } catch let error as ServerError {
                return .failure(error)
            } catch {
                return .failure(ServerError(.malformed, "\(place): \(error)", mayBeBilled: true))
            }
        }
        if let status, let body {
            let known = (400...599).contains(status) ? status : 502
            return .failure(ServerError.refusal(status: known, answer: body, place: place))
        }
        // What was not worked on: the time was over, or the job was cancelled.
        let error = json["error"]?.objectValue
        let words = [error?["code"]?.stringValue, error?["message"]?.stringValue].compactMap { $0 }
        let reason = words.isEmpty ? "a result without response and error" : words.joined(separator: ": ")
        return .failure(ServerError(.unavailable, "\(place): \(reason)"))
    }
}
