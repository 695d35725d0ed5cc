public import Foundation
public import Hummingbird
import NIOCore

/// What servers of completions have in common.
public enum CompletionRoutes {
    /// The longest request body, in bytes.
    public static let maximumBody = 4 << 20

    /// A router whose errors are answered as OpenAI's API does: with an error object, also where there is no such route.
    public static func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: ErrorObjects())
        router.get("health") { _, _ in json(.ok, Data(#"{"status":"ok"}"#.utf8)) }
        router.get("ready") { _, _ in json(.ok, Data(#"{"status":"ready"}"#.utf8)) }
        return router
    }

    /// A request's body, of at most so many bytes.
    ///
    /// - Throws: ``APIError`` where it is too long.
    public static func body(of request: Request, upTo limit: Int = CompletionRoutes.maximumBody) async throws -> Data {
        do {
            return Data(try await request.body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw APIError(status: 413, message: "The body is longer than \(limit) bytes.")
        }
    }

    /// A value as the answer.
    public static func json(_ value: some Encodable) throws -> Response { json(.ok, try encoded(value)) }

    /// A value as it stands in an answer.
    public static func encoded(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    static func json(_ status: HTTPResponse.Status, _ body: Data) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: body))
        )
    }
}

private struct ErrorObjects: RouterMiddleware {
    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return CompletionRoutes.json(.init(code: error.status), error.body)
        } catch let error as HTTPError where error.status == .notFound {
            let problem = APIError(status: 404, message: "There is no \(request.method) \(request.uri.path) here.")
            return CompletionRoutes.json(.notFound, problem.body)
        }
    }
}
