import CompletionAPI
import Foundation
import Hummingbird
public import Logging
public import PracticeDomain
public import ServiceLifecycle

/// Serves a simulated teacher over HTTP: `POST /v1/chat/completions`, `GET /v1/models`, `/health` and `/ready`; and in
/// memory `/v1/files` and `/v1/batches`.
public struct TeacherServer: Service {
    private let host: String
    private let port: Int
    private let api: TeacherAPI
    private let book: BatchBook
    private let logger: Logger
    private let onListening: @Sendable (Int) -> Void

    /// Creates a server.
    ///
    /// Port 0 takes a free one; `onListening` is told the port once the server listens. A batch is in progress for as long
    /// as `batchDelay` says.
    public init(
        teacher: SimulatedTeacher,
        batchDelay: Duration = .zero,
        host: String = "127.0.0.1",
        port: Int = 0,
        logger: Logger,
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        api = TeacherAPI(teacher: teacher)
        book = BatchBook(api: api, delay: batchDelay)
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
        let router = CompletionRoutes.router()
        router.post("v1/chat/completions") { [api] request, _ in
            let question = try ChatCompletionRequest(json: try await CompletionRoutes.body(of: request))
            let created = Int(Date().timeIntervalSince1970)
            guard question.isStreamed else {
                return try CompletionRoutes.json(api.complete(question, created: created))
            }
            let reply = api.reply(to: question)
            let stream = CompletionStream(id: reply.id, created: created, model: TeacherAPI.model, isChat: true)
            return stream.response { sender in
                try await sender.send(role: "assistant", text: "")
                for choice in reply.texts {
                    // A line at a time, as a model would write one after the other.
                    for line in choice.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                        try await sender.send(text: line.offset == 0 ? String(line.element) : "\n\(line.element)")
                    }
                    try await sender.send(reason: choice.finishReason)
                }
                if question.includesUsage { try await sender.send(reply.usage) }
            }
        }
        router.get("v1/models") { _, _ in
            try CompletionRoutes.json(CompletionAnswer.Models([TeacherAPI.model]))
        }
        BatchRoutes.add(to: router, book: book)
        return router
    }
}
