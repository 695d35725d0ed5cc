import Foundation

/// A form with files as `multipart/form-data` (RFC 7578), for servers that take uploads.
public struct MultipartForm: Sendable {
    /// What stands between the parts: so much of it is random that no part holds it.
    private let boundary: String
    private var parts: [UInt8] = []

    /// Makes an empty form.
    public init() { boundary = "errata-\(UUID().uuidString)" }

    /// The value of the header `Content-Type`.
    public var contentType: String { "multipart/form-data; boundary=\(boundary)" }

    /// The body, from the first part to the closing boundary.
    public var body: [UInt8] { parts + Array("--\(boundary)--\r\n".utf8) }

    /// Adds a field.
    public mutating func add(_ name: String, _ value: String) {
        begin("Content-Disposition: form-data; name=\"\(Self.quoted(name))\"")
        end(Array(value.utf8))
    }

    /// Adds a file.
    ///
    /// - Parameters:
    ///   - name: The field.
    ///   - filename: What the server is to call it.
    ///   - contentType: Its type.
    ///   - bytes: Its content.
    public mutating func add(_ name: String, filename: String, contentType: String, bytes: [UInt8]) {
        begin(
            "Content-Disposition: form-data; name=\"\(Self.quoted(name))\"; filename=\"\(Self.quoted(filename))\"\r\n"
                + "Content-Type: \(contentType)"
        )
        end(bytes)
    }

    private mutating func begin(_ head: String) {
        parts += Array("--\(boundary)\r\n\(head)\r\n\r\n".utf8)
    }

    private mutating func end(_ bytes: [UInt8]) {
        parts += bytes
        parts += Array("\r\n".utf8)
    }

    /// A name as browsers send it in quotes (HTML, "multipart form data").
    private static func quoted(_ name: String) -> String {
        name.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "\"": text += "%22"
            case "\r": text += "%0D"
            case "\n": text += "%0A"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
