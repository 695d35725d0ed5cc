import Foundation
import LanguageModel
import ModelFiles
import TensorEngine

extension TrainingLoop {
    /// Names a file that this program wrote; the number changes with the layout of the tensors.
    private static let format = "errata-training-1"

    private var fingerprint: RunFingerprint {
        RunFingerprint(
            kind + [
                RunFingerprint.Field("examples.count", lengths.count),
                RunFingerprint.Field("examples.content", content),
            ]
                + options.fingerprint + loraFingerprint
        )
    }

    /// Writes weights, moments and position to one file, atomically.
    func save(to url: URL) throws {
        var items: [SafetensorsWriter.Item] = []
        func add(_ name: String, _ tensor: Tensor) {
            items.append(
                SafetensorsWriter.Item(name: name, shape: tensor.shape) { body in
                    try tensor.withValues { try body($0) }
                }
            )
        }
        for (name, tensor) in model.trainableParameters { add("weight/" + name, tensor) }
        for state in optimizer.state {
            add("first/" + state.name, state.first)
            add("second/" + state.name, state.second)
        }
        try SafetensorsWriter.write(
            items,
            metadata: [
                "format": Self.format,
                "step": String(step),
                "updates": String(optimizer.updates),
                "tokens": String(tokensSeen),
                "run": fingerprint.text,
            ],
            to: url
        )
    }

    /// Goes on where a checkpoint of the same run left off.
    ///
    /// - Throws: ``TrainingError`` that says in what the file's run differs, or what is damaged in the file, and
    ///   `ModelFileError` where it cannot be read at all; nothing is changed then, nor the file.
    func resume(from url: URL) throws {
        let file: SafetensorsFile
        do {
            file = try SafetensorsFile(url: url)
        } catch let error as ModelFileError where error.code != .inaccessible {
            // What the bytes are they are at the next try too; one that cannot be read may be later.
            throw TrainingError.invalidCheckpoint("\(error)")
        }
        guard file.metadata["format"] == Self.format, let step = file.metadata["step"].flatMap({ Int($0) }),
            let updates = file.metadata["updates"].flatMap({ Int($0) }),
            let tokens = file.metadata["tokens"].flatMap({ Int($0) }), let run = file.metadata["run"]
        else {
            throw TrainingError.invalidCheckpoint("\(url.path) is no checkpoint of a training run")
        }
        if let difference = fingerprint.difference(from: run) {
            throw TrainingError.invalidCheckpoint(
                "\(url.path) \(difference); restore that, or start anew without the file"
            )
        }
        guard (0...plan.updates.count).contains(step) else {
            throw TrainingError.invalidCheckpoint("\(url.path) is at step \(step) of a run of \(plan.updates.count)")
        }
        var targets: [(String, Tensor)] = model.trainableParameters.map { ("weight/" + $0.name, $0.tensor) }
        for state in optimizer.state {
            targets.append(("first/" + state.name, state.first))
            targets.append(("second/" + state.name, state.second))
        }
        for (name, tensor) in targets {
            // Before the first is read, so that nothing is changed where a later one cannot be.
            guard let entry = file.entry(name), entry.shape == tensor.shape, entry.elementType == .float32 else {
                throw TrainingError.invalidCheckpoint("\(url.path) lacks \(name) of shape \(tensor.shape) in F32")
            }
        }
        for (name, tensor) in targets { try tensor.withMutableValues { try file.read(name, into: $0) } }
        optimizer.resume(updates: updates)
        goOn(from: step, tokensSeen: tokens)
    }
}
