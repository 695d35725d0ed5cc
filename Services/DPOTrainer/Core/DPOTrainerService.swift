import Distillation
import LanguageModel
import Logging
import RunTraining
import Schemas
import ServiceLifecycle
public import ServiceRuntime
import TensorEngine

/// How the service is configured and put together.
public enum DPOTrainerService {
    /// The service.
    public static let definition = ServiceDefinition(
        name: "dpo-trainer",
        summary:
            "trains the stages of runs that learn preferences: cross-model DPO on corrections of the student's own errors",
        keys: EventService.keys + EngineKeys.all + [ModelKeys.store, ModelKeys.workFolder, ExternalEngineKeys.file]
    ) { context in
        let service = try EventService(context)
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
            source: "/errata/dpo-trainer",
            logger: context.logger
        ) { $0.preferences != nil }
        context.metrics.register("training") { [gauges = training.gauges] in gauges.samples }
        // Corrections are rows and checkpoints are rows: this service reads no topic, but its events leave by the outbox.
        return try service.publishers() + [training.job.runner(holder: service.holder)]
    }
}
