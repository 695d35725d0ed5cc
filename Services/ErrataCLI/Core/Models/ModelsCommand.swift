import ArgumentParser

/// `errata models`: brings models in, shows them, and gives them out.
struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "Bring models in, look at them, and give them out.",
        discussion: """
            A model has a hash, which follows from its files, and any number of names. Both can be used wherever a model \
            is named. The models lie in the folder that ERRATA_MODEL_STORE names, or else in the state folder's \
            "models"; no broker is needed, and no running system.
            """,
        subcommands: [
            ModelsAddCommand.self, ModelsCreateCommand.self, ModelsListCommand.self, ModelsShowCommand.self,
            ModelsExportCommand.self,
            ModelsRenameCommand.self, ModelsRemoveCommand.self, ModelsRenderCommand.self,
        ]
    )
}
