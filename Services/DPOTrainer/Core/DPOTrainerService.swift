import Distillation
import LanguageModel
import Logging
import ServiceLifecycle
public import ServiceRuntime
import TensorEngine

/// How the service is configured and put together.
public enum DPOTrainerService {
    /// The service.
    public static let definition = ServiceDefinition(
        name: "dpo-trainer",
        summary: "trains stage two of runs: cross-model DPO on the teacher's corrections of the student's own errors",
        keys: EventService.keys + EngineKeys.all + [ModelKeys.store, ModelKeys.workFolder]
    ) { context in
        let service = try EventService(context)
        let configuration = context.configuration
        let engine = try EngineSettings.adopt(
            threads: configuration.value(EngineKeys.threads),
            kernels: configuration.value(EngineKeys.kernels)
        )
        context.logger.info("computes", metadata: ["engine": "\(engine)"])
        let store = try ModelStore(root: try configuration.folder(ModelKeys.store))
        let trainer = StageTrainer(store: store, workFolder: try configuration.folder(ModelKeys.workFolder))
        let training = PreferenceTraining(pool: service.pool, trainer: trainer, logger: context.logger)
        // Corrections are rows and checkpoints are rows: this service reads no topic, but its events leave by the outbox.
        return try service.publishers() + [training.job.runner(holder: service.holder)]
    }
}
