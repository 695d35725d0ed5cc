public import Foundation

/// An error in the form of OpenAI's API.
public struct APIError: Error {
    /// The HTTP status.
    public let status: Int
    let type: String
    let parameter: String?
    let message: String

    /// Makes an error; `parameter` is the place in the request's body.
    public init(status: Int, type: String = "invalid_request_error", parameter: String? = nil, message: String) {
        self.status = status
        self.type = type
        self.parameter = parameter
        self.message = message
    }

    /// Why a body cannot be read.
    public init(decoding error: any Error) {
        if let error = error as? DecodingError {
            self = .invalid(Self.place(of: error), Self.message(of: error))
        } else {
            self = .invalid(nil, "The body is not JSON: \(error)")
        }
    }

    /// A request that is not as it should be.
    public static func invalid(_ parameter: String?, _ message: String) -> APIError {
        APIError(status: 400, type: "invalid_request_error", parameter: parameter, message: message)
    }

    /// The answer's body.
    public var body: Data {
        let wire = Wire(error: Wire.Content(message: message, type: type, param: parameter))
        return (try? JSONEncoder().encode(wire)) ?? Data("{}".utf8)
    }

    private static func place(of error: DecodingError) -> String? {
        let path: [any CodingKey]
        switch error {
        case .keyNotFound(let key, let context): path = context.codingPath + [key]
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            path = context.codingPath
        @unknown default: path = []
        }
        guard !path.isEmpty else { return nil }
        return path.reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += (text.isEmpty ? "" : ".") + key.stringValue
            }
        }
    }

    private static func message(of error: DecodingError) -> String {
        let place = place(of: error) ?? "the body"
        switch error {
        case .keyNotFound: return "You must provide \(place)."
        case .typeMismatch: return "\(place) is of the wrong type."
        case .valueNotFound: return "\(place) must not be null."
        case .dataCorrupted: return "\(place) is not valid JSON."
        @unknown default: return "\(place) cannot be read."
        }
    }

    private struct Wire: Encodable {
        struct Content: Encodable {
            let message: String
            let type: String
            let param: String?

            enum CodingKeys: CodingKey {
                case message, type, param, code
            }

            // OpenAI's clients expect all four keys, null where there is nothing to say.
            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(message, forKey: .message)
                try container.encode(type, forKey: .type)
                try container.encode(param, forKey: .param)
                try container.encodeNil(forKey: .code)
            }
        }

        let error: Content
    }
}
