import AsyncHTTPClient
public import Foundation
import KafkaClient
import PostgresClient
import Reasoning
public import ServiceRuntime
import Teaching

/// How the service is configured and put together.
public enum TeacherIngestionService {
    /// The keys of the service's own.
    public enum Keys {
        /// The teacher's endpoint.
        public static let url = ConfigurationKey<URL>(
            "ERRATA_TEACHER_URL",
            optional: false,
            "The base address of an OpenAI-compatible API, up to and with /v1."
        )
        /// The model.
        public static let model = ConfigurationKey<String>(
            "ERRATA_TEACHER_MODEL",
            optional: false,
            "The model to ask for, as the endpoint names it."
        )
        /// The API key.
        public static let apiKey = ConfigurationKey<Secret>(
            "ERRATA_TEACHER_API_KEY",
            optional: true,
            "Sent as a bearer token; none is sent where it is not given."
        )
        /// The time that a call may take.
        public static let timeout = ConfigurationKey<Int>(
            "ERRATA_TEACHER_TIMEOUT_SECONDS",
            default: 60,
            in: 1...3600,
            unit: "seconds",
            "How long the teacher may take for an answer."
        )
        /// Calls at the same time.
        public static let concurrency = ConfigurationKey<Int>(
            "ERRATA_TEACHER_CONCURRENCY",
            default: 8,
            in: 1...1000,
            unit: "calls",
            "The most calls that are with the teacher at the same time."
        )
        /// Attempts a trace.
        public static let attempts = ConfigurationKey<Int>(
            "ERRATA_TEACHER_ATTEMPTS",
            default: 4,
            in: 1...20,
            unit: "attempts",
            "How often the teacher is asked before a trace is sent on as not verified, each time at a higher temperature."
        )
        /// The inspector's rounds.
        public static let inspectorRounds = ConfigurationKey<Int>(
            "ERRATA_INSPECTOR_ROUNDS",
            default: 3,
            in: 0...10,
            unit: "rounds",
            "How often an inspector may send a template or a correction back; 0 leaves the inspector out."
        )
        /// Whether the kinds of mistakes are asked for.
        public static let classifyMistakes = ConfigurationKey<Bool>(
            "ERRATA_CLASSIFY_MISTAKES",
            default: true,
            "Whether the teacher is asked what kind of mistake each dual pair shows, one more call a pair."
        )
        /// The user's prompts.
        public static let prompts = ConfigurationKey<String>(
            "ERRATA_PROMPTS",
            optional: true,
            "A folder with prompts and worked examples in place of the shipped ones; `errata prompts export` makes one."
        ) { folder in
            do {
                _ = try PromptLibrary(folder: URL(filePath: folder, directoryHint: .isDirectory))
                return nil
            } catch {
                return (error as? ReasoningError)?.message ?? "\(error)"
            }
        }

        /// All of them.
        public static let all: [any AnyConfigurationKey] = [
            url, model, apiKey, timeout, concurrency, attempts, inspectorRounds, classifyMistakes, prompts, duplicates,
            decontamination,
        ]
    }

    /// The service.
    public static let definition = ServiceDefinition(
        name: "teacher-ingestion",
        summary: "has the teacher work on problems and wrong attempts, and verifies what it answers",
        keys: EventService.keys + Keys.all
    ) { context in
        let configuration = context.configuration
        let service = try EventService(context)
        let teacher = HTTPTeacher(
            options: .init(
                baseURL: try configuration.value(Keys.url).absoluteString,
                model: try configuration.value(Keys.model),
                apiKey: try configuration.optionalValue(Keys.apiKey)?.reveal(),
                timeout: .seconds(try configuration.value(Keys.timeout))
            ),
            client: .shared,
            logger: context.logger
        )
        let ledger = StoredTeacherLedger(
            teacher: teacher,
            pool: service.pool,
            prompts: try configuration.optionalValue(Keys.prompts).map {
                try PromptLibrary(folder: URL(filePath: $0, directoryHint: .isDirectory))
            } ?? .shipped,
            concurrency: try configuration.value(Keys.concurrency),
            logger: context.logger
        )
        let processor = TeacherIngestionProcessor(
            pool: service.pool,
            ledger: ledger,
            options: TeachingOptions(
                attempts: try configuration.value(Keys.attempts),
                inspectorRounds: try configuration.value(Keys.inspectorRounds),
                classifiesMistakes: try configuration.value(Keys.classifyMistakes)
            ),
            intake: IntakeOptions(
                findsDuplicates: try configuration.value(Keys.duplicates),
                decontamination: try configuration.value(Keys.decontamination).rule
            ),
            logger: context.logger
        )
        return try service.services(processor)
    }
}
