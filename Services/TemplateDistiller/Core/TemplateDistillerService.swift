import Distillation
import LanguageModel
import Logging
import RunTraining
import Schemas
import ServiceLifecycle
public import ServiceRuntime
import TensorEngine

/// How the service is configured and put together.
public enum TemplateDistillerService {
    /// The service.
    public static let definition = ServiceDefinition(
        name: "template-distiller",
        summary:
            "takes up runs and their rounds, judges candidates, trains the stages on whole responses and key steps, and "
            + "collects what is kept no longer",
        keys: EventService.keys + EngineKeys.all + [ModelKeys.store, ModelKeys.workFolder, ExternalEngineKeys.file]
            + RetentionKeys.all
    ) { context in
        let service = try EventService(context)
        service.measure("training-jobs") { try await DatabaseFigures.training(in: $0) }
        let configuration = context.configuration
        let engine = try EngineSettings.adopt(
            threads: configuration.value(EngineKeys.threads),
            kernels: configuration.value(EngineKeys.kernels)
        )
        context.logger.info("computes", metadata: ["engine": "\(engine)"])
        let store = try ModelStore(root: try configuration.folder(ModelKeys.store))
        let training = StageTraining(
            pool: service.pool,
            store: store,
            workFolder: try configuration.folder(ModelKeys.workFolder),
            engines: try EngineCatalog(file: configuration.value(ExternalEngineKeys.file)),
            source: RunProcessor.source,
            logger: context.logger
        ) { $0.preferences == nil }
        context.metrics.register("training") { [gauges = training.gauges] in gauges.samples }
        let rounds = RoundKeeper(pool: service.pool, store: store, logger: context.logger)
        let services: [any Service] = try service.services(
            RunProcessor(pool: service.pool, store: store, logger: context.logger)
        )
        let retention = RetentionService(
            Retention(pool: service.pool, store: store, policy: try RetentionPolicy(configuration)),
            pool: service.pool,
            holder: service.holder,
            interval: try configuration.value(RetentionKeys.interval),
            logger: context.logger
        )
        return services + [
            training.job.runner(holder: service.holder), rounds.runner(holder: service.holder), retention,
        ]
    }
}
