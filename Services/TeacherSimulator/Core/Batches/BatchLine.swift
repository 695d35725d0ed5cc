import CompletionAPI
import Foundation
import Schemas

/// A line of a file of requests: `{"custom_id", "method": "POST", "url": "/v1/chat/completions", "body"}`.
struct BatchLine {
    /// The endpoint that lines may name.
    static let endpoint = "/v1/chat/completions"

    /// The line's number, from 1.
    let number: Int
    private let json: [String: JSONValue]?

    /// The lines of a file; empty ones are passed over.
    static func lines(of content: Data) -> [BatchLine] {
        content.split(separator: UInt8(ascii: "\n")).enumerated().compactMap { offset, line in
            let bytes = Data(line)
            guard bytes.contains(where: { !$0.isBlank }) else { return nil }
            return BatchLine(
                number: offset + 1,
                json: try? EventCoding.decodeJSON([String: JSONValue].self, from: bytes)
            )
        }
    }

    /// What is wrong with lines, so that the batch as a whole is refused, as entries of its `errors`.
    static func problems(of lines: [BatchLine], maximum: Int) -> [JSONValue] {
        guard !lines.isEmpty else { return [problem("empty_file", "The input file is empty.", line: nil)] }
        guard lines.count <= maximum else {
            return [problem("too_many_tasks", "The input file has more than \(maximum) requests.", line: nil)]
        }
        var problems: [JSONValue] = []
        var names: Set<String> = []
        for line in lines {
            guard let json = line.json else {
                problems.append(problem("invalid_json_line", "This line is not parseable as JSON.", line: line))
                continue
            }
            if json["method"]?.stringValue != "POST" {
                problems.append(problem("invalid_method", "method must be POST.", line: line, "method"))
            }
            if json["url"]?.stringValue != endpoint {
                problems.append(problem("invalid_url", "url must be the batch's endpoint.", line: line, "url"))
            }
            if json["body"]?.objectValue == nil {
                problems.append(problem("missing_required_parameter", "You must provide body.", line: line, "body"))
            }
            if !names.insert(line.name).inserted || line.name.isEmpty {
                problems.append(
                    problem("duplicate_custom_id", "custom_id must be there and unique.", line: line, "custom_id")
                )
            }
        }
        return problems
    }

    private static func problem(
        _ code: String,
        _ message: String,
        line: BatchLine?,
        _ parameter: String? = nil
    ) -> JSONValue {
        var json: [String: JSONValue] = ["code": .string(code), "message": .string(message)]
        json["param"] = parameter.map { JSONValue.string($0) } ?? JSONValue.null
        json["line"] = line.map { JSONValue.integer(Int64($0.number)) } ?? JSONValue.null
        return .object(json)
    }

    private var name: String { json?["custom_id"]?.stringValue ?? "" }

    /// What is answered, as it stands in a file of results.
    ///
    /// - Parameters:
    ///   - api: Who answers.
    ///   - id: The result's id.
    ///   - created: The time of the answer, in seconds since 1970.
    /// - Returns: The line without its end, and whether it is an answer.
    /// - Throws: An error where it cannot be written.
    func result(of api: TeacherAPI, id: String, created: Int) throws -> (line: Data, isAnswer: Bool) {
        var status = 200
        let body: Data
        do {
            let request = try ChatCompletionRequest(json: try EventCoding.encodeJSON(json?["body"] ?? JSONValue.null))
            guard !request.isStreamed else { throw APIError.invalid("stream", "A batch holds no streams.") }
            body = try CompletionRoutes.encoded(api.complete(request, created: created))
        } catch let error as APIError {
            status = error.status
            body = error.body
        }
        let said = try EventCoding.decodeJSON(JSONValue.self, from: body)
        let result: [String: JSONValue] = [
            "id": .string(id), "custom_id": .string(name), "error": .null,
            "response": [
                "status_code": .integer(Int64(status)), "request_id": .string("req-\(id)"), "body": said,
            ],
        ]
        return (try EventCoding.encodeJSON(result), status == 200)
    }
}

extension UInt8 {
    fileprivate var isBlank: Bool { [0x09, 0x0D, 0x20].contains(self) }
}
