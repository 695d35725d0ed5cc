import DataSupport
import Foundation
import LanguageModel
import ModelFiles
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import Training

@Suite("Which run a checkpoint is of")
struct RunFingerprintTests {
    /// The stored properties of an options type: a field that is forgotten would let a run go on as another.
    private func properties(_ value: Any) -> [String] { Mirror(reflecting: value).children.compactMap(\.label) }

    @Test("every option is a field of its own")
    func complete() {
        let options = TrainingOptions(learningRate: 1e-3)
        #expect(options.fingerprint.map(\.name) == properties(options))
        let preference = PreferenceOptions()
        #expect(preference.fingerprint.map(\.name) == properties(preference).map { "preference." + $0 })
    }

    @Test("the text of a run is what it was when its version was given")
    func text() {
        let options = TrainingOptions(learningRate: 1e-3, maximumSteps: 7, batchTokens: 512, seed: 9)
        let run = RunFingerprint(
            [.init("trainer", "preference")] + PreferenceOptions(beta: 0.5).fingerprint + options.fingerprint
        )
        // Changing this text changes whether running trainings are taken up: raise the version only on purpose.
        #expect(
            run.text == """
                version 2
                trainer preference
                preference.loss sigmoid
                preference.beta 0.5
                preference.labelSmoothing 0.0
                preference.nllWeight 0.0
                preference.supervisedWeight 0.0
                preference.simpoMargin 0.0
                preference.sharesPrefixes true
                learningRate 0.001
                epochs 1.0
                maximumTokens none
                maximumSteps 7
                batchSequences 32
                batchTokens 512
                accumulation 1
                tokensAtOnce 8192
                checkpointsActivations false
                precision float32
                schedule cosine
                warmupRatio 0.0
                weightDecay 0.0
                beta1 0.9
                beta2 0.999
                epsilon 1e-08
                maxGradientNorm 1.0
                normalization responseTokens
                negativeTokens likelihood
                negativeThreshold none
                shuffle true
                seed 9
                """
        )
        #expect(run.difference(from: run.text) == nil)
    }

    @Test("a difference names what differs, and another version is said to be one")
    func differences() throws {
        let run = RunFingerprint([.init("a", 1), .init("b", "x"), .init("c", nil as Int?)])
        let other = RunFingerprint([.init("a", 2), .init("b", "x"), .init("d", "new")])
        let text = try #require(run.difference(from: other.text))
        #expect(
            text.hasPrefix("belongs to another run: a is 2 there and 1 here, c is absent there and none here, d is new")
        )
        for old in [
            "", "supervised 30 ab12 {\"learningRate\":1}", "version 1\na 1",
            run.text.replacing("version 2", with: "version 3"),
        ] {
            #expect(run.difference(from: old)?.contains("another version") == true)
        }
    }

    @Test("a checkpoint of an earlier version is refused and left as it is, as is the model")
    func earlierVersion() throws {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "run.state")
            let options = TrainingOptions(learningRate: 1e-3, maximumSteps: 4)
            func trainer(_ options: TrainingOptions) throws -> (CausalLanguageModel, SupervisedTrainer) {
                let model = try SmallStudent.model()
                return (model, try SupervisedTrainer(model: model, examples: SmallStudent.examples(), options: options))
            }
            let (_, first) = try trainer(options)
            _ = try first.run()
            try first.saveCheckpoint(to: file)
            var other = options
            other.warmupRatio = 0.5
            other.seed = 4
            let (model, second) = try trainer(other)
            let before = model.parameters.map(\.tensor.values)
            let bytes = try Data(contentsOf: file)
            let error = #expect(throws: TrainingError.self) { try second.resume(from: file) }
            let message = error.map { "\($0)" } ?? ""
            #expect(message.contains("warmupRatio is 0.0 there and 0.5 here, seed is 0 there and 4 here"), "\(message)")
            // The same file as an earlier version would have written it.
            let old = folder.appending(path: "old.state")
            try SafetensorsWriter.write(
                [
                    SafetensorsWriter.Item(name: "weight/x", shape: [1]) { body in try [1].withUnsafeBufferPointer(body)
                    }
                ],
                metadata: [
                    "format": "errata-training-1", "step": "4", "updates": "4", "tokens": "1",
                    "run": "supervised 30 ab {\"learningRate\":0.001}",
                ],
                to: old
            )
            let older = #expect(throws: TrainingError.self) { try second.resume(from: old) }
            #expect(older.map { "\($0)".contains("written by another version") } == true)
            #expect(model.parameters.map(\.tensor.values) == before && second.step == 0)
            #expect(try Data(contentsOf: file) == bytes)
        }
    }
}
