import Foundation
import LanguageModel
import ModelFiles
import TensorEngine

/// What decides how a training run goes on, written into its checkpoints: a run is only taken up by one of the same.
///
/// Fields are named and written one by one, so that renaming or adding a property elsewhere changes nothing here by itself.
struct RunFingerprint: Equatable {
    /// One thing that decides how a run goes on.
    struct Field: Equatable {
        let name: String
        let value: String

        init(_ name: String, _ value: some CustomStringConvertible) {
            self.name = name
            self.value = value.description
        }

        /// A value that need not be there.
        init(_ name: String, _ value: (some CustomStringConvertible)?) {
            self.name = name
            self.value = value?.description ?? "none"
        }
    }

    /// To be raised when a field comes to mean something else, or when the same fields come to compute something else.
    static let version = 2

    /// The fields, in a fixed order.
    let fields: [Field]

    init(_ fields: [Field]) { self.fields = fields }

    /// One line a field, after a line with the version.
    var text: String { (["version \(Self.version)"] + fields.map { "\($0.name) \($0.value)" }).joined(separator: "\n") }

    /// Says how a checkpoint's run differs from this one; nil where it does not.
    func difference(from text: String) -> String? {
        guard text != self.text else { return nil }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        }
        guard !lines.isEmpty, lines.removeFirst() == ["version", String(Self.version)] else {
            return "was written by another version of this program"
        }
        let theirs = Dictionary(lines.map { ($0[0], $0.count > 1 ? $0[1] : "") }) { first, _ in first }
        let mine = Dictionary(fields.map { ($0.name, $0.value) }) { first, _ in first }
        let names = fields.map(\.name) + lines.map { $0[0] }.filter { mine[$0] == nil }
        let changes = names.filter { mine[$0] != theirs[$0] }.map {
            "\($0) is \(theirs[$0]?.prefix(24) ?? "absent") there and \(mine[$0]?.prefix(24) ?? "absent") here"
        }
        return "belongs to another run: " + changes.joined(separator: ", ")
    }
}

extension TrainingOptions {
    /// Every option under its name.
    var fingerprint: [RunFingerprint.Field] {
        [
            .init("learningRate", learningRate),
            .init("epochs", epochs),
            .init("maximumTokens", maximumTokens),
            .init("maximumSteps", maximumSteps),
            .init("batchSequences", batchSequences),
            .init("batchTokens", batchTokens),
            .init("accumulation", accumulation),
            .init("tokensAtOnce", tokensAtOnce),
            .init("checkpointsActivations", checkpointsActivations),
            .init("precision", precision.rawValue),
            .init("schedule", schedule.rawValue),
            .init("warmupRatio", warmupRatio),
            .init("weightDecay", weightDecay),
            .init("beta1", beta1),
            .init("beta2", beta2),
            .init("epsilon", epsilon),
            .init("maxGradientNorm", maxGradientNorm),
            .init("normalization", normalization.rawValue),
            .init("negativeTokens", negativeTokens.rawValue),
            .init("negativeThreshold", negativeThreshold),
            .init("shuffle", shuffle),
            .init("seed", seed),
        ]
    }
}

extension PreferenceOptions {
    /// Every option under its name.
    var fingerprint: [RunFingerprint.Field] {
        [
            .init("preference.loss", loss.rawValue),
            .init("preference.beta", beta),
            .init("preference.labelSmoothing", labelSmoothing),
            .init("preference.nllWeight", nllWeight),
            .init("preference.supervisedWeight", supervisedWeight),
            .init("preference.simpoMargin", simpoMargin),
            .init("preference.sharesPrefixes", sharesPrefixes),
        ]
    }
}

extension LoRAAdapter {
    /// The adapter's settings and the frozen weights below it: a checkpoint holds neither, and means nothing without them.
    func fingerprint(on model: CausalLanguageModel) -> [RunFingerprint.Field] {
        var base = ContentDigest()
        for (_, tensor) in model.parameters { tensor.withValues { base.add($0) } }
        return [
            .init("lora.rank", configuration.rank),
            .init("lora.scaling", configuration.scaling),
            .init("lora.dropout", configuration.dropout),
            .init("lora.targets", configuration.targets.map(\.rawValue).joined(separator: ",")),
            .init("lora.base", base.hex),
        ]
    }
}
