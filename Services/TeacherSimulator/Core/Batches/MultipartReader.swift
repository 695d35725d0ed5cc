import CompletionAPI
import Foundation

/// Reads `multipart/form-data` (RFC 7578).
enum MultipartReader {
    /// A field or a file.
    struct Part {
        /// The field's name.
        let name: String
        /// The file's name, of a file.
        let filename: String?
        /// The content.
        let content: Data
    }

    /// The parts of a body.
    ///
    /// - Parameters:
    ///   - body: The body.
    ///   - contentType: The header `Content-Type`, which names the boundary.
    /// - Returns: The parts in order.
    /// - Throws: `APIError` where it is no such form.
    static func parts(of body: Data, contentType: String?) throws(APIError) -> [Part] {
        guard let contentType, contentType.lowercased().hasPrefix("multipart/form-data"),
            let boundary = parameter("boundary", in: contentType), !boundary.isEmpty
        else { throw APIError.invalid(nil, "The body must be multipart/form-data.") }
        // Every boundary but the first one follows the line's end that closes a part.
        let delimiter = Data("\r\n--\(boundary)".utf8)
        let text = Data("\r\n".utf8) + body
        guard let first = text.range(of: delimiter) else { throw APIError.invalid(nil, "The form has no part.") }
        var parts: [Part] = []
        var rest = text[first.upperBound...]
        while !rest.starts(with: Data("--".utf8)) {
            guard let end = rest.range(of: delimiter), let blank = rest.range(of: Data("\r\n\r\n".utf8)),
                blank.upperBound <= end.lowerBound
            else { throw APIError.invalid(nil, "The form ends before its closing boundary.") }
            let head = String(decoding: rest[..<blank.lowerBound], as: UTF8.self)
            let lines = head.split(whereSeparator: \.isNewline)
            if let line = lines.first(where: { $0.lowercased().hasPrefix("content-disposition:") }),
                let name = parameter("name", in: String(line))
            {
                parts.append(
                    Part(
                        name: name,
                        filename: parameter("filename", in: String(line)),
                        content: Data(rest[blank.upperBound..<end.lowerBound])
                    )
                )
            }
            rest = rest[end.upperBound...]
        }
        return parts
    }

    /// A parameter of a header's value, with or without quotes.
    private static func parameter(_ name: String, in header: String) -> String? {
        for field in header.split(separator: ";").dropFirst() {
            let sides = field.split(separator: "=", maxSplits: 1)
            guard sides.count == 2, sides[0].trimmingCharacters(in: .whitespaces).lowercased() == name else {
                continue
            }
            let value = sides[1].trimmingCharacters(in: .whitespaces)
            return value.trimmingCharacters(in: CharacterSet(charactersIn: "\""))
        }
        return nil
    }
}
