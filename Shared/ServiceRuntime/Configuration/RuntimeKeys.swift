import KafkaClient
import Logging
import PostgresClient

/// The keys that every service has.
public enum RuntimeKeys {
    /// The least severe level that is logged.
    public static let logLevel = ConfigurationKey<LogLevel>(
        "ERRATA_LOG_LEVEL",
        default: .info,
        "The least severe level that is logged."
    )
    /// The form of log lines.
    public static let logFormat = ConfigurationKey<LogFormat>(
        "ERRATA_LOG_FORMAT",
        default: .logfmt,
        "The form of log lines on standard error."
    )
    /// The address that health and metrics are served on.
    public static let httpHost = ConfigurationKey<String>(
        "ERRATA_HTTP_HOST",
        default: "127.0.0.1",
        "The address that /health, /ready and /metrics are served on."
    )
    /// The port that health and metrics are served on.
    public static let httpPort = ConfigurationKey<Int>(
        "ERRATA_HTTP_PORT",
        default: 0,
        in: 0...65_535,
        "The port of that address; 0 takes a free one and logs it."
    )
    /// The longest that work in flight may take to finish at shutdown.
    public static let shutdownTimeout = ConfigurationKey<Duration>(
        "ERRATA_SHUTDOWN_TIMEOUT",
        default: .seconds(20),
        in: .milliseconds(10)...Duration.seconds(3600),
        "The longest that work in flight may take to finish at shutdown."
    )

    /// Whether the service ends with the process that started it.
    public static let exitWithParent = ConfigurationKey<Bool>(
        "ERRATA_EXIT_WITH_PARENT",
        default: false,
        "Whether the service shuts down when the process that started it is gone; `errata up` sets it."
    )

    /// The process that started the service.
    public static let parentProcess = ConfigurationKey<Int>(
        "ERRATA_PARENT_PROCESS",
        default: 0,
        in: 0...Int(Int32.max),
        "The id of the process that ERRATA_EXIT_WITH_PARENT waits for, which may be gone before the service looks; 0 takes the "
            + "parent that it finds. `errata up` sets it."
    )

    /// All of them.
    public static let all: [any AnyConfigurationKey] = [
        logLevel, logFormat, httpHost, httpPort, shutdownTimeout, exitWithParent, parentProcess,
    ]
}

/// The keys of services that read or write models.
public enum ModelKeys {
    /// The model store.
    public static let store = ConfigurationKey<String>(
        "ERRATA_MODEL_STORE",
        optional: false,
        "The folder of the model store, which the services share."
    )
    /// Where resumable training state is kept.
    public static let workFolder = ConfigurationKey<String>(
        "ERRATA_WORK_FOLDER",
        optional: false,
        "The folder for the state of trainings in progress; a trainer that takes over another's work needs the same one."
    )
}

/// The keys of services that hand stages to other engines.
public enum ExternalEngineKeys {
    /// The file of the engines.
    public static let file = ConfigurationKey<String>(
        "ERRATA_ENGINES",
        default: "",
        "A JSON file of the engines that a stage's \"engine\" may name: {\"NAME\": {\"command\": [\"PROGRAM\", \"ARGUMENT\"]}}; left "
            + "out, there are none but Errata's own."
    )
}

/// The keys of services that let other servers write a student's texts.
public enum StudentEndpointKeys {
    /// The file of the endpoints.
    public static let file = ConfigurationKey<String>(
        "ERRATA_STUDENTS",
        default: "",
        "A JSON file of the OpenAI-compatible servers that a run's decoding.endpoint may name: {\"NAME\": {\"url\": "
            + "\"http://HOST:PORT/v1\"}}; left out, the evaluator's own engine writes."
    )
}

/// The keys of services that compute with models; what the values may be, the tensor engine says.
public enum EngineKeys {
    /// The threads of a computation.
    public static let threads = ConfigurationKey<String>(
        "ERRATA_THREADS",
        default: "",
        "Threads to compute with, 1 to 1024; left out, the processors that the process may use (cgroup quotas count), at "
            + "most 16."
    )
    /// The kernels by name.
    public static let kernels = ConfigurationKey<String>(
        "ERRATA_KERNELS",
        default: "",
        "The kernels to compute with by name; left out, the fastest that the processor can run."
    )

    /// All of them.
    public static let all: [any AnyConfigurationKey] = [threads, kernels]
}

/// The keys of services that talk to the broker.
public enum KafkaKeys {
    /// The brokers to start from.
    public static let bootstrapServers = ConfigurationKey<String>(
        "ERRATA_KAFKA_BOOTSTRAP_SERVERS",
        optional: false,
        "The brokers to start from, host:port by comma."
    )
    /// Settings of librdkafka.
    public static let settings = ConfigurationKey<PassThroughSettings>(
        "ERRATA_KAFKA_SETTINGS",
        default: PassThroughSettings(),
        "Any settings of librdkafka, for example security.protocol=SASL_SSL;sasl.mechanism=PLAIN; message.max.bytes is "
            + "the largest event, which a topic's max.message.bytes must not be below.",
        rule: { KafkaConfiguration.fault(in: $0.values) }
    )
    /// The SASL password.
    public static let saslPassword = ConfigurationKey<Secret>(
        "ERRATA_KAFKA_SASL_PASSWORD",
        optional: true,
        "The setting sasl.password of librdkafka."
    )

    /// All of them.
    public static let all: [any AnyConfigurationKey] = [bootstrapServers, settings, saslPassword]
}

/// The keys of services that talk to the database.
public enum DatabaseKeys {
    /// The database, as a libpq URL or connection string.
    public static let url = ConfigurationKey<DatabaseAddress>(
        "ERRATA_POSTGRES_URL",
        optional: false,
        "The database, as postgresql://user@host:port/name; give the password in its own key."
    )
    /// The password.
    public static let password = ConfigurationKey<Secret>(
        "ERRATA_POSTGRES_PASSWORD",
        optional: true,
        "The password of the database's user."
    )
    /// The most connections that the service opens.
    public static let maximumConnections = ConfigurationKey<Int>(
        "ERRATA_POSTGRES_CONNECTIONS",
        default: 8,
        in: 1...1000,
        unit: "connections",
        "The most connections to the database that the service works with; it opens one more for /ready and /metrics, and "
            + "teacher-ingestion one for its locks."
    )
    /// How long one statement may take.
    public static let statementTimeout = ConfigurationKey<Duration>(
        "ERRATA_POSTGRES_STATEMENT_TIMEOUT",
        default: PostgresConfiguration.standardStatementTimeout,
        in: .seconds(1)...Duration.seconds(86_400),
        "How long one statement may take before the database gives it up, waits for locks included. One that the URL sets by "
            + "options=-c statement_timeout=... comes before it."
    )

    /// All of them.
    public static let all: [any AnyConfigurationKey] = [url, password, maximumConnections, statementTimeout]
}

/// The severity of a log line.
public enum LogLevel: String, ConfigurationValue, CaseIterable {
    /// Everything.
    case trace
    /// For finding faults.
    case debug
    /// What a service does.
    case info
    /// What is remarkable.
    case notice
    /// What may need attention.
    case warning
    /// What failed.
    case error
    /// What stops the service.
    case critical

    var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}

/// The form of log lines.
public enum LogFormat: String, ConfigurationValue, CaseIterable {
    /// `time=… level=info msg="…" key=value`.
    case logfmt
    /// One JSON object a line.
    case json
}
