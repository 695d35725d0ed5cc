import ArgumentParser
import LanguageModel

/// The LoRA adapter that a training trains in place of the model's own weights.
struct TrainAdapterOptions: ParsableArguments {
    @Option(help: "Train a LoRA adapter of this rank; the model's own weights stay as they are.")
    var loraRank: Int?

    @Option(help: "Numerator of the adapter's scaling. Default: twice the rank.")
    var loraAlpha: Double?

    @Option(help: "Chance of an element of the adapter's input to become 0 while training. Default: 0.")
    var loraDropout: Double?

    @Option(help: "The layers that are changed, by comma: q_proj, k_proj, …, or all-linear. Default: all-linear.")
    var loraTargets: String?

    func validate() throws {
        guard let loraRank else {
            let given = [
                ("--lora-alpha", loraAlpha != nil), ("--lora-dropout", loraDropout != nil),
                ("--lora-targets", loraTargets != nil),
            ].first { $0.1 }
            if let given { throw ValidationError("\(given.0) has no effect without --lora-rank; give both") }
            return
        }
        do {
            _ = try configuration(rank: loraRank, baseModel: nil)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    /// The adapter's configuration; nil where the model itself is trained.
    func configuration(baseModel: String) throws -> LoRAConfiguration? {
        try loraRank.map { try configuration(rank: $0, baseModel: baseModel) }
    }

    private func configuration(rank: Int, baseModel: String?) throws -> LoRAConfiguration {
        let names = (loraTargets ?? "all-linear").split(separator: ",").map { $0.filter { $0 != " " } }
        let configuration = LoRAConfiguration(
            rank: rank,
            alpha: loraAlpha ?? 2 * Double(rank),
            dropout: loraDropout ?? 0,
            targets: try LoRAConfiguration.targets(named: names, place: "--lora-targets"),
            baseModel: baseModel
        )
        try configuration.validate(place: "--lora-rank, --lora-alpha, --lora-dropout")
        return configuration
    }
}
