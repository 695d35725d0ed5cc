/// Runs a body, and then what must follow on it however it ended.
///
/// - Throws: what the body throws.
public func attempting<Value>(
    _ body: () async throws -> Value,
    finally cleanUp: () async -> Void,
    isolation: isolated (any Actor)? = #isolation
) async throws -> Value {
    let value: Value
    do {
        value = try await body()
    } catch {
        await cleanUp()
        throw error
    }
    await cleanUp()
    return value
}
