import Distillation
import LanguageModel
import Logging
import ServiceLifecycle
public import ServiceRuntime
import TensorEngine

/// How the service is configured and put together.
public enum TemplateDistillerService {
    /// The service.
    public static let definition = ServiceDefinition(
        name: "template-distiller",
        summary: "trains stage one of runs: thought templates (HSFT), then key steps (KRSL); and the plain arm",
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
        let training = StageOneTraining(pool: service.pool, trainer: trainer, logger: context.logger)
        let services: [any Service] = try service.services(RunProcessor(store: store))
        return services + [training.job.runner(holder: service.holder)]
    }
}
