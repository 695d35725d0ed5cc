import ArgumentParser
import CompletionAPI
import Foundation
import Hummingbird
import LanguageModel
import Logging
import TensorEngine

/// `errata serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve models over HTTP, by OpenAI's API.",
        discussion: """
            POST /v1/completions and /v1/chat/completions (streaming too), GET /v1/models. Without a model every stored one \
            is served by its name or hash; the one that was asked last stays in memory. Requests that come together are \
            computed together, and a text depends on its own request alone. A completion's prompt is a text, a list of texts, \
            or token ids. Sampling follows the model's generation_config.json unless a request says otherwise.

            It listens on this machine only unless --host says otherwise, and knows neither keys nor TLS: put a proxy that \
            does in front of it before others can reach it.
            """
    )

    @Argument(help: "A folder, a GGUF file, or a stored model's name or hash. Default: all stored models.")
    var model: String?

    @OptionGroup var store: ModelStoreOptions

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 takes a free one.")
    var port = 8080

    @Option(help: "How many texts are made at a time.")
    var batchSize = 32

    @Option(help: "How the weights are kept in memory; see `errata generate --help`.")
    var dtype = LoadedType.auto

    @Option(help: "Threads to compute with. Default: all cores.")
    var threads: Int?

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be 0 to 65535, is \(port)") }
        guard batchSize > 0 else { throw ValidationError("--batch-size must be at least 1, is \(batchSize)") }
        if let threads, threads < 1 { throw ValidationError("--threads must be at least 1, is \(threads)") }
    }

    func run() async throws {
        try EngineSettings.check()
        let models = ServedModels(
            only: try model.map { (name: $0, folder: try store.model($0)) },
            store: model == nil ? try store.existingStore() : nil,
            dtype: dtype,
            threads: threads
        )
        // A model that cannot be served is told now, not to the first who asks.
        if let model { _ = try await models.model(model) }
        let server = ModelServer(models: models, queue: GenerationQueue(batchSize: batchSize))
        var logger = Logger(label: "errata")
        logger.logLevel = .warning
        let application = Application(
            router: server.router(),
            configuration: .init(address: .hostname(host, port: port), serverName: nil),
            onServerRunning: { [host] channel in
                Terminal.out("listening on http://\(host):\(channel.localAddress?.port ?? 0)/v1")
            },
            logger: logger
        )
        try await application.runService()
    }
}
