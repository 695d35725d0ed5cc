import Foundation
import LanguageModel
import ServiceLifecycle
public import ServiceRuntime

/// How the service is configured and put together.
public enum TemplateDistillerService {
    /// The service.
    public static let definition = ServiceDefinition(
        name: "template-distiller",
        summary: "trains stage one of runs: thought templates (HSFT), then key steps (KRSL); and the plain arm",
        keys: EventService.keys + [ModelKeys.store, ModelKeys.workFolder]
    ) { context in
        let service = try EventService(context)
        let configuration = context.configuration
        let store = try ModelStore(
            root: URL(filePath: try configuration.value(ModelKeys.store), directoryHint: .isDirectory)
        )
        let training = StageOneTraining(
            pool: service.pool,
            store: store,
            workFolder: URL(filePath: try configuration.value(ModelKeys.workFolder), directoryHint: .isDirectory),
            logger: context.logger
        )
        let services: [any Service] = try service.services(RunProcessor(store: store))
        return services + [training.runner(holder: service.holder)]
    }
}
