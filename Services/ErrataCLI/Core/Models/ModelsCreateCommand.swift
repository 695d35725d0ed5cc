import ArgumentParser
import Distillation
import LanguageModel
import Schemas

/// `errata models create`.
struct ModelsCreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a tiny student from nothing, to try the system with.",
        discussion: """
            Its tokenizer is trained on the questions and solutions of FILE, its weights are random: about 0.65 million \
            parameters, which train in minutes. It learns the form of answers and little else. The same file and seed \
            make the same model.
            """
    )

    @OptionGroup var models: ModelStoreOptions

    @Argument(help: "Problems as `errata submit` reads them, or - for standard input.")
    var file: String

    @Option(help: "A name for the model.")
    var name: String?

    @Option(help: "The seed of the weights.")
    var seed: UInt64 = 1

    func run() throws {
        // What is wrong with the name is told before work is done.
        if let name { try ModelStore.checkName(name) }
        let place = InputFile.place(file)
        var texts: [String] = []
        for (number, line) in try ProblemLines.read(file) {
            do {
                // Neither data set nor split says anything about a text.
                let problem = try ProblemLines.event(of: line, dataset: "none", split: .train)
                texts.append(problem.question)
                if let solution = problem.solution { texts.append(solution) }
            } catch {
                throw CLIError("\(place):\(number): \(error)")
            }
        }
        guard !texts.isEmpty else { throw CLIError("\(place) holds no problems to make a tokenizer of") }
        let store = try models.store()
        let created = try StudentFactory.create(texts: texts, size: .demo, seed: seed, in: store)
        try store.note(ModelRecord.Origin(source: "errata models create"), of: created.hash)
        if let name { try store.setName(name, for: created.hash) }
        Terminal.out("\(created.hash)  \(try store.names(of: created.hash).joined(separator: ", "))")
    }
}
