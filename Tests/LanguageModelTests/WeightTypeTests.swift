import DataSupport
import Foundation
import ModelFiles
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import LanguageModel

@Suite("Element types of weights")
struct WeightTypeTests {
    @Test("the bfloat16 golden is the float32 one rounded, and computes what its rounded weights do")
    func bfloat16Golden() throws {
        let exact = try Golden.model("tiny-qwen2")
        let rounded = try Golden.model("tiny-qwen2-bf16")
        for ((name, mine), theirs) in zip(rounded.parameters, exact.parameters) {
            let expected = theirs.tensor.values.map {
                Float(bitPattern: UInt32(FloatConversion.bfloat16Bits($0)) << 16)
            }
            #expect(mine.values == expected, "\(name)")
        }
        let tokens: [TokenID] = [5, 100, 300, 511, 7]
        let logits = try rounded.logits([tokens])[0]
        expectClose(logits, NaiveDecoder(rounded).logits(tokens).flatMap { $0 }.map { Float($0) })
    }

    @Test("the sharded golden computes the same bits as the single file")
    func shardedGolden() throws {
        let single = try Golden.model("tiny-llama")
        let sharded = try Golden.model("tiny-llama-sharded")
        #expect(single.configuration == sharded.configuration)
        for (mine, theirs) in zip(sharded.parameters, single.parameters) {
            #expect(mine.tensor.values == theirs.tensor.values, "\(mine.name)")
        }
        #expect(try sharded.logits([[1, 2, 3]]) == single.logits([[1, 2, 3]]))
    }

    @Test(
        "a model saved in each type says so, loads rounded to it, and saves again with the same bits",
        arguments: [SafetensorsFile.ElementType.float32, .bfloat16, .float16],
        ["tiny-qwen2", "tiny-llama"]
    )
    func save(type: SafetensorsFile.ElementType, name: String) throws {
        let model = try Golden.model(name)
        try withTemporaryFolder { folder in
            try model.save(to: folder, elementType: type)
            #expect(try ModelConfiguration(folder: folder).torchDtype == type.torchName)
            let file = try SafetensorsFile(url: folder.appendingPathComponent("model.safetensors"))
            #expect(file.entries.allSatisfy { $0.elementType == type })
            let loaded = try CausalLanguageModel.load(folder: folder)
            for (mine, theirs) in zip(loaded.parameters, model.parameters) {
                let expected = theirs.tensor.values.map { value in
                    switch type {
                    case .bfloat16: Float(bitPattern: UInt32(FloatConversion.bfloat16Bits(value)) << 16)
                    case .float16: Float(Float16(value))
                    default: value
                    }
                }
                #expect(mine.tensor.values == expected, "\(mine.name)")
            }
            let before = try Data(contentsOf: folder.appendingPathComponent("model.safetensors"))
            try loaded.save(to: folder, elementType: type)
            #expect(try Data(contentsOf: folder.appendingPathComponent("model.safetensors")) == before)
        }
    }

    @Test("the bfloat16 that is saved equals PyTorch's bit for bit")
    func torchBits() throws {
        try withTemporaryFolder { folder in
            try Golden.model("tiny-qwen2").save(to: folder, elementType: .bfloat16)
            let mine = try SafetensorsFile(url: folder.appendingPathComponent("model.safetensors"))
            let theirs = try SafetensorsFile(
                url: Golden.url("tiny-qwen2-bf16/model.safetensors")
            )
            #expect(Set(mine.entries.map(\.name)) == Set(theirs.entries.map(\.name)))
            for entry in theirs.entries {
                let expected = try theirs.withBytes(entry.name) { Array($0) }
                #expect(try mine.withBytes(entry.name) { Array($0) } == expected, "\(entry.name)")
            }
        }
    }

    @Test("types that are no floats of 32 or 16 bits are not written")
    func refusedTypes() throws {
        try withTemporaryFolder { folder in
            let model = try Golden.model("tiny-qwen2")
            #expect(throws: ModelFileError.self) { try model.save(to: folder, elementType: .float64) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }

    @Test("pages that were given back read the same again")
    func release() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            let values = (0..<50_000).map { Float($0) }
            try SafetensorsWriter.write(
                [.init(name: "a", shape: [3], values: [1, 2, 3]), .init(name: "b", shape: [50_000], values: values)],
                to: url
            )
            let file = try SafetensorsFile(url: url)
            #expect(try file.floats("b") == values)
            file.release("b")
            file.release("a")
            #expect(try file.floats("b") == values)
            #expect(try file.floats("a") == [1, 2, 3])
        }
    }
}
