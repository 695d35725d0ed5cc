/// How long what has served its purpose is kept.
public enum RetentionKeys {
    /// The life of the record of what consumers have finished with.
    public static let inbox = ConfigurationKey<Double>(
        "ERRATA_RETENTION_INBOX_DAYS",
        default: 200,
        in: 0...36_500,
        unit: "days",
        "How long it is remembered that an event was worked on. It must be longer than any topic keeps messages, and than the "
            + "bodies of published events are kept, which `errata replay` sends again; 0 is for ever."
    )
    /// The life of the bodies of published events.
    public static let outbox = ConfigurationKey<Double>(
        "ERRATA_RETENTION_OUTBOX_DAYS",
        default: 180,
        in: 0...36_500,
        unit: "days",
        "How long the bodies of published events are kept, for `errata replay`; their ids stay. 0 is for ever."
    )
    /// The life of models that nothing needs.
    public static let models = ConfigurationKey<Double>(
        "ERRATA_RETENTION_MODELS_DAYS",
        default: 90,
        in: 0...36_500,
        unit: "days",
        "How long models are kept that no run, name, champion or later model needs, counted from the end of their run; 0 is "
            + "for ever."
    )
    /// The time between two collections.
    public static let interval = ConfigurationKey<Duration>(
        "ERRATA_RETENTION_INTERVAL",
        default: .seconds(3600),
        in: .seconds(1)...Duration.seconds(604_800),
        "The time between two collections of what is kept no longer."
    )

    /// All of them.
    public static let all: [any AnyConfigurationKey] = [inbox, outbox, models, interval]
}

/// The lives of what is kept for a time; nil is for ever.
public struct RetentionPolicy: Sendable, Hashable {
    /// Of inbox rows.
    public var inbox: Duration?
    /// Of the bodies of published events.
    public var outbox: Duration?
    /// Of models that nothing needs.
    public var models: Duration?

    /// Creates a policy from numbers of days, of which 0 is for ever.
    public init(inboxDays: Double, outboxDays: Double, modelDays: Double) {
        func life(_ days: Double) -> Duration? { days > 0 ? Duration.seconds(days * 86_400) : nil }
        inbox = life(inboxDays)
        outbox = life(outboxDays)
        models = life(modelDays)
    }

    /// Reads the policy from a service's configuration.
    public init(_ configuration: Configuration) throws {
        self.init(
            inboxDays: try configuration.value(RetentionKeys.inbox),
            outboxDays: try configuration.value(RetentionKeys.outbox),
            modelDays: try configuration.value(RetentionKeys.models)
        )
    }
}
