import AsyncHTTPClient
import CompletionClient
public import Foundation
import KafkaClient
import Logging
import PostgresClient
import Reasoning
import ServiceLifecycle
public import ServiceRuntime
import Teaching

/// How the service is configured and put together.
public enum TeacherIngestionService {
    /// The keys of the service's own.
    public enum Keys {
        /// The teacher's endpoint.
        public static let url = ConfigurationKey<URL>(
            "ERRATA_TEACHER_URL",
            optional: true,
            "The base address of an OpenAI-compatible API, with or without /v1; ERRATA_TEACHERS may name one a role."
        ) { url in
            ServerAddress(url.absoluteString) == nil ? "must be like http://HOST:8000/v1" : nil
        }
        /// The model.
        public static let model = ConfigurationKey<String>(
            "ERRATA_TEACHER_MODEL",
            optional: true,
            "The model to ask for, as the server names it."
        )
        /// The kind of server.
        public static let preset = ConfigurationKey<String>(
            "ERRATA_TEACHER_PRESET",
            default: TeacherPreset.generic.rawValue,
            "The kind of server: \(TeacherPreset.allCases.map(\.rawValue).joined(separator: ", "))."
        ) { name in
            TeacherPreset(rawValue: name) == nil
                ? "must be one of \(TeacherPreset.allCases.map(\.rawValue).joined(separator: ", "))" : nil
        }
        /// Settings by role.
        public static let teachers = ConfigurationKey<String>(
            "ERRATA_TEACHERS",
            optional: true,
            "A JSON file of settings by role (default, solver, template, inspector, corrector, classifier)."
        )
        /// The most tokens of an answer.
        public static let maximumTokens = ConfigurationKey<Int>(
            "ERRATA_TEACHER_MAXIMUM_TOKENS",
            optional: true,
            in: 1...1_000_000,
            unit: "tokens",
            "The most tokens of an answer, thoughts included; 2048 by default, 16384 of the preset openai-reasoning."
        )
        /// A day's tokens.
        public static let dayTokens = ConfigurationKey<Int>(
            "ERRATA_TEACHER_DAY_TOKENS",
            optional: true,
            in: 1...Int.max,
            unit: "tokens",
            "The most tokens a day (UTC), both ways; then problems wait for the next day. No bound by default."
        )
        /// A day's money.
        public static let dayCost = ConfigurationKey<Double>(
            "ERRATA_TEACHER_DAY_COST",
            optional: true,
            in: 0...mostCost,
            "The most money a day (UTC), by the prices in ERRATA_TEACHERS, of which each role must have one. No bound by "
                + "default."
        )
        static let mostCost = 1e12
        /// The API key.
        public static let apiKey = ConfigurationKey<Secret>(
            "ERRATA_TEACHER_API_KEY",
            optional: true,
            "Sent as a bearer token; none is sent where it is not given."
        )
        /// The time that a call may take.
        public static let timeout = ConfigurationKey<Int>(
            "ERRATA_TEACHER_TIMEOUT_SECONDS",
            optional: true,
            in: 1...86_400,
            unit: "seconds",
            "How long the teacher may take for a whole answer; 600 by default, 1800 of the presets llama.cpp and ollama."
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
            url, model, preset, apiKey, teachers, timeout, maximumTokens, concurrency, attempts, inspectorRounds,
            classifyMistakes, parts, dayTokens, dayCost, prompts, duplicates, decontamination,
        ]
    }

    /// The service.
    public static let definition = ServiceDefinition(
        name: "teacher-ingestion",
        summary: "has the teacher work on problems and wrong attempts, and verifies what it answers",
        keys: EventService.keys + Keys.all,
        check: checkSettings,
        call: call
    ) { context in
        let configuration = context.configuration
        let service = try EventService(context)
        service.measure("teacher") { try await DatabaseFigures.teacher(in: $0) }
        let pauses = TeacherPauses(pool: service.pool, logger: context.logger)
        context.readiness.register("teacher") { try pauses.check() }
        let scope = try scope(configuration)
        let settings = scope.asks ? try settings(configuration) : [:]
        let asked: (teacher: any Teacher, services: [any Service]) =
            scope.asks
            ? try teacher(
                settings,
                configuration: configuration,
                pool: service.pool,
                pauses: pauses,
                logger: context.logger
            ) : (NoTeacher(), [])
        let ledger = StoredTeacherLedger(
            teacher: asked.teacher,
            pool: service.pool,
            prompts: try configuration.optionalValue(Keys.prompts).map {
                try PromptLibrary(folder: URL(filePath: $0, directoryHint: .isDirectory))
            } ?? .shipped,
            budget: TeacherBudget(
                dayTokens: try configuration.optionalValue(Keys.dayTokens),
                dayCost: try configuration.optionalValue(Keys.dayCost)
            ),
            prices: settings.compactMapValues(\.price),
            pauses: pauses,
            logger: context.logger
        )
        let processor = TeacherIngestionProcessor(
            pool: service.pool,
            ledger: ledger,
            options: TeachingOptions(
                attempts: try configuration.value(Keys.attempts),
                inspectorRounds: try configuration.value(Keys.inspectorRounds),
                classifiesMistakes: try configuration.value(Keys.classifyMistakes),
                temperatures: settings.compactMapValues(\.temperature)
            ),
            intake: IntakeOptions(
                findsDuplicates: try configuration.value(Keys.duplicates),
                decontamination: try configuration.value(Keys.decontamination).rule
            ),
            scope: scope,
            logger: context.logger
        )
        // The worker is the last to start and the first to stop: what it waits for outlives it.
        let services = try service.services(processor)
        return Array(services.dropLast()) + asked.services + Array(services.suffix(1))
    }

    static func scope(_ configuration: Configuration) throws -> TeachingScope {
        TeachingScope(try configuration.value(Keys.parts)) ?? .needed
    }

    @Sendable private static func checkSettings(_ configuration: Configuration) throws {
        guard try scope(configuration).asks else { return }
        let prices = try settings(configuration).compactMapValues(\.price)
        // The highest value stands in settings files of earlier versions for no bound.
        let bound = try configuration.optionalValue(Keys.dayCost) ?? Keys.mostCost
        if bound < Keys.mostCost, prices.count < TeacherRole.allCases.count {
            throw ConfigurationError("\(Keys.dayCost.name): \(TeacherBudget.withoutPrice(prices))")
        }
    }

    /// The settings of each role, from the file and the keys.
    static func settings(_ configuration: Configuration) throws -> [TeacherRole: TeacherSettings] {
        var keys = TeacherSettings()
        keys.url = try configuration.optionalValue(Keys.url)?.absoluteString
        keys.model = try configuration.optionalValue(Keys.model)
        keys.preset = TeacherPreset(rawValue: try configuration.value(Keys.preset))
        keys.timeoutSeconds = try configuration.optionalValue(Keys.timeout).map(Double.init)
        keys.maximumTokens = try configuration.optionalValue(Keys.maximumTokens)
        keys.concurrency = try configuration.value(Keys.concurrency)
        return try TeacherSettings.read(file: try configuration.optionalValue(Keys.teachers), keys: keys)
    }

    /// A teacher for all roles: those with the same settings are one, and those at one address share what it bears.
    ///
    /// - Returns: The teacher, and what must run for those of its roles that are asked in batches.
    private static func teacher(
        _ settings: [TeacherRole: TeacherSettings],
        configuration: Configuration,
        pool: PostgresPool,
        pauses: TeacherPauses,
        logger: Logger
    ) throws -> (teacher: any Teacher, services: [any Service]) {
        var gates: [ServerAddress: TeacherGate] = [:]
        var clients: [Double: HTTPClient] = [:]
        var teachers: [TeacherSettings: any Teacher] = [:]
        var services: [any Service] = []
        var roles: [TeacherRole: any Teacher] = [:]
        var places: [String: TeacherGreeting.Place] = [:]
        for (role, entry) in settings.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            if let known = teachers[entry] {
                roles[role] = known
                continue
            }
            let address = try entry.address(in: role.rawValue)
            if gates[address] == nil {
                let limits = try settings.values.filter { try $0.address(in: "") == address }.compactMap(\.concurrency)
                gates[address] = TeacherGate(limit: limits.min() ?? 8) { closure in
                    await pauses.changed("\(address)", reason: closure?.reason)
                }
            }
            let seconds = entry.connectSeconds ?? 10
            let client = clients[seconds] ?? CompletionServer.makeClient(connectTimeout: .seconds(seconds))
            clients[seconds] = client
            let gate = gates[address] ?? TeacherGate(limit: 8)
            let options = HTTPTeacher.Options(settings: entry, apiKey: try apiKey(for: entry, configuration))
            if let server = options.server(client) {
                let name = "\(address) \(entry.apiKeyFile ?? "")"
                places[name, default: .init(server: server, gate: gate, models: [])].models.insert(entry.model ?? "")
            }
            let teacher: any Teacher
            if let batch = entry.batch, batch.enabled ?? true {
                let batches = try BatchTeacher(
                    options: options,
                    plan: BatchPlan(batch),
                    client: client,
                    pool: pool,
                    gate: gate,
                    logger: logger
                )
                services.append(batches)
                teacher = batches
            } else {
                teacher = HTTPTeacher(options: options, client: client, gate: gate, logger: logger)
            }
            teachers[entry] = teacher
            roles[role] = teacher
        }
        guard let solver = roles[.solver] else { throw ConfigurationError("there is no teacher for the role solver") }
        services.append(TeacherGreeting(places: Array(places.values), logger: logger))
        return (RoleTeachers(roles, fallback: solver), services)
    }

    /// The key of ERRATA_TEACHER_API_KEY, which goes to the address of ERRATA_TEACHER_URL and nowhere else.
    static func apiKey(for entry: TeacherSettings, _ configuration: Configuration) throws -> String? {
        guard try entry.apiKeyFile == nil && entry.url == configuration.optionalValue(Keys.url)?.absoluteString else {
            return nil
        }
        return try configuration.optionalValue(Keys.apiKey)?.reveal()
    }
}
