import DataSupport
import Distillation
import Foundation
import LanguageModel
import Reasoning
import TensorEngine
import Testing
import Tokenization
import Training

/// A small student that was taught to answer every question with the same text.
struct Parrot {
    let model: CausalLanguageModel
    let codec: StudentCodec

    /// Teaches a student; one that is taught nothing writes at random.
    init(says text: String?, format: StudentFormat = .chainOfThought) throws {
        (model, codec) = try withTemporaryFolder { folder in
            let store = try ModelStore(root: folder.appending(path: "models"))
            let created = try StudentFactory.create(
                texts: Array(repeating: "Q: Is 2 even?\nA: 2+2=4\n2+3=5\n#### 5", count: 10),
                size: StudentFactory.Size(hidden: 16, layers: 1, heads: 2, intermediate: 24, vocabulary: 340),
                seed: 1,
                in: store
            )
            let codec = try StudentCodec(try Tokenizer(folder: created.folder))
            guard let text else { return (try CausalLanguageModel.load(folder: created.folder), codec) }
            let examples = try (0..<8).map { number in
                codec.supervised(prompt: try codec.prompt(format, question: "Is \(number) even?"), response: text)
            }
            let options = TrainingOptions(learningRate: 2e-2, epochs: 60, batchSequences: 8, schedule: .constant)
            let trained = try StageTrainer(store: store, workFolder: folder.appending(path: "work"))
                .supervised(from: created.hash, name: "parrot", examples: examples, options: options) { _ in }
            return (try CausalLanguageModel.load(folder: trained.stored.folder), codec)
        }
    }

    var solver: StudentSolver { StudentSolver(model: model, codec: codec) }
}
