import ServiceRuntime
import Teaching

extension TeacherSettings.Batch {
    /// Checks what is said.
    ///
    /// - Throws: ``ConfigurationError`` that names the place and the bound.
    func check(_ place: String) throws {
        func refuse(_ reason: String) -> ConfigurationError { ConfigurationError("\(place).\(reason)") }
        if let maximumRequests, !(1...50_000).contains(maximumRequests) {
            throw refuse("maximumRequests must be 1 to 50000")
        }
        if let minimumRequests, !(1...(maximumRequests ?? 50_000)).contains(minimumRequests) {
            throw refuse("minimumRequests must be 1 to maximumRequests, \(maximumRequests ?? 50_000)")
        }
        if let waitSeconds, !(waitSeconds >= 0 && waitSeconds <= 86_400) {
            throw refuse("waitSeconds must be 0 to 86400")
        }
        if let pollSeconds, !(pollSeconds > 0 && pollSeconds <= 86_400) {
            throw refuse("pollSeconds must be above 0 and at most 86400")
        }
        if let completionWindow, completionWindow.isEmpty || completionWindow.count > 20 {
            throw refuse("completionWindow must be like 24h")
        }
        if let endpoint, !endpoint.hasPrefix("/") {
            throw refuse("endpoint is '\(endpoint)'; it must be like /v1/chat/completions")
        }
    }
}

/// A role's ``TeacherSettings/Batch`` with all its defaults.
struct BatchPlan: Sendable {
    /// The most bytes of a batch's file: what OpenAI takes, less what the lines have around the bodies.
    static let maximumBytes = 128 << 20

    let minimumRequests: Int
    let maximumRequests: Int
    let wait: Duration
    let poll: Duration
    let completionWindow: String
    let endpoint: String

    init(_ settings: TeacherSettings.Batch) {
        maximumRequests = settings.maximumRequests ?? 50_000
        minimumRequests = min(settings.minimumRequests ?? 100, maximumRequests)
        wait = Self.duration(settings.waitSeconds ?? 60)
        poll = Self.duration(settings.pollSeconds ?? 30)
        completionWindow = settings.completionWindow ?? "24h"
        endpoint = settings.endpoint ?? "/v1/chat/completions"
    }

    private static func duration(_ seconds: Double) -> Duration { .milliseconds(Int64((seconds * 1000).rounded(.up))) }
}
