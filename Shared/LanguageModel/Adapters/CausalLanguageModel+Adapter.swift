import ModelFiles
public import TensorEngine

extension CausalLanguageModel {
    /// What a trainer updates: the adapter's matrices under PEFT's names where one is attached, else ``parameters``.
    public var trainableParameters: [(name: String, tensor: Tensor)] { adapter?.parameters ?? parameters }

    /// Puts an adapter in front of the model's linear layers and freezes the model's own weights.
    ///
    /// From now on the model computes, generates and saves with the adapter, and only the adapter trains. An adapter
    /// that was attached before is replaced.
    /// - Throws: ``ModelFileError`` when the adapter was made for another shape or in another context.
    public func attach(_ adapter: LoRAAdapter) throws {
        guard adapter.context === context else {
            throw ModelFileError(.malformed, place: "LoRA adapter", "was made for a model in another compute context")
        }
        for target in adapter.configuration.targets {
            let (theirs, mine) = (adapter.shape.size(of: target), configuration.size(of: target))
            guard theirs == mine, adapter.shape.layers == configuration.layers else {
                throw ModelFileError(
                    .malformed,
                    place: "LoRA adapter",
                    "was made for \(adapter.shape.layers) layers with \(target.rawValue) [\(theirs.outputs), "
                        + "\(theirs.inputs)]; the model has \(configuration.layers) with [\(mine.outputs), \(mine.inputs)]"
                )
            }
        }
        adopt(adapter)
    }

    /// Attaches an adapter of the model's own shape and context.
    func adopt(_ adapter: LoRAAdapter) {
        self.adapter = adapter
        for (_, tensor) in parameters {
            tensor.clearGradient()
            tensor.requiresGradient = false
        }
    }

    /// Takes the adapter off; the model's own weights, which it did not change, train again.
    ///
    /// - Returns: The adapter that was attached.
    @discardableResult
    public func detachAdapter() -> LoRAAdapter? {
        defer { adapter = nil }
        if adapter != nil {
            for (_, tensor) in parameters { tensor.requiresGradient = tensor.elementType == .float32 }
        }
        return adapter
    }

    /// The same weights, shared and not copied, without the adapter.
    ///
    /// As the reference of a preference trainer it is "the adapter disabled".
    public var withoutAdapter: CausalLanguageModel { CausalLanguageModel(sharing: self) }

    /// Adds scaling · B · A to the weights that the adapter changes, and takes it off.
    public func mergeAdapter() {
        guard let adapter = detachAdapter() else { return }
        for (index, layer) in layers.enumerated() {
            for target in adapter.configuration.targets {
                let weight = layer.weight(of: target)
                weight.withMutableValues { $0.add(adapter, layer: index, target: target) }
            }
        }
    }

    /// A copy with the adapter merged into its weights.
    public func merged() -> CausalLanguageModel {
        let twin = copy()
        twin.mergeAdapter()
        return twin
    }

    /// The weight of a linear layer as the model computes with it: its own, or a fresh one with the adapter merged in.
    func effectiveWeight(layer: Int, target: LoRAConfiguration.Target) -> Tensor {
        let weight = layers[layer].weight(of: target)
        guard let adapter, adapter.pairs[layer][target] != nil else { return weight }
        let merged = Tensor(zeros: weight.shape, context: context)
        weight.withValues { source in
            merged.withMutableValues { values in
                _ = values.update(fromContentsOf: source)
                values.add(adapter, layer: layer, target: target)
            }
        }
        return merged
    }

    /// Every weight's name with a function that lends its effective values; a merged one exists while it is lent.
    var effectiveParameters: [(name: String, tensor: () -> Tensor)] {
        var merged: [String: () -> Tensor] = [:]
        for layer in layers.indices {
            for target in adapter?.configuration.targets ?? [] {
                merged["model.layers.\(layer).\(target.path).weight"] = {
                    self.effectiveWeight(layer: layer, target: target)
                }
            }
        }
        return parameters.map { name, tensor in (name, merged[name] ?? { tensor }) }
    }

    /// x · weightᵀ (+ bias) (+ residual), with the adapter's part where there is one.
    func project(
        _ x: Tensor,
        layer: Int,
        target: LoRAConfiguration.Target,
        tape: Tape,
        pass: UInt64,
        residual: Tensor? = nil
    ) throws -> Tensor {
        let weights = layers[layer]
        let y = try tape.linear(
            x,
            weight: weights.weight(of: target),
            bias: weights.bias(of: target),
            residual: residual
        )
        if let update = adapter?.update(layer: layer, target: target, pass: pass) {
            try tape.addLowRank(update, of: x, to: y)
        }
        return y
    }
}

extension CausalLanguageModel.DecoderLayer {
    func weight(of target: LoRAConfiguration.Target) -> Tensor {
        switch target {
        case .query: query
        case .key: key
        case .value: value
        case .output: output
        case .gate: gate
        case .up: up
        case .down: down
        }
    }

    func bias(of target: LoRAConfiguration.Target) -> Tensor? {
        switch target {
        case .query: queryBias
        case .key: keyBias
        case .value: valueBias
        case .output, .gate, .up, .down: nil
        }
    }
}

extension UnsafeMutableBufferPointer<Float> {
    /// Adds scaling · B · A to a weight [out, in], each element summed in double precision.
    fileprivate func add(_ adapter: LoRAAdapter, layer: Int, target: LoRAConfiguration.Target) {
        guard let pair = adapter.pairs[layer][target], let base = baseAddress else { return }
        nonisolated(unsafe) let values = base
        let rank = adapter.configuration.rank
        let inputs = pair.down.columns
        let scaling = adapter.configuration.scaling
        pair.down.withValues { down in
            pair.up.withValues { up in
                adapter.context.parallelRanges(pair.up.rows, grain: 8) { range in
                    var sums = [Double](repeating: 0, count: inputs)
                    for row in range {
                        for index in 0..<inputs { sums[index] = 0 }
                        for component in 0..<rank {
                            let factor = Double(up[row * rank + component]) * scaling
                            for index in 0..<inputs {
                                sums[index] += factor * Double(down[component * inputs + index])
                            }
                        }
                        for index in 0..<inputs { values[row * inputs + index] += Float(sums[index]) }
                    }
                }
            }
        }
    }
}
