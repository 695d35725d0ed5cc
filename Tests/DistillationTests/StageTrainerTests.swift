import DataSupport
import Foundation
import LanguageModel
import ModelFiles
import NumericSupport
import Synchronization
import TensorEngine
import Testing
import Tokenization
import Training

@testable import Distillation

@Suite("Stages that are taken up again")
struct StageTrainerTests {
    private struct Interruption: Error {}

    private final class Notices: Sendable {
        private let list = Mutex<[String]>([])
        var all: [String] { list.withLock { $0 } }
        func add(_ text: String) { list.withLock { $0.append(text) } }
    }

    /// A store with one small student, and a trainer that saves its state after every update unless told otherwise.
    private func bench(
        in folder: URL,
        saveInterval: Duration = .zero
    ) throws -> (trainer: StageTrainer, model: String, work: URL) {
        let store = try ModelStore(root: folder.appending(path: "models"))
        let tokenizer = try BytePairTrainer().train(["the cat and the hat"], vocabularySize: 262)
        let model = try CausalLanguageModel(
            configuration: ModelConfiguration(
                vocabularySize: 300,
                hiddenSize: 16,
                intermediateSize: 24,
                layers: 1,
                heads: 2
            ),
            seed: 1,
            context: ComputeContext(threads: 1)
        )
        let work = folder.appending(path: "work")
        return (
            StageTrainer(store: store, workFolder: work, saveInterval: saveInterval, threads: 1),
            try StudentFolder.store(model, tokenizer: tokenizer, in: store).hash, work
        )
    }

    private let examples = (0..<6).map {
        SupervisedExample(prompt: [1, 2, TokenID($0)], response: [7, 8, TokenID($0)])
    }
    private let options = TrainingOptions(learningRate: 1e-3, maximumSteps: 5, batchSequences: 2, seed: 1)

    @Test(
        "an orderly stop keeps the update that it comes after; no other end does, nor one after the work went elsewhere",
        arguments: [true, false]
    )
    func orderlyStop(isHeld: Bool) throws {
        try withTemporaryFolder { folder in
            let (trainer, model, work) = try bench(in: folder, saveInterval: .seconds(3600))
            let state = work.appending(path: "r1-hsft.state")
            func stop(_ error: any Error) -> (any Error)? {
                #expect(throws: (any Error).self) {
                    try trainer.supervised(
                        from: model,
                        name: "r1-hsft",
                        examples: examples,
                        options: options,
                        fence: { if !isHeld { throw Interruption() } }
                    ) { if $0.step == 3 { throw error } }
                }
            }
            #expect(stop(Interruption()) is Interruption)
            #expect(!FileManager.default.fileExists(atPath: state.path))
            let error = stop(CancellationError())
            #expect(error is CancellationError == isHeld && error is Interruption != isHeld)
            let saved = (try? SafetensorsFile(url: state))?.metadata["step"]
            #expect(saved == (isHeld ? "3" : nil))
        }
    }

    @Test(
        "the new model is written in the type that is asked for, and rounded to nearest",
        arguments: [
            (SavedType.float32, "float32"), (.bfloat16, "bfloat16"), (.float16, "float16"), (.auto, "float32"),
        ]
    )
    func savedType(type: SavedType, name: String) throws {
        try withTemporaryFolder { folder in
            let (trainer, model, _) = try bench(in: folder)
            func train(_ type: SavedType) throws -> URL {
                try trainer.supervised(
                    from: model,
                    name: "r1-\(type)",
                    examples: examples,
                    options: options,
                    savedType: type
                ) { _ in }.stored.folder
            }
            let (exact, written) = (try train(.float32), try train(type))
            #expect(try ModelConfiguration(folder: written).torchDtype == name)
            func values(_ folder: URL) throws -> [Float] {
                try CausalLanguageModel.load(folder: folder).parameters.flatMap { $0.tensor.values }
            }
            let relative: Float = name == "bfloat16" ? 1 / 256 : name == "float16" ? 1 / 2048 : 0
            for (kept, full) in zip(try values(written), try values(exact)) {
                #expect(abs(kept - full) <= max(abs(full) * relative, relative == 0 ? 0 : 6e-8))
            }
        }
    }

    @Test("state of other work under the same name is set aside with a notice, and gone when the stage is forgotten")
    func otherWork() throws {
        try withTemporaryFolder { folder in
            let (trainer, model, work) = try bench(in: folder)
            let state = work.appending(path: "r1-hsft.state")
            let unused = work.appending(path: "r1-hsft.state.unused")
            func exists(_ file: URL) -> Bool { FileManager.default.fileExists(atPath: file.path) }
            func train(_ options: TrainingOptions, _ notices: Notices, until last: Int) throws -> StageTrainer.Trained {
                try trainer.supervised(
                    from: model,
                    name: "r1-hsft",
                    examples: examples,
                    options: options,
                    onNotice: notices.add
                ) { if $0.step == last { throw Interruption() } }
            }
            let notices = Notices()
            #expect(throws: Interruption.self) { try train(options, notices, until: 3) }
            #expect(exists(state) && notices.all.isEmpty)
            let saved = try Data(contentsOf: state)

            var other = options
            other.learningRate = 2e-3
            #expect(throws: Interruption.self) { try train(other, notices, until: 1) }
            #expect(notices.all.count == 1)
            let notice = try #require(notices.all.first)
            #expect(notice.contains("learningRate is 0.001 there and 0.002 here"), "\(notice)")
            #expect(notice.contains("r1-hsft begins anew") && notice.contains(unused.path))
            #expect(try Data(contentsOf: unused) == saved, "what was saved is kept")

            let trained = try train(other, notices, until: 100)
            #expect(trained.steps == 5 && notices.all.count == 1)
            #expect(exists(state), "a process that ends before the model is written down leaves it to the next")
            trainer.forget("r1-hsft")
            #expect(!exists(state) && !exists(unused))
        }
    }

    @Test(
        "a damaged state is set aside with a notice, and the stage begins anew",
        arguments: ["cut", "a bad header", "an unknown type of numbers", "whole numbers"]
    )
    func damaged(kind: String) throws {
        try withTemporaryFolder { folder in
            let (trainer, model, work) = try bench(in: folder)
            let state = work.appending(path: "r1-hsft.state")
            let notices = Notices()
            func train(until last: Int) throws -> StageTrainer.Trained {
                try trainer.supervised(
                    from: model,
                    name: "r1-hsft",
                    examples: examples,
                    options: options,
                    onNotice: notices.add
                ) { if $0.step == last { throw Interruption() } }
            }
            #expect(throws: Interruption.self) { try train(until: 3) }
            var damaged = try Data(contentsOf: state)
            switch kind {
            case "cut": damaged = Data(damaged.prefix(6))
            case "a bad header": damaged.replaceSubrange(8..<16, with: Data(count: 8))
            default:
                let type = try #require(damaged.range(of: Data("\"F32\"".utf8), options: .backwards))
                damaged.replaceSubrange(type, with: Data((kind == "whole numbers" ? "\"I32\"" : "\"X32\"").utf8))
            }
            try damaged.write(to: state)
            let trained = try train(until: 100)
            #expect(trained.steps == 5)
            let notice = try #require(notices.all.first)
            #expect(notices.all.count == 1 && notice.contains("r1-hsft begins anew"), "\(notice)")
            let unused = try Data(contentsOf: work.appending(path: "r1-hsft.state.unused"))
            #expect(unused == damaged, "what there was is kept")

            trainer.forget("r1-hsft")
            let undisturbed = try train(until: 100)
            #expect(trained.stored.hash == undisturbed.stored.hash, "nothing of the damaged state went into the model")
        }
    }

    @Test(
        "an adapter changes the checkpoint by its own shape alone, and its training is taken up again to the same bits"
    )
    func adapters() throws {
        try withTemporaryFolder { folder in
            let (trainer, parent, _) = try bench(in: folder)
            let adapter = LoRAConfiguration(rank: 2, alpha: 4, targets: [.query, .down])
            func train(_ name: String, until last: Int = 100) throws -> StageTrainer.Trained {
                try trainer.supervised(
                    from: parent,
                    name: name,
                    examples: examples,
                    options: options,
                    adapter: adapter
                ) { if $0.step == last { throw Interruption() } }
            }
            let whole = try train("whole")
            #expect(throws: Interruption.self) { try train("parts", until: 3) }
            let parts = try train("parts")
            #expect(parts.stored.hash == whole.stored.hash && parts.steps == 5)

            let store = try ModelStore(root: folder.appending(path: "models"))
            func weights(_ hash: String) throws -> [String: [Float]] {
                let model = try CausalLanguageModel.load(folder: store.folder(hash))
                return Dictionary(uniqueKeysWithValues: model.parameters.map { ($0.name, $0.tensor.values) })
            }
            let (before, after) = (try weights(parent), try weights(whole.stored.hash))
            let changed = before.keys.filter { before[$0] != after[$0] }.sorted()
            #expect(changed.count == 2 && changed.allSatisfy { $0.contains("q_proj") || $0.contains("down_proj") })
        }
    }

    @Test("who lost the work to another process writes no state and no model any more")
    func fenced() throws {
        struct Lost: Error {}
        try withTemporaryFolder { folder in
            let (trainer, parent, work) = try bench(in: folder)
            let state = work.appending(path: "r1-hsft.state")
            var asked = 0
            func train(fencedFrom last: Int) throws -> StageTrainer.Trained {
                asked = 0
                return try trainer.supervised(
                    from: parent,
                    name: "r1-hsft",
                    examples: examples,
                    options: options,
                    fence: {
                        asked += 1
                        if asked >= last { throw Lost() }
                    },
                    onStep: { _ in }
                )
            }
            #expect(throws: Lost.self) { try train(fencedFrom: 1) }
            #expect(!FileManager.default.fileExists(atPath: state.path), "the first state")
            #expect(throws: Lost.self) { try train(fencedFrom: 3) }
            let kept = try Data(contentsOf: state)
            #expect(throws: Lost.self) { try train(fencedFrom: 1) }
            #expect(try Data(contentsOf: state) == kept, "the state of who has the work now")

            let store = try ModelStore(root: folder.appending(path: "models"))
            let models = try store.hashes()
            // Asked for the states of the steps that are left but the last one, and for the model.
            #expect(throws: Lost.self) { try train(fencedFrom: 3) }
            #expect(try store.hashes() == models, "no model")
            #expect(try train(fencedFrom: 100).steps == 5)
        }
    }
}
