public import Foundation
public import LanguageModel
import ModelFiles
import Reasoning
import TensorEngine
import Tokenization

/// Makes small students from nothing: a tokenizer trained on given texts and random weights.
public enum StudentFactory {
    /// A decoder's size.
    public struct Size: Sendable, Hashable, Codable {
        /// Width of the residual stream.
        public var hidden: Int
        /// Decoder layers.
        public var layers: Int
        /// Attention heads.
        public var heads: Int
        /// Width of the feed-forward part.
        public var intermediate: Int
        /// The most tokens that the tokenizer may have.
        public var vocabulary: Int

        /// Creates a size.
        public init(hidden: Int, layers: Int, heads: Int, intermediate: Int, vocabulary: Int) {
            self.hidden = hidden
            self.layers = layers
            self.heads = heads
            self.intermediate = intermediate
            self.vocabulary = vocabulary
        }

        /// About 0.65 million parameters: trains in minutes on two cores.
        public static var demo: Size { Size(hidden: 128, layers: 3, heads: 4, intermediate: 344, vocabulary: 448) }
    }

    /// A student in the model store.
    public struct Created: Sendable, Hashable {
        /// The content hash of the folder.
        public let hash: String
        /// Where it lies.
        public let folder: URL
        /// The tokenizer's fingerprint.
        public let tokenizerFingerprint: String
        /// Trainable parameters.
        public let parameters: Int
    }

    /// Makes a student and puts it into the store.
    ///
    /// - Parameters:
    ///   - texts: what the tokenizer is trained on: the problems and the teacher's texts.
    ///   - size: of the decoder and its vocabulary.
    ///   - seed: of the random weights.
    ///   - store: where the student is put.
    /// - Returns: the student's hash, folder and size.
    /// - Throws: ``DistillationError``, or the error of the tokenizer, the model or the store.
    public static func create(texts: [String], size: Size, seed: UInt64, in store: ModelStore) throws -> Created {
        // The prompts stand in no text, but in every example.
        let scaffold = (0..<max(50, texts.count / 4)).flatMap { _ in
            StudentFormat.allCases.map { $0.prompt(question: "") } + ["\n####"]
        }
        let tokenizer = try BytePairTrainer(eosToken: "<|endoftext|>").train(
            texts + scaffold,
            vocabularySize: size.vocabulary,
            addedTokens: StudentFormat.tags
        )
        guard let end = tokenizer.eosTokenID else {
            throw DistillationError("the trained tokenizer has no end-of-text token")
        }
        let configuration = ModelConfiguration(
            vocabularySize: tokenizer.vocabularySize,
            hiddenSize: size.hidden,
            intermediateSize: size.intermediate,
            layers: size.layers,
            heads: size.heads,
            maximumPositions: 1024,
            eosTokenIDs: [end]
        )
        let model = try CausalLanguageModel(configuration: configuration, seed: seed)
        let stored = try StudentFolder.store(model, tokenizer: tokenizer, in: store)
        return Created(
            hash: stored.hash,
            folder: stored.folder,
            tokenizerFingerprint: tokenizer.fingerprint,
            parameters: model.parameters.reduce(0) { $0 + $1.tensor.count }
        )
    }
}

/// A student's folder in Hugging Face layout: weights, configuration and tokenizer.
public enum StudentFolder {
    /// Writes a new student to the store.
    static func store(_ model: CausalLanguageModel, tokenizer: Tokenizer, in store: ModelStore) throws -> StoredModel {
        try store.make { folder in
            try model.save(to: folder)
            try tokenizer.save(to: folder)
        }
    }

    /// Writes a trained student to the store, with everything but the weights as its parent's folder has it.
    ///
    /// That is the chat template, the sampling defaults and the special tokens too, so that others can use it as they
    /// used its parent.
    static func store(
        _ model: CausalLanguageModel,
        trainedFrom parent: URL,
        as type: SavedType,
        in store: ModelStore
    ) throws -> StoredModel {
        try store.make { folder in
            try model.save(to: folder, as: type)
            try ModelFolder.copyCompanions(from: parent, to: folder)
        }
    }
}
