import Foundation
import LanguageModel
public import ServiceRuntime

/// How the service is configured and put together.
public enum KeyStepLocatorService {
    /// The keys of the service's own.
    public enum Keys {
        /// The model store.
        public static let modelStore = ConfigurationKey<String>(
            "ERRATA_MODEL_STORE",
            optional: false,
            "The folder of the model store, which the services share."
        )

        /// All of them.
        public static let all: [any AnyConfigurationKey] = [modelStore]
    }

    /// The service.
    public static let definition = ServiceDefinition(
        name: "key-step-locator",
        summary: "locates the key steps of dual pairs, over words and over the tokens of students",
        keys: EventService.keys + Keys.all
    ) { context in
        let service = try EventService(context)
        let root = URL(filePath: try context.configuration.value(Keys.modelStore), directoryHint: .isDirectory)
        let processor = KeyStepLocatorProcessor(
            pool: service.pool,
            tokenizers: StoredTokenizers(store: try ModelStore(root: root)),
            logger: context.logger
        )
        return try service.services(processor)
    }
}
