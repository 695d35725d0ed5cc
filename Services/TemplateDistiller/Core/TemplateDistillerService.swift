import LanguageModel
import Logging
import RunTraining
import Schemas
import ServiceLifecycle
public import ServiceRuntime

/// How the service is configured and put together.
public enum TemplateDistillerService {
    /// The service.
    public static let definition = ServiceDefinition(
        name: "template-distiller",
        summary:
            "takes up runs and their rounds, judges candidates, trains the stages on whole responses and key steps, and "
            + "collects what is kept no longer",
        keys: EventService.keys + StageTraining.keys + RetentionKeys.all
    ) { context in
        let service = try EventService(context)
        service.measure("training-jobs") { try await DatabaseFigures.training(in: $0) }
        let training = try StageTraining(of: service, in: context, source: RunProcessor.source) {
            $0.preferences == nil
        }
        let store = training.store
        let rounds = RoundKeeper(pool: service.pool, store: store, logger: context.logger)
        let services: [any Service] = try service.services(
            RunProcessor(pool: service.pool, store: store, logger: context.logger)
        )
        let retention = RetentionService(
            Retention(pool: service.pool, store: store, policy: try RetentionPolicy(context.configuration)),
            pool: service.pool,
            holder: service.holder,
            interval: try context.configuration.value(RetentionKeys.interval),
            logger: context.logger
        )
        return services + [
            training.job.runner(holder: service.holder), rounds.runner(holder: service.holder), retention,
        ]
    }
}
