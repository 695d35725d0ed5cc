import Foundation
import LanguageModel
import TensorEngine
import Tokenization

/// The decoder written down plainly, one token and one number at a time in double precision.
///
/// It follows the definitions of the architectures and shares nothing with the engine.
struct NaiveDecoder {
    let configuration: ModelConfiguration
    var weights: [String: [Double]]

    init(_ model: CausalLanguageModel) {
        configuration = model.configuration
        weights = Dictionary(
            uniqueKeysWithValues: model.parameters.map { ($0.name, $0.tensor.values.map(Double.init)) }
        )
    }

    private func norm(_ x: [Double], _ name: String) -> [Double] {
        let square = x.reduce(0) { $0 + $1 * $1 } / Double(x.count)
        let inverse = 1 / (square + configuration.rmsNormEpsilon).squareRoot()
        return zip(x, weights[name] ?? []).map { $0 * inverse * $1 }
    }

    private func linear(_ x: [Double], _ name: String) -> [Double] {
        let weight = weights[name + ".weight"] ?? []
        let bias = weights[name + ".bias"]
        return (0..<weight.count / x.count).map { row in
            var sum = bias?[row] ?? 0
            for column in x.indices { sum += weight[row * x.count + column] * x[column] }
            return sum
        }
    }

    private func rotated(_ head: [Double], _ position: Int) -> [Double] {
        let half = head.count / 2
        var result = head
        for index in 0..<half {
            let angle = Double(position) * pow(configuration.ropeTheta, -2 * Double(index) / Double(head.count))
            result[index] = head[index] * cos(angle) - head[index + half] * sin(angle)
            result[index + half] = head[index + half] * cos(angle) + head[index] * sin(angle)
        }
        return result
    }

    private func heads(_ x: [Double], normedBy name: String?, position: Int?) -> [[Double]] {
        let width = configuration.headDimension
        return stride(from: 0, to: x.count, by: width).map { first in
            var head = Array(x[first..<first + width])
            if let name, weights[name] != nil { head = norm(head, name) }
            return position.map { rotated(head, $0) } ?? head
        }
    }

    /// The logits of every token: [token][vocabulary].
    func logits(_ tokens: [TokenID]) -> [[Double]] {
        let width = configuration.hiddenSize
        let table = weights["model.embed_tokens.weight"] ?? []
        var hidden = tokens.map { Array(table[Int($0) * width..<(Int($0) + 1) * width]) }
        let group = configuration.heads / configuration.keyValueHeads
        for layer in 0..<configuration.layers {
            let prefix = "model.layers.\(layer)."
            let attention = prefix + "self_attn."
            let normed = hidden.map { norm($0, prefix + "input_layernorm.weight") }
            var queries: [[[Double]]] = []
            var keys: [[[Double]]] = []
            var values: [[[Double]]] = []
            for (position, x) in normed.enumerated() {
                let (q, k) = (linear(x, attention + "q_proj"), linear(x, attention + "k_proj"))
                queries.append(heads(q, normedBy: attention + "q_norm.weight", position: position))
                keys.append(heads(k, normedBy: attention + "k_norm.weight", position: position))
                values.append(heads(linear(x, attention + "v_proj"), normedBy: nil, position: nil))
            }
            for position in tokens.indices {
                var attended: [Double] = []
                for head in 0..<configuration.heads {
                    let scores = (0...position).map { other in
                        zip(queries[position][head], keys[other][head / group]).reduce(0) { $0 + $1.0 * $1.1 }
                            / Double(configuration.headDimension).squareRoot()
                    }
                    let largest = scores.max() ?? 0
                    let shares = scores.map { exp($0 - largest) }
                    let total = shares.reduce(0, +)
                    for component in 0..<configuration.headDimension {
                        var sum = 0.0
                        for other in 0...position { sum += shares[other] * values[other][head / group][component] }
                        attended.append(sum / total)
                    }
                }
                hidden[position] = zip(hidden[position], linear(attended, attention + "o_proj")).map { $0 + $1 }
                let middle = norm(hidden[position], prefix + "post_attention_layernorm.weight")
                let gate = linear(middle, prefix + "mlp.gate_proj")
                let up = linear(middle, prefix + "mlp.up_proj")
                let activated = zip(gate, up).map { $0 / (1 + exp(-$0)) * $1 }
                hidden[position] = zip(hidden[position], linear(activated, prefix + "mlp.down_proj")).map { $0 + $1 }
            }
        }
        let head = configuration.tieWordEmbeddings ? "model.embed_tokens" : "lm_head"
        return hidden.map { linear(norm($0, "model.norm.weight"), head) }
    }

    /// Σ −log p(tokens[t] | tokens before t).
    func loss(_ tokens: [TokenID]) -> Double {
        var total = 0.0
        for (row, target) in zip(logits(tokens), tokens.dropFirst()) {
            let largest = row.max() ?? 0
            total += log(row.reduce(0) { $0 + exp($1 - largest) }) + largest - row[Int(target)]
        }
        return total
    }
}
