import ServiceRuntime

/// Which of Errata's keys in the environment of `errata up` go on to its services.
///
/// The others are set by it, such as addresses, or are those of another system that the environment may name.
enum HandedOnKeys {
    private static let ofAll: [any AnyConfigurationKey] = [RuntimeKeys.logLevel, RuntimeKeys.logFormat]
    private static let ofServices: [any AnyConfigurationKey] = [
        DatabaseKeys.maximumConnections, DatabaseKeys.statementTimeout,
    ]
    private static let ofIntake = [
        "ERRATA_PROMPTS", "ERRATA_INSPECTOR_ROUNDS", "ERRATA_CLASSIFY_MISTAKES", "ERRATA_FIND_DUPLICATES",
        "ERRATA_DECONTAMINATION",
    ]

    /// What a service gets of an environment.
    static func taken(by service: String, of environment: [String: String]) -> [String: String] {
        var keys = ofAll
        switch service {
        case LocalSystem.simulator: break
        // It reads no topic.
        case "dpo-trainer": keys += ofServices
        default: keys += ofServices + [EventService.concurrency]
        }
        switch service {
        case "template-distiller": keys += EngineKeys.all + RetentionKeys.all
        case "dpo-trainer", "evaluator": keys += EngineKeys.all
        default: break
        }
        var names = Set(keys.map(\.name))
        if service == "teacher-ingestion" {
            names.formUnion(ofIntake)
            names.formUnion(environment.keys.filter { $0.hasPrefix("ERRATA_TEACHER") })
        }
        return environment.filter { names.contains($0.key) }
    }
}
