/// Counts the failures of requests that may be the requests' own fault.
///
/// That a request fails is its own fault as far as the server answers others meanwhile; while it answers nobody, nothing is
/// held against anyone.
struct FailureTally: Sendable {
    /// What a failure says of its request.
    enum Finding: Sendable, Equatable {
        /// The request failed so often while others were answered.
        case strikes(Int)
        /// Nobody was answered since it failed last, so that it is not known whose fault it is; and whether that went on
        /// long enough to find out.
        case unknown(strikes: Int, isAskedFor: Bool)
    }

    private struct Entry {
        var strikes = 0
        /// Failures since nobody else was answered.
        var alone = 0
        /// The server's answers when it failed last.
        var answers: Int?
    }

    /// The most requests that are remembered: who is given up, or answered, is forgotten.
    private static let most = 10_000

    private var entries: [String: Entry] = [:]

    /// Counts a failure that is the request's own.
    ///
    /// - Returns: How often it failed so, this time included.
    mutating func strike(_ key: String, answers: Int? = nil) -> Int {
        change(key) { entry in
            entry.strikes += 1
            entry.alone = 0
            entry.answers = answers ?? entry.answers
            return entry.strikes
        }
    }

    /// Counts a failure.
    ///
    /// Arguments:
    ///   - answers: the server's answers so far.
    ///   - before: those when the call began.
    mutating func failed(_ key: String, answers: Int, before: Int) -> Finding {
        let last = entries[key]?.answers ?? before
        guard answers <= last else { return .strikes(strike(key, answers: answers)) }
        return change(key) { entry in
            entry.alone += 1
            entry.answers = answers
            // The first time others may just not have come yet.
            return .unknown(strikes: entry.strikes, isAskedFor: entry.strikes > 0 || entry.alone > 1)
        }
    }

    /// Forgets a request that is at its end.
    mutating func forget(_ key: String) { entries[key] = nil }

    private mutating func change<Value>(_ key: String, _ body: (inout Entry) -> Value) -> Value {
        if entries.count >= Self.most, entries[key] == nil { entries = [:] }
        return body(&entries[key, default: Entry()])
    }
}
