import LanguageModel
import ModelFiles

/// What a run is trained on, so that a checkpoint is not taken up with other data.
extension ContentDigest {
    /// The digest of supervised examples in their order.
    static func hex(of examples: [SupervisedExample]) -> String {
        var digest = ContentDigest()
        for example in examples {
            digest.add(example.tokens)
            digest.add(example.weights)
            digest.add(example.responseLength ?? -1)
        }
        return digest.hex
    }

    /// The digest of preference pairs in their order.
    static func hex(of pairs: [PreferenceExample]) -> String {
        var digest = ContentDigest()
        for pair in pairs { digest.add(pair.contentHash) }
        return digest.hex
    }
}
