import Distillation
import LanguageModel
import Logging
import ServiceLifecycle
public import ServiceRuntime
import TensorEngine

/// How the service is configured and put together.
public enum EvaluatorService {
    /// The sender of the events.
    static let source = "/errata/evaluator"

    /// The service.
    public static let definition = ServiceDefinition(
        name: "evaluator",
        summary: "scores checkpoints on suites, publishes evaluations, and lets students attempt training problems",
        keys: EventService.keys + EngineKeys.all + [ModelKeys.store, StudentEndpointKeys.file]
    ) { context in
        let service = try EventService(context)
        service.measure("evaluation") { try await DatabaseFigures.evaluation(in: $0) }
        let engine = try EngineSettings.adopt(
            threads: context.configuration.value(EngineKeys.threads),
            kernels: context.configuration.value(EngineKeys.kernels)
        )
        context.logger.info("computes", metadata: ["engine": "\(engine)"])
        let store = try ModelStore(root: try context.configuration.folder(ModelKeys.store))
        let endpoints = try StudentEndpoint.read(file: context.configuration.value(StudentEndpointKeys.file))
        // One piece at a time: decoding takes all cores by itself.
        let work = EvaluationWork(
            pool: service.pool,
            students: Students(store: store, endpoints: endpoints),
            logger: context.logger
        )
        let services: [any Service] = try service.services(CheckpointProcessor(pool: service.pool))
        return services + [work.runner(holder: service.holder)]
    }
}
