import UnixSignals

/// SIGINT and SIGTERM as cancellation of the work in progress, so that everything that was started is ended.
struct Interruption: Sendable {
    private let signals: UnixSignalsSequence

    /// Begins to watch the signals.
    init() async {
        signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    }

    /// Runs a body that a signal cancels, also one that came before.
    ///
    /// The watch goes on afterwards: a second signal must not end the clean-up.
    func cancelling(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let task = Task { try await body() }
        Task { [signals] in
            for await _ in signals { task.cancel() }
        }
        try await task.value
    }
}
