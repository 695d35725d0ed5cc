import Distillation
import Foundation
import LanguageModel
import Schemas
import ServiceRuntime
import Tokenization
import Training

/// The folder that an engine works in: what it is handed, what it tells, and what it gives back.
///
/// - `parent/`: the student to start from, a Hugging Face folder.
/// - `data/train.jsonl`: TRL's layouts, a line an example.
/// - `options.json`: what is to be done.
/// - `metrics.jsonl`: a line an update, written by the engine.
/// - `checkpoint/`: the trained student, a Hugging Face folder, there once it is whole; `result.json` beside it.
struct EngineJob: Sendable {
    let folder: URL

    /// The version of the layout.
    static let contract = 1

    /// What the engine tells: its last word so far, and then each further one.
    var metrics: EngineMetrics { EngineMetrics(folder.appending(path: "metrics.jsonl")) }
    private var checkpoint: URL { folder.appending(path: "checkpoint") }

    /// Whether the engine has given a checkpoint back.
    var isDone: Bool { FileManager.default.fileExists(atPath: checkpoint.path) }

    // MARK: What is handed over

    /// Writes the folder; one of the same work that is there already keeps the engine's state, one of other work is begun
    /// anew.
    func prepare(_ work: StageWork, stage: RunStage, run: RunEvent, round: Int, parent: URL, codec: StudentCodec) throws
    {
        let files = FileManager.default
        let options = try options(work, stage: stage, run: run, round: round)
        let lines = try lines(work, codec: codec)
        let optionsFile = folder.appending(path: "options.json")
        let dataFile = folder.appending(path: "data/train.jsonl")
        let known = try? Data(contentsOf: optionsFile)
        if known == options, (try? Data(contentsOf: dataFile)) == lines { return }
        if files.fileExists(atPath: folder.path) { try files.removeItem(at: folder) }
        let parentFolder = folder.appending(path: "parent")
        for created in [parentFolder, folder.appending(path: "data")] {
            try files.createDirectory(at: created, withIntermediateDirectories: true)
        }
        // Copies: an engine that writes into its parent must not change the model store.
        for name in try files.contentsOfDirectory(atPath: parent.path) {
            try files.copyItem(at: parent.appending(path: name), to: parentFolder.appending(path: name))
        }
        try lines.write(to: dataFile, options: .atomic)
        try options.write(to: optionsFile, options: .atomic)
    }

    private func options(_ work: StageWork, stage: RunStage, run: RunEvent, round: Int) throws -> Data {
        let used = work.options
        var training: [String: JSONValue] = [
            "learningRate": .number(used.learningRate), "epochs": .number(used.epochs),
            "batchSequences": .integer(Int64(used.batchSequences)), "accumulation": .integer(Int64(used.accumulation)),
            "schedule": .string(used.schedule.rawValue), "warmupRatio": .number(used.warmupRatio),
            "weightDecay": .number(used.weightDecay), "maximumGradientNorm": .number(used.maxGradientNorm),
        ]
        if let steps = used.maximumSteps { training["maximumSteps"] = .integer(Int64(steps)) }
        if let tokens = used.maximumTokens { training["maximumTokens"] = .integer(Int64(tokens)) }
        if let adapter = work.adapter {
            training["lora"] = .object([
                "rank": .integer(Int64(adapter.rank)), "alpha": .number(adapter.alpha),
                "dropout": .number(adapter.dropout),
                "targets": .array(adapter.targets.map { .string($0.rawValue) }),
            ])
        }
        var options: [String: JSONValue] = [
            "contract": .integer(Int64(Self.contract)), "run": .string(run.id), "stage": .string(stage.name),
            "round": .integer(Int64(round)), "seed": .integer(Int64(clamping: run.seed)), "training": .object(training),
            "method": .string(work.preference == nil ? "supervised" : "preferences"),
        ]
        if let preference = work.preference {
            options["preferences"] = .object([
                "loss": .string(preference.loss.rawValue), "beta": .number(preference.beta),
                "labelSmoothing": .number(preference.labelSmoothing),
            ])
        }
        return try EventCoding.encodeJSON(JSONValue.object(options))
    }

    private func lines(_ work: StageWork, codec: StudentCodec) throws -> Data {
        func text(_ tokens: some Sequence<TokenID>) -> String {
            codec.tokenizer.decode(Array(tokens), skipSpecialTokens: false)
        }
        func side(_ tokens: [TokenID]) -> (text: String, end: Bool) {
            let ends = tokens.last == codec.endOfText
            return (text(ends ? tokens.dropLast() : tokens[...]), ends)
        }
        var data = Data()
        func add(_ members: [String: JSONValue]) throws {
            data += try EventCoding.encodeJSON(JSONValue.object(members))
            data.append(UInt8(ascii: "\n"))
        }
        if work.preference == nil {
            for example in work.examples.supervised {
                let length = example.weights.firstIndex { $0 != 0 } ?? example.tokens.count
                let completion = side(Array(example.tokens[length...]))
                var line: [String: JSONValue] = [
                    "prompt": .string(text(example.tokens[..<length])), "completion": .string(completion.text),
                    "end": .bool(completion.end),
                ]
                if let weight = example.weights.last, weight != 1 { line["weight"] = .number(Double(weight)) }
                try add(line)
            }
        }
        for pair in work.examples.pairs {
            let (chosen, rejected) = (side(pair.chosen), side(pair.rejected))
            try add([
                "id": .string(pair.id), "prompt": .string(text(pair.prompt)), "chosen": .string(chosen.text),
                "rejected": .string(rejected.text), "end": .bool(chosen.end && rejected.end),
            ])
        }
        return data
    }

    // MARK: What it tells

    /// What an engine says of an update.
    struct Line: Decodable {
        var step: Int
        var totalSteps: Int?
        var loss: Double?
        var tokens: Int?
    }

    /// The last whole line of the metrics that can be read.
    func lastLine() -> Line? {
        var metrics = metrics
        return metrics.latest()
    }

    /// How often the engine was interrupted since its last update, this time included.
    func countTry() throws -> Int {
        let file = folder.appending(path: "tries")
        let step = lastLine()?.step ?? 0
        let noted = (try? String(contentsOf: file, encoding: .utf8))?.split(separator: " ").compactMap { Int($0) } ?? []
        let count = noted.count == 2 && noted[1] == step ? noted[0] + 1 : 1
        try Data("\(count) \(step)".utf8).write(to: file, options: .atomic)
        return count
    }

    // MARK: What it gives back

    private struct Result: Decodable {
        var steps: Int?
        var tokens: Int?
        var finalLoss: Double?
        var metrics: [String: Double]?
    }

    /// Takes the checkpoint into the store.
    ///
    /// - Throws: ``DistillationError`` where the folder is no model that Errata can read, or has another tokenizer;
    ///   `ModelFileError` where it could not be stored, which another try may mend.
    func trained(student: StudentReference, seconds: Double, store: ModelStore) throws -> StageTrainer.Trained {
        let intake: ModelIntake
        do {
            intake = try ModelIntake(checkpoint)
        } catch {
            throw DistillationError("the engine's checkpoint cannot be taken: \(error)")
        }
        // What fails from here on is the store's fault, such as a full disk, and no reason to give the training up.
        let stored = try intake.add(to: store)
        let fingerprint = try Tokenizer(folder: stored.folder).fingerprint
        guard fingerprint == student.tokenizerFingerprint else {
            throw DistillationError(
                "the engine's checkpoint has another tokenizer (\(fingerprint)) than the run's student; copy the parent's "
                    + "tokenizer files into it"
            )
        }
        let result = (try? Data(contentsOf: folder.appending(path: "result.json"))).flatMap {
            try? JSONDecoder().decode(Result.self, from: $0)
        }
        let last = lastLine()
        return StageTrainer.Trained(
            stored: stored,
            steps: max(0, result?.steps ?? last?.step ?? 0),
            tokens: max(0, result?.tokens ?? last?.tokens ?? 0),
            finalLoss: (result?.finalLoss ?? last?.loss).flatMap { $0.isFinite ? $0 : nil },
            seconds: seconds,
            metrics: (result?.metrics ?? [:]).filter(\.value.isFinite)
        )
    }

    /// Takes the folder away, once its checkpoint is kept.
    func remove() { try? FileManager.default.removeItem(at: folder) }
}
