import CompletionAPI
import Foundation
import LanguageModel
import ModelFiles
import ServiceRuntime
import TensorEngine
import Tokenization

/// A loaded model with what turns requests into its tokens and its tokens into text.
struct ServedModel: @unchecked Sendable {
    /// What it was asked by.
    let name: String
    let folder: URL
    /// Used by one thread at a time, the queue's.
    let model: CausalLanguageModel
    let configuration: ModelConfiguration
    let tokenizer: Tokenizer
    /// Why there are no conversations, where there are none.
    let chat: Result<ChatEncoder, any Error>
    let defaults: GenerationConfiguration?

    fileprivate init(name: String, folder: URL, dtype: LoadedType, threads: Int?) throws {
        let tokenizer = try Tokenizer(folder: folder)
        self.name = name
        self.folder = folder
        self.tokenizer = tokenizer
        configuration = try ModelConfiguration(folder: folder)
        chat = Result { try ChatEncoder(folder: folder, tokenizer: tokenizer) }
        defaults = try GenerationConfiguration.load(folder: folder)
        model = try CausalLanguageModel.load(
            folder: folder,
            context: threads.map { ComputeContext(threads: $0) } ?? ComputeContext(),
            weights: dtype.storage
        )
    }

    /// The tokens that end a text.
    func endTokens(isChat: Bool) -> [TokenID] {
        let chatEnds = isChat ? (try? chat.get().endTokens) ?? [] : []
        return Array(Set(chatEnds + configuration.eosTokenIDs + (defaults?.eosTokenIDs ?? []))).sorted()
    }
}

/// The models that are served; the one that was asked last is in memory, and the one before it while that is loaded.
actor ServedModels {
    private let only: (name: String, folder: URL)?
    private let store: ModelStore?
    private let dtype: LoadedType
    private let threads: Int?
    private var last: (folder: URL, task: Task<ServedModel, any Error>)?

    init(only: (name: String, folder: URL)?, store: ModelStore?, dtype: LoadedType, threads: Int?) {
        self.only = only
        self.store = store
        self.dtype = dtype
        self.threads = threads
    }

    /// The names that can be asked for.
    func names() throws -> [String] {
        if let only { return [only.name] }
        guard let store else { return [] }
        return try store.names().keys.sorted() + store.hashes()
    }

    /// A model by its name, loaded.
    ///
    /// - Throws: ``APIError`` where there is none.
    func model(_ name: String) async throws -> ServedModel {
        let folder = try folder(of: name)
        if let last, last.folder == folder { return try await last.task.value }
        let before = last?.task
        let task = Task { [dtype, threads] in
            // One is loaded at a time.
            _ = await before?.result
            return try await DedicatedThread.run(name: "load") { _ in
                try ServedModel(name: name, folder: folder, dtype: dtype, threads: threads)
            }
        }
        last = (folder, task)
        do {
            return try await task.value
        } catch {
            // Who asks next tries again.
            if last?.task == task { last = nil }
            throw error
        }
    }

    private func folder(of name: String) throws -> URL {
        if let only {
            guard name == only.name else { throw missing(name, known: [only.name]) }
            return only.folder
        }
        do {
            guard let store else { throw missing(name, known: []) }
            return try store.resolve(name).folder
        } catch let error as ModelFileError where error.code == .missing {
            throw missing(name, known: (try? names()) ?? [])
        }
    }

    private func missing(_ name: String, known: [String]) -> APIError {
        APIError(
            status: 404,
            parameter: "model",
            message:
                "The model '\(name.prefix(100))' is not served here; served are \(known.prefix(20).joined(separator: ", "))."
        )
    }
}
