import Foundation
import LanguageModel
import ServiceRuntime
import Synchronization
import Tokenization

/// Texts that are asked for, computed several at a time on a thread of their own.
///
/// Those that wait when the computation is free, of the same model and with the same decoding, are computed together; a text
/// depends on its own prompt and random stream alone.
actor GenerationQueue {
    /// What comes of a request.
    enum Event: Sendable {
        case token(TokenID)
        case end(Generation)
    }

    /// A text to make.
    private struct Request: Sendable {
        let model: ServedModel
        let prompt: [TokenID]
        let parameters: GenerationParameters
        let stream: UInt64
        let events: AsyncThrowingStream<Event, any Error>.Continuation
        let isGone = Flag()
    }

    private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }

    /// How long a free computation waits for requests that come at the same time.
    private static let gathering = Duration.milliseconds(5)

    private let batchSize: Int
    private var waiting: [Request] = []
    private var isRunning = false

    init(batchSize: Int) { self.batchSize = batchSize }

    /// Asks for a text.
    ///
    /// - Parameters:
    ///   - model: Who writes it.
    ///   - prompt: The tokens that are continued.
    ///   - parameters: Decoding; its seed has no say.
    ///   - stream: Where the random numbers come from.
    /// - Returns: The tokens as they come, and the whole.
    func generate(
        _ model: ServedModel,
        prompt: [TokenID],
        parameters: GenerationParameters,
        stream: UInt64
    ) -> AsyncThrowingStream<Event, any Error> {
        let (events, continuation) = AsyncThrowingStream.makeStream(of: Event.self)
        var parameters = parameters
        parameters.seed = 0
        let request = Request(
            model: model,
            prompt: prompt,
            parameters: parameters,
            stream: stream,
            events: continuation
        )
        continuation.onTermination = { [isGone = request.isGone] _ in isGone.set() }
        waiting.append(request)
        if !isRunning {
            isRunning = true
            Task { await work() }
        }
        return events
    }

    private func work() async {
        try? await Task.sleep(for: Self.gathering)
        while let first = waiting.first {
            let isAlike: (Request) -> Bool = {
                $0.model.folder == first.model.folder && $0.parameters == first.parameters
            }
            let batch = waiting.filter(isAlike)
            waiting.removeAll(where: isAlike)
            await compute(batch)
        }
        isRunning = false
    }

    private func compute(_ batch: [Request]) async {
        let batch = batch.filter { !$0.isGone.isSet }
        guard let first = batch.first else { return }
        do {
            try await DedicatedThread.run(name: "generate") { [batchSize] _ in
                _ = try first.model.model.generate(
                    prompts: batch.map(\.prompt),
                    parameters: first.parameters,
                    batchSize: batchSize,
                    streams: batch.map(\.stream),
                    decode: { first.model.tokenizer.decode($0) },
                    onToken: { index, token in
                        // Nobody is left to read any of them.
                        if batch.allSatisfy(\.isGone.isSet) { throw CancellationError() }
                        batch[index].events.yield(.token(token))
                    },
                    onFinish: { index, generation in
                        batch[index].events.yield(.end(generation))
                        batch[index].events.finish()
                    }
                )
            }
        } catch {
            for request in batch { request.events.finish(throwing: error) }
        }
    }
}
