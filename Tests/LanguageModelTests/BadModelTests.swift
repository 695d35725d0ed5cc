import DataSupport
import Foundation
import ModelFiles
import NumericSupport
import TensorEngine
import Testing

@testable import LanguageModel

/// A folder of a small model whose files a test may spoil.
private func withModel(
    _ type: ModelConfiguration.ModelType = .qwen2,
    _ body: (_ folder: URL, _ items: [SafetensorsWriter.Item]) throws -> Void
) throws {
    try withTemporaryFolder { folder in
        let model = try CausalLanguageModel(
            configuration: ModelConfiguration(
                modelType: type,
                vocabularySize: 11,
                hiddenSize: 8,
                intermediateSize: 12,
                layers: 2,
                heads: 2,
                headDimension: 4
            ),
            seed: 1,
            context: ComputeContext(threads: 1)
        )
        try model.save(to: folder)
        let items = model.parameters.map { name, tensor in
            SafetensorsWriter.Item(name: name, shape: tensor.shape, values: tensor.values)
        }
        try body(folder, items)
    }
}

private func expectRefusal(
    _ folder: URL,
    _ cause: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let error = #expect(throws: ModelFileError.self, sourceLocation: sourceLocation) {
        try CausalLanguageModel.load(folder: folder, context: ComputeContext(threads: 1))
    }
    let text = error?.description ?? ""
    #expect(text.contains(cause), "\(text)", sourceLocation: sourceLocation)
}

@Suite("Bad models")
struct BadModelTests {
    private let weights = "model.safetensors"

    @Test("a missing, misshapen, unasked-for or non-float weight is refused by name")
    func weightsThatDoNotFit() throws {
        try withModel { folder, items in
            let url = folder.appendingPathComponent(weights)
            let key = "model.layers.1.self_attn.k_proj.bias"
            let others = items.filter { $0.name != key }
            try SafetensorsWriter.write(others, to: url)
            expectRefusal(folder, "\(key) is missing")
            try SafetensorsWriter.write(
                others + [.init(name: key, shape: [7], values: [Float](repeating: 0, count: 7))],
                to: url
            )
            expectRefusal(folder, "\(key) has shape [7]")
            let extra = "model.layers.2.self_attn.k_proj.bias"
            try SafetensorsWriter.write(items + [.init(name: extra, shape: [1], values: [0])], to: url)
            expectRefusal(folder, extra)
            // Old files hold frequencies that follow from the configuration.
            let frequencies = "model.layers.0.self_attn.rotary_emb.inv_freq"
            try SafetensorsWriter.write(items + [.init(name: frequencies, shape: [2], values: [1, 1])], to: url)
            _ = try CausalLanguageModel.load(folder: folder)
            try SafetensorsWriter.write(items, to: url)
            var bytes = try Data(contentsOf: url)
            let type = try #require(bytes.range(of: Data(#""dtype":"F32""#.utf8)))
            bytes.replaceSubrange(type, with: Data(#""dtype":"I32""#.utf8))
            try bytes.write(to: url)
            expectRefusal(folder, "I32")
        }
    }

    @Test("a file cut anywhere is refused as truncated")
    func truncation() throws {
        try withModel { folder, _ in
            let url = folder.appendingPathComponent(weights)
            let whole = try Data(contentsOf: url)
            for length in [0, 1, 7, 8, 9, 100, whole.count / 2, whole.count - 1] {
                try whole.prefix(length).write(to: url)
                expectRefusal(folder, "truncated")
            }
            try (whole + Data([0])).write(to: url)
            expectRefusal(folder, "belong to none")
        }
    }

    @Test(
        "sizes that the files do not have are refused before memory is asked for",
        arguments: [
            (#""num_hidden_layers": 2"#, #""num_hidden_layers": 1000"#, "layers.2."),
            (#""vocab_size": 11"#, #""vocab_size": 4000000"#, "embed_tokens"),
            (#""intermediate_size": 12"#, #""intermediate_size": 1048576"#, "mlp.gate_proj"),
            (#""hidden_size": 8"#, #""hidden_size": 65536"#, "embed_tokens"),
            (#""hidden_size": 8"#, #""hidden_size": 9223372036854775807"#, "hidden_size"),
            (#""num_attention_heads": 2"#, #""num_attention_heads": 0"#, "num_attention_heads"),
            (#""num_hidden_layers": 2"#, #""num_hidden_layers": 1"#, "layers.1."),
        ]
    )
    func sizes(original: String, replacement: String, cause: String) throws {
        try withModel { folder, _ in
            let url = folder.appendingPathComponent("config.json")
            let text = try String(contentsOf: url, encoding: .utf8)
            #expect(text.contains(original))
            try Data(text.replacingOccurrences(of: original, with: replacement).utf8).write(to: url)
            expectRefusal(folder, cause)
        }
    }

    @Test(
        "an index that points outside the folder or at what is no file is refused",
        arguments: [
            ("../x.safetensors", "no plain file name"), ("/dev/zero", "no plain file name"),
            ("..", "no plain file name"),
            ("a/b", "no plain file name"), ("", "no plain file name"), ("a\\u0000b", "no plain file name"),
            ("absent.safetensors", "cannot open"), ("folder", "no regular file"),
        ]
    )
    func index(name: String, cause: String) throws {
        try withModel { folder, _ in
            let url = folder.appendingPathComponent(weights)
            try FileManager.default.moveItem(at: url, to: folder.appendingPathComponent("one.safetensors"))
            let inside = folder.appendingPathComponent("folder")
            try FileManager.default.createDirectory(at: inside, withIntermediateDirectories: false)
            let map = #"{"weight_map": {"model.norm.weight": "\#(name)"}}"#
            try Data(map.utf8).write(to: folder.appendingPathComponent("model.safetensors.index.json"))
            expectRefusal(folder, cause)
        }
    }

    @Test("a folder without weights or configuration, and a file in its place, are refused")
    func absent() throws {
        try withModel { folder, _ in
            try FileManager.default.removeItem(at: folder.appendingPathComponent(weights))
            expectRefusal(folder, "holds neither")
            expectRefusal(folder.appendingPathComponent("config.json"), "config.json")
            try FileManager.default.removeItem(at: folder.appendingPathComponent("config.json"))
            expectRefusal(folder, "config.json")
        }
    }
}

/// Changes text the way damage and malice do: bytes, cuts, repeats, and numbers and words that are extreme.
private struct Mutator {
    var generator: Xorshift
    private let words = [
        "-1", "0", "1e999", "9223372036854775807", "9223372036854775808", "18446744073709551616",
        "-9223372036854775808",
        "0.5", "null", "true", "[]", "{}", "\"\"", "\"../x\"", "[[[[[[[[", "\\u0000", "\"F64\"", "\"qwen3\"",
        "4611686018427387904",
    ].map { Array($0.utf8) }

    mutating func mutate(_ original: [UInt8]) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            guard !bytes.isEmpty else { break }
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...12, using: &generator)))
            case 3:
                let part = bytes[place..<min(bytes.count, place + Int.random(in: 1...40, using: &generator))]
                bytes.insert(contentsOf: Array(part), at: Int.random(in: 0...bytes.count, using: &generator))
            case 4:
                // A number or word where one was, so that the result often still is JSON.
                guard let start = bytes[place...].firstIndex(where: { (0x30...0x39).contains($0) }) else { continue }
                let end = bytes[start...].firstIndex { !(0x30...0x39).contains($0) } ?? bytes.count
                bytes.replaceSubrange(start..<end, with: words[Int.random(in: 0..<words.count, using: &generator)])
            default: bytes.removeLast(min(bytes.count, Int.random(in: 1...64, using: &generator)))
            }
        }
        return bytes
    }
}

@Suite("Readers under mutation")
struct ReaderFuzzTests {
    /// Counts what is refused, and fails on any error that is no ``ModelFileError``.
    private func refused(_ body: () throws -> Void) throws -> Bool {
        do {
            try body()
            return false
        } catch is ModelFileError {
            return true
        }
    }

    @Test(
        "a safetensors file with a mutated header is refused, or every tensor lies where its header says",
        arguments: 1...4
    )
    func safetensors(seed: UInt64) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            try SafetensorsWriter.write(
                [
                    .init(name: "a", shape: [2, 3], values: [1, 2, 3, 4, 5, 6]),
                    .init(name: "b", shape: [5], values: [1, 2, 3, 4, 5], elementType: .bfloat16),
                    .init(name: "c", shape: [], values: [9], elementType: .float16),
                ],
                to: url
            )
            let original = Array(try Data(contentsOf: url))
            let length = original[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
            var mutator = Mutator(generator: Xorshift(state: seed &* 77))
            var refusals = 0
            for round in 0..<1500 {
                var header = Array(original[8..<8 + length])
                var data = Array(original[(8 + length)...])
                if round % 4 == 3 { data = mutator.mutate(data) } else { header = mutator.mutate(header) }
                // The length is told honestly most of the time: a lie there hides the rest.
                var declared = UInt64(header.count)
                if round % 10 == 9 {
                    declared = UInt64.random(in: 0...UInt64.max, using: &mutator.generator) >> (round % 64)
                }
                let bytes = withUnsafeBytes(of: declared.littleEndian) { Array($0) } + header + data
                try Data(bytes).write(to: url)
                let isRefused = try refused {
                    let file = try SafetensorsFile(url: url)
                    var end = 8 + Int(declared)
                    for entry in file.entries {
                        #expect(entry.byteRange.lowerBound == end)
                        end = entry.byteRange.upperBound
                        let found = try file.withBytes(entry.name) { Array($0) }
                        #expect(found == Array(bytes[entry.byteRange]))
                        #expect(entry.shape.reduce(entry.elementType.byteCount, *) == found.count)
                        _ = try refused { _ = try file.floats(entry.name) }
                    }
                    #expect(end == bytes.count)
                }
                refusals += isRefused ? 1 : 0
            }
            #expect(refusals > 300 && refusals < 1500, "\(refusals) of 1500 refused")
        }
    }

    @Test("mutated configurations are refused or valid, for models, generation and adapters", arguments: 1...4)
    func configurations(seed: UInt64) throws {
        var mutator = Mutator(generator: Xorshift(state: seed &* 131))
        var refusals = [0, 0, 0]
        var texts: [[UInt8]] = []
        for name in ["tiny-llama/config.json", "tiny-qwen2/generation_config.json", "lora/adapter/adapter_config.json"]
        {
            texts.append(Array(try Data(contentsOf: Golden.url(name))))
        }
        for _ in 0..<1000 {
            for kind in 0..<3 {
                let json = Data(mutator.mutate(texts[kind]))
                let isRefused = try refused {
                    switch kind {
                    case 0:
                        let configuration = try ModelConfiguration(json: json)
                        try configuration.validate()
                        #expect(configuration.parameterCount <= 1_000_000_000_000)
                        #expect(
                            try ModelConfiguration(json: configuration.json()).hiddenSize == configuration.hiddenSize
                        )
                    case 1:
                        let configuration = try GenerationConfiguration(json: json)
                        #expect(try GenerationConfiguration(json: configuration.json()) == configuration)
                    default:
                        let configuration = try LoRAConfiguration(json: json)
                        #expect(configuration.scaling.isFinite && configuration.scaling > 0)
                        #expect(try LoRAConfiguration(json: configuration.json()) == configuration)
                    }
                }
                refusals[kind] += isRefused ? 1 : 0
            }
        }
        for (kind, count) in refusals.enumerated() { #expect(count > 100 && count < 1000, "kind \(kind): \(count)") }
    }

    @Test("a model folder with mutated configuration, index or headers is loaded or refused", arguments: 1...2)
    func folders(seed: UInt64) throws {
        try withTemporaryFolder { folder in
            let golden = try Golden.url("tiny-llama-sharded")
            let names = try FileManager.default.contentsOfDirectory(atPath: golden.path)
            for name in names {
                try FileManager.default.copyItem(
                    at: golden.appendingPathComponent(name),
                    to: folder.appendingPathComponent(name)
                )
            }
            var mutator = Mutator(generator: Xorshift(state: seed &* 977))
            let context = ComputeContext(threads: 1)
            var refusals = 0
            for round in 0..<200 {
                let name = ["config.json", "model.safetensors.index.json"][round % 2]
                let original = Array(try Data(contentsOf: golden.appendingPathComponent(name)))
                try Data(mutator.mutate(original)).write(to: folder.appendingPathComponent(name))
                let isRefused = try refused { _ = try CausalLanguageModel.load(folder: folder, context: context) }
                refusals += isRefused ? 1 : 0
                try Data(original).write(to: folder.appendingPathComponent(name))
            }
            _ = try CausalLanguageModel.load(folder: folder, context: context)
            #expect(refusals > 50 && refusals < 200, "\(refusals) of 200 refused")
        }
    }
}
