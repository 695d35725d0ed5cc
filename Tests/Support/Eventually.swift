/// The time that a test waits for something is over.
package struct DeadlinePassed: Error, CustomStringConvertible {
    let what: String
    package var description: String { "the deadline passed while waiting for \(what)" }
}

/// Looks again until the condition holds; throws when that takes longer than the limit.
package func eventually(
    _ what: String,
    limit: Duration = .seconds(90),
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw DeadlinePassed(what: what) }
        try await Task.sleep(for: .milliseconds(5))
    }
}
