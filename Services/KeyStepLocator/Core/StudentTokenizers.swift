public import LanguageModel
import RunTraining
public import Schemas
import Synchronization
public import Tokenization

/// Where the tokenizers of students come from.
public protocol StudentTokenizers: Sendable {
    /// The tokenizer of a student.
    ///
    /// - Throws: when it cannot be read now; it is asked for again later.
    func tokenizer(of student: StudentReference) async throws -> Tokenizer

    /// Checks that a run can be taken up, as all services do.
    ///
    /// - Throws: `PermanentFailure` that names the field and the cure.
    func check(_ run: RunEvent) throws
}

/// Tokenizers out of the model store, each read once.
public final class StoredTokenizers: StudentTokenizers {
    private let store: ModelStore
    private let read = Mutex<[String: Tokenizer]>([:])

    /// Creates tokenizers of the models in `store`.
    public init(store: ModelStore) { self.store = store }

    /// Checks the run's student and recipe, not its memory: who trains it may have more than this service, and says so.
    public func check(_ run: RunEvent) throws { try RunCheck.check(run, store: store, memory: false) }

    /// The tokenizer, out of the store the first time.
    public func tokenizer(of student: StudentReference) async throws -> Tokenizer {
        if let tokenizer = read.withLock({ $0[student.modelHash] }) { return tokenizer }
        let tokenizer = try Tokenizer(folder: store.folder(student.modelHash))
        read.withLock { $0[student.modelHash] = tokenizer }
        return tokenizer
    }
}
