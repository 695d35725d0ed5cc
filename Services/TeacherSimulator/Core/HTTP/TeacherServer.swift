import Foundation
import Hummingbird
public import Logging
import NIOCore
public import PracticeDomain
public import ServiceLifecycle

/// Serves a simulated teacher over HTTP: `POST /v1/chat/completions`, `GET /v1/models`, `/health` and `/ready`.
public struct TeacherServer: Service {
    /// The longest request body, in bytes.
    public static let maximumBody = 4 << 20

    private let host: String
    private let port: Int
    private let api: TeacherAPI
    private let logger: Logger
    private let onListening: @Sendable (Int) -> Void

    /// Creates a server.
    ///
    /// Port 0 takes a free one; `onListening` is told the port once the server listens.
    public init(
        teacher: SimulatedTeacher,
        host: String = "127.0.0.1",
        port: Int = 0,
        logger: Logger,
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        api = TeacherAPI(teacher: teacher)
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until graceful shutdown or cancellation.
    public func run() async throws {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            router: router(),
            configuration: .init(address: .hostname(host, port: port), serverName: nil),
            onServerRunning: { [logger, host, onListening] channel in
                let port = channel.localAddress?.port ?? 0
                logger.info("listening", metadata: ["host": "\(host)", "port": "\(port)"])
                onListening(port)
            },
            logger: quiet
        )
        try await application.run()
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: UnknownRoutes())
        router.post("v1/chat/completions") { [api] request, _ in
            do {
                return try await Self.complete(request, api: api)
            } catch let error as APIError {
                return Self.response(.init(code: error.status), error.body)
            }
        }
        router.get("v1/models") { _, _ in
            Self.response(.ok, try JSONEncoder().encode(Models(data: [.init(id: TeacherAPI.model)])))
        }
        router.get("health") { _, _ in Self.response(.ok, Data(#"{"status":"ok"}"#.utf8)) }
        router.get("ready") { _, _ in Self.response(.ok, Data(#"{"status":"ready"}"#.utf8)) }
        return router
    }

    private static func complete(_ request: Request, api: TeacherAPI) async throws -> Response {
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: maximumBody)
        } catch is NIOTooManyBytesError {
            throw APIError(
                status: 413,
                type: "invalid_request_error",
                parameter: nil,
                message: "The body is longer than \(maximumBody) bytes."
            )
        }
        let question = try ChatCompletionRequest(json: Data(buffer.readableBytesView))
        let answer = api.complete(question, created: Int(Date().timeIntervalSince1970))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return response(.ok, try encoder.encode(answer))
    }

    fileprivate static func response(_ status: HTTPResponse.Status, _ body: Data) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: body))
        )
    }

    private struct Models: Encodable {
        struct Model: Encodable {
            let id: String
            let object = "model"
            let ownedBy = "errata"

            enum CodingKeys: String, CodingKey {
                case id, object
                case ownedBy = "owned_by"
            }
        }

        let object = "list"
        let data: [Model]
    }
}

/// Answers what the API does not have as OpenAI's does: with an error object instead of an empty body.
private struct UnknownRoutes: RouterMiddleware {
    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError where error.status == .notFound {
            let problem = APIError(
                status: 404,
                type: "invalid_request_error",
                parameter: nil,
                message: "There is no \(request.method) \(request.uri.path) here."
            )
            return TeacherServer.response(.notFound, problem.body)
        }
    }
}
