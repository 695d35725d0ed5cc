import LanguageModel
import TensorEngine
import Tokenization
import Training

/// A student and examples that are small enough to train in a test.
enum SmallStudent {
    static func model(threads: Int = 2) throws -> CausalLanguageModel {
        try CausalLanguageModel(
            configuration: ModelConfiguration(
                vocabularySize: 40,
                hiddenSize: 32,
                intermediateSize: 48,
                layers: 2,
                heads: 4,
                keyValueHeads: 2
            ),
            seed: 1,
            context: ComputeContext(threads: threads)
        )
    }

    static func examples() -> [SupervisedExample] {
        var generator = SeededGenerator(seed: 2)
        return (0..<30).map { (index: Int) -> SupervisedExample in
            var prompt: [TokenID] = []
            for _ in 0..<3 + index % 5 { prompt.append(TokenID(generator.next() % 40)) }
            var response: [TokenID] = []
            for offset in 0..<2 + index % 7 { response.append(TokenID((index + offset) % 40)) }
            return SupervisedExample(prompt: prompt, response: response)
        }
    }
}
