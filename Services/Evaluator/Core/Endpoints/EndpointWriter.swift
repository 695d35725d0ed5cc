import Dispatch
import Distillation
import LanguageModel
import ServiceRuntime
import Synchronization
import Tokenization

/// A student behind a server as a writer.
///
/// It blocks the thread that asks, which has to be one of its own.
struct EndpointWriter: StudentWriter {
    let client: EndpointClient
    let maximumPositions: Int
    /// Whether to give up.
    let isCancelled: @Sendable () -> Bool

    func write(
        _ prompts: [[TokenID]],
        streams: [UInt64],
        parameters: GenerationParameters,
        onFinish: () throws -> Void
    ) throws -> [WrittenText] {
        let state = State()
        let task = Task.detached { [client] in
            do {
                let texts = try await client.complete(prompts, streams: streams, parameters: parameters) {
                    state.finished.add(1, ordering: .relaxed)
                }
                state.result.withLock { $0 = .success(texts) }
            } catch {
                state.result.withLock { $0 = .failure(error) }
            }
            state.done.signal()
        }
        var told = 0
        var failure: (any Error)?
        var hasEnded = false
        while !hasEnded {
            hasEnded = state.done.wait(timeout: .now() + .milliseconds(100)) == .success
            guard failure == nil else { continue }
            do {
                if isCancelled() { throw CancellationError() }
                while told < state.finished.load(ordering: .relaxed) {
                    told += 1
                    try onFinish()
                }
            } catch {
                failure = error
                task.cancel()
            }
        }
        if let failure { throw failure }
        guard let result = state.result.withLock({ $0 }) else { return [] }
        return try result.get()
    }

    /// What the asking thread and the task share.
    private final class State: Sendable {
        let done = DispatchSemaphore(value: 0)
        let finished = Atomic<Int>(0)
        let result = Mutex<Result<[WrittenText], any Error>?>(nil)
    }
}
