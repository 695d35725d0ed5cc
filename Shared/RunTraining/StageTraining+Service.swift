import Distillation
import LanguageModel
import Logging
public import Schemas
public import ServiceRuntime
import TensorEngine

extension StageTraining {
    /// The keys of a service that trains.
    public static let keys: [any AnyConfigurationKey] =
        EngineKeys.all + [ModelKeys.store, ModelKeys.workFolder, ExternalEngineKeys.file]

    /// The training of a service as its configuration says; what it is at stands on the service's `/metrics`.
    ///
    /// Arguments:
    ///   - source: the sender of the checkpoint events, e.g. `/errata/dpo-trainer`.
    ///   - trains: the stages that are this service's.
    /// - Throws: `ConfigurationError`, or what else is wrong with ``keys``.
    public init(
        of service: EventService,
        in context: ServiceContext,
        source: String,
        trains: @escaping @Sendable (RunStage) -> Bool
    ) throws {
        let configuration = context.configuration
        let engine = try EngineSettings.adopt(
            threads: configuration.value(EngineKeys.threads),
            kernels: configuration.value(EngineKeys.kernels)
        )
        context.logger.info("computes", metadata: ["engine": "\(engine)"])
        self.init(
            pool: service.pool,
            store: try ModelStore(root: try configuration.folder(ModelKeys.store)),
            workFolder: try configuration.folder(ModelKeys.workFolder),
            engines: try EngineCatalog(file: configuration.value(ExternalEngineKeys.file)),
            source: source,
            logger: context.logger,
            trains: trains
        )
        context.metrics.register("training") { [gauges] in gauges.samples }
    }
}
