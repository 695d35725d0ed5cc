import LanguageModel
public import ServiceRuntime

/// How the service is configured and put together.
public enum KeyStepLocatorService {
    /// The service.
    public static let definition = ServiceDefinition(
        name: "key-step-locator",
        summary: "locates the key steps of dual pairs, over words and over the tokens of students",
        keys: EventService.keys + [ModelKeys.store]
    ) { context in
        let service = try EventService(context)
        let store = try ModelStore(root: try context.configuration.folder(ModelKeys.store))
        let processor = KeyStepLocatorProcessor(
            pool: service.pool,
            tokenizers: StoredTokenizers(store: store),
            logger: context.logger
        )
        return try service.services(processor)
    }
}
