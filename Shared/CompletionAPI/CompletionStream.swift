public import Foundation
public import Hummingbird
import NIOCore

/// What all parts of an answer say, and how a streamed one is sent: server-sent events, the last of them `[DONE]`.
public struct CompletionStream: Sendable {
    /// The answer's name.
    public let id: String
    /// When the request came, in seconds since 1970.
    public let created: Int
    /// The model that answers.
    public let model: String
    /// Whether it is a conversation's.
    public let isChat: Bool

    /// Makes the common part of an answer.
    public init(id: String? = nil, created: Int = Int(Date().timeIntervalSince1970), model: String, isChat: Bool) {
        self.id = id ?? (isChat ? "chatcmpl-" : "cmpl-") + UUID().uuidString.lowercased()
        self.created = created
        self.model = model
        self.isChat = isChat
    }

    /// Sends parts of a streamed answer.
    public struct Sender {
        fileprivate var writer: any ResponseBodyWriter
        fileprivate let stream: CompletionStream

        /// Sends what is new.
        public mutating func send(role: String? = nil, text: String? = nil, reason: String? = nil) async throws {
            let choice = CompletionAnswer.Chunk.Choice(
                isChat: stream.isChat,
                role: role,
                text: text,
                finishReason: reason
            )
            try await send(choices: [choice], usage: nil)
        }

        /// Sends the counts of tokens, which come last and by themselves.
        public mutating func send(_ usage: CompletionAnswer.Usage) async throws {
            try await send(choices: [], usage: usage)
        }

        private mutating func send(
            choices: [CompletionAnswer.Chunk.Choice],
            usage: CompletionAnswer.Usage?
        ) async throws {
            let chunk = CompletionAnswer.Chunk(
                id: stream.id,
                isChat: stream.isChat,
                created: stream.created,
                model: stream.model,
                choices: choices,
                usage: usage
            )
            try await write(String(decoding: try CompletionRoutes.encoded(chunk), as: UTF8.self))
        }

        fileprivate mutating func write(_ text: String) async throws {
            try await writer.write(ByteBuffer(string: "data: \(text)\n\n"))
        }
    }

    /// A response whose events `body` sends.
    ///
    /// An ``APIError`` that it throws is sent in place of a part: the head has gone out, and clients read it there.
    public func response(_ body: @escaping @Sendable (inout Sender) async throws -> Void) -> Response {
        let content = ResponseBody { writer in
            var sender = Sender(writer: writer, stream: self)
            do {
                try await body(&sender)
                try await sender.write("[DONE]")
            } catch let error as APIError {
                try await sender.write(String(decoding: error.body, as: UTF8.self))
            }
            try await sender.writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
            body: content
        )
    }
}
