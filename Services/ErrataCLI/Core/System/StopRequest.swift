import Foundation

/// SIGINT and SIGTERM as a wish to end after the step in progress; the second one ends the process at once.
final class StopRequest: @unchecked Sendable {
    /// Ends a training from within.
    struct Stopped: Error {}

    private let lock = NSLock()
    private var wasRequested = false
    private var sources: [any DispatchSourceSignal] = []

    /// Whether a signal has come.
    var isRequested: Bool { lock.withLock { wasRequested } }

    /// Begins to watch the signals.
    func install() {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [weak self] in
                self?.request()
                signal(number, SIG_DFL)
            }
            source.resume()
            sources.append(source)
        }
    }

    private func request() { lock.withLock { wasRequested = true } }
}
