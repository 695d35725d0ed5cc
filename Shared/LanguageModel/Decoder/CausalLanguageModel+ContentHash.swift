import ModelFiles
import TensorEngine

extension CausalLanguageModel {
    /// SHA-256, in hexadecimal, of what the model computes with.
    ///
    /// That is its configuration, every weight, and the LoRA adapter where one is attached. Reads all weights.
    public func contentHash() -> String {
        var digest = ContentDigest()
        // How a file stored the weights does not change what is computed with them.
        var sizes = configuration
        sizes.torchDtype = "float32"
        digest.add(String(decoding: sizes.json(), as: UTF8.self))
        func add(_ list: [(name: String, tensor: Tensor)]) {
            for (name, tensor) in list {
                digest.add(name)
                tensor.withValues { digest.add($0) }
            }
        }
        add(parameters)
        if let adapter {
            digest.add("adapter scaled by \(adapter.configuration.scaling)")
            add(adapter.parameters)
        }
        return digest.hex
    }
}
