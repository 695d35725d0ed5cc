import Distillation
import LanguageModel
import Logging
public import ServiceRuntime
import TensorEngine

/// How the service is configured and put together.
public enum EvaluatorService {
    /// The service.
    public static let definition = ServiceDefinition(
        name: "evaluator",
        summary: "scores checkpoints on suites, publishes evaluations, and lets students attempt training problems",
        keys: EventService.keys + EngineKeys.all + [ModelKeys.store]
    ) { context in
        let service = try EventService(context)
        let engine = try EngineSettings.adopt(
            threads: context.configuration.value(EngineKeys.threads),
            kernels: context.configuration.value(EngineKeys.kernels)
        )
        context.logger.info("computes", metadata: ["engine": "\(engine)"])
        let processor = CheckpointProcessor(
            pool: service.pool,
            store: try ModelStore(root: try context.configuration.folder(ModelKeys.store)),
            logger: context.logger
        )
        // One checkpoint at a time: decoding takes all cores by itself.
        return try service.services(processor, concurrency: 1)
    }
}
