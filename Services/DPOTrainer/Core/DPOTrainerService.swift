import RunTraining
import Schemas
import ServiceLifecycle
public import ServiceRuntime

/// How the service is configured and put together.
public enum DPOTrainerService {
    /// The service.
    public static let definition = ServiceDefinition(
        name: "dpo-trainer",
        summary:
            "trains the stages of runs that learn preferences: cross-model DPO on corrections of the student's own errors",
        keys: EventService.senderKeys + StageTraining.keys
    ) { context in
        let service = try EventService(context)
        let training = try StageTraining(of: service, in: context, source: "/errata/dpo-trainer") {
            $0.preferences != nil
        }
        // Corrections are rows and checkpoints are rows: this service reads no topic, but its events leave by the outbox.
        return try service.publishers() + [training.job.runner(holder: service.holder)]
    }
}
