import Foundation
import LanguageModel
import Synchronization
import TensorEngine
import Testing
import Tokenization
import Training

@Suite("Stored reference log-probabilities")
struct ReferenceStoreTests {
    private final class Notices: Sendable {
        private let list = Mutex<[String]>([])
        var all: [String] { list.withLock { $0 } }
        func add(_ text: String) { list.withLock { $0.append(text) } }
    }

    private let pairs = (0..<6).map { index in
        PreferenceExample(
            id: "\(index)",
            prompt: [1, 2, TokenID(index)],
            chosen: [5, 6, TokenID(index)],
            rejected: [7],
            chosenWeights: index == 2 ? [1, 0.5, 2] : nil
        )
    }

    private func withFile(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("errata-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.appendingPathComponent("reference.jsonl"))
    }

    private func trainer(
        _ pairs: [PreferenceExample],
        reference: CausalLanguageModel,
        store: ReferenceStore?
    ) throws -> PreferenceTrainer {
        try PreferenceTrainer(
            model: reference.copy(),
            reference: reference,
            pairs: pairs,
            options: TrainingOptions(learningRate: 1e-3),
            store: store
        )
    }

    private func other() throws -> CausalLanguageModel {
        let model = try SmallStudent.model()
        model.parameters[0].tensor.withMutableValues { $0[3] += 0.5 }
        return model
    }

    @Test("a second run takes the stored values and computes none")
    func reuse() throws {
        try withFile { file in
            let model = try SmallStudent.model()
            let notices = Notices()
            let store = ReferenceStore(url: file, onNotice: notices.add)
            let first = try trainer(pairs, reference: model, store: store)
            #expect(first.pairs.allSatisfy { $0.referenceHash == model.contentHash() })
            #expect(try trainer(pairs, reference: model, store: nil).pairs == first.pairs)
            #expect(try trainer(pairs.reversed(), reference: model, store: store).pairs == first.pairs.reversed())
            // What no model says must come from the file.
            let text = try String(contentsOf: file, encoding: .utf8)
            let changed = text.replacing(/"chosen":[^,]*/, with: "\"chosen\":-123.5")
            try changed.write(to: file, atomically: true, encoding: .utf8)
            let second = try trainer(pairs, reference: model, store: store)
            #expect(second.pairs.allSatisfy { $0.referenceChosen == -123.5 })
            #expect(notices.all.isEmpty)
        }
    }

    @Test("values of another reference are computed again, with a reason, and stay for their own")
    func otherReference() throws {
        try withFile { file in
            let notices = Notices()
            let store = ReferenceStore(url: file, onNotice: notices.add)
            let (model, other) = (try SmallStudent.model(), try other())
            #expect(model.contentHash() != other.contentHash())
            let first = try trainer(pairs, reference: model, store: store)
            let second = try trainer(pairs, reference: other, store: store)
            #expect(notices.all.count == 1)
            #expect(notices.all.first?.contains("6 pairs under another reference") == true)
            #expect(try second.pairs == trainer(pairs, reference: other, store: nil).pairs)
            #expect(second.pairs[0].referenceChosen != first.pairs[0].referenceChosen)
            let again = try trainer(pairs, reference: model, store: store)
            #expect(again.pairs == first.pairs)
            #expect(notices.all.count == 1)
        }
    }

    @Test("a pair whose tokens or weights changed is another pair; its name does not matter")
    func pairHash() {
        let pair = pairs[2]
        var renamed = pair
        renamed.id = "other"
        #expect(renamed.contentHash == pair.contentHash)
        let changes: [(inout PreferenceExample) -> Void] = [
            { $0.prompt[0] += 1 }, { $0.chosen.append($0.rejected.removeLast()) }, { $0.chosenWeights = nil },
            { $0.chosenWeights?[1] = 0.25 }, { swap(&$0.chosenWeights, &$0.rejectedWeights) },
            { $0.chosen.insert($0.prompt.removeLast(), at: 0) },
        ]
        var hashes = Set([pair.contentHash])
        for change in changes {
            var changed = pair
            change(&changed)
            #expect(hashes.insert(changed.contentHash).inserted)
        }
    }

    @Test("values that a pair brings are used under their own reference and refused under another or without a hash")
    func supplied() throws {
        let model = try SmallStudent.model()
        var pair = pairs[0]
        pair.referenceChosen = -3
        pair.referenceRejected = -4
        #expect(throws: TrainingError.self) { try trainer([pair], reference: model, store: nil) }
        pair.referenceHash = model.contentHash()
        #expect(try trainer([pair], reference: model, store: nil).pairs == [pair])
        let other = try other()
        let error = #expect(throws: TrainingError.self) { try trainer([pair], reference: other, store: nil) }
        #expect(error?.description.contains("pair 0") == true)
    }

    @Test("lines that were cut off or overwritten are passed over, told, and computed again")
    func damaged() throws {
        try withFile { file in
            let notices = Notices()
            let store = ReferenceStore(url: file, onNotice: notices.add)
            let model = try SmallStudent.model()
            let first = try trainer(pairs, reference: model, store: store)
            var data = try Data(contentsOf: file)
            data = Data([0xFF, 0x0A]) + data.dropLast(20)
            try data.write(to: file)
            #expect(try trainer(pairs, reference: model, store: store).pairs == first.pairs)
            #expect(notices.all.count == 1)
            #expect(notices.all.first?.contains("2 unreadable lines") == true)
            _ = try trainer(pairs, reference: model, store: store)
            #expect(notices.all.count == 1)
        }
    }
}
