import LanguageModel
public import ServiceRuntime

/// How the service is configured and put together.
public enum EvaluatorService {
    /// The service.
    public static let definition = ServiceDefinition(
        name: "evaluator",
        summary: "scores checkpoints on suites, publishes evaluations, and lets students attempt training problems",
        keys: EventService.keys + [ModelKeys.store]
    ) { context in
        let service = try EventService(context)
        let processor = CheckpointProcessor(
            pool: service.pool,
            store: try ModelStore(root: try context.configuration.folder(ModelKeys.store)),
            logger: context.logger
        )
        // One checkpoint at a time: decoding takes all cores by itself.
        return try service.services(processor, concurrency: 1)
    }
}
