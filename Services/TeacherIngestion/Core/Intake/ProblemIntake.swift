import Foundation
import Logging
import Metrics
import PostgresClient
public import Reasoning
import Schemas
import ServiceRuntime
import Synchronization

/// What is looked for when a problem comes.
public struct IntakeOptions: Sendable {
    /// Whether problems to learn from are compared with each other.
    public var findsDuplicates: Bool
    /// When an evaluation question that stands in a problem to learn from contaminates it; nil to look for none.
    public var decontamination: Decontamination.Rule?

    /// Makes options; everything is looked for by default.
    public init(findsDuplicates: Bool = true, decontamination: Decontamination.Rule? = .standard) {
        self.findsDuplicates = findsDuplicates
        self.decontamination = decontamination
    }

    /// Nothing is looked for.
    public static let off = IntakeOptions(findsDuplicates: false, decontamination: nil)
}

/// Finds the problems that are the same as others, or give away one of an evaluation set, when they come.
///
/// Every overlap is written down, whatever the data sets. Within a data set the problem to learn from is left out at once, and
/// no teacher is asked about it; across data sets it is left out of the runs that have both, for other runs need it. Problems
/// of evaluation sets are never left out: what a suite measures must not depend on what came before it.
struct ProblemIntake: Sendable {
    /// The most runs of words that are kept of a question: those of its first eight thousand words.
    static let gramLimit = 8_192

    private let pool: PostgresPool
    private let options: IntakeOptions
    private let logger: Logger
    private let caughtUp = CaughtUp()

    init(pool: PostgresPool, options: IntakeOptions, logger: Logger) {
        self.pool = pool
        self.options = options
        self.logger = logger
    }

    private var isOff: Bool { !options.findsDuplicates && options.decontamination == nil }

    /// Writes down what a problem is found by and what overlaps it, once.
    ///
    /// - Returns: the state of a problem that is left out; nil of one that is not.
    func claim(_ problem: ProblemEvent) async throws -> ProblemStore.State? {
        guard !isOff else { return nil }
        try await catchUp()
        let state = try await enter(problem)
        if let state {
            Counter(label: MetricName.problemsLeftOut.rawValue, dimensions: [("reason", state.rawValue)]).increment()
            logger.notice(
                "problem left out",
                metadata: ["problem": "\(problem.id)", "reason": "\(state.rawValue)", "dataset": "\(problem.dataset)"]
            )
        }
        return state
    }

    /// The state with which a problem is to be stored once its work is done: an evaluation set may have come meanwhile.
    func settledState(
        of problem: ProblemEvent,
        otherwise state: ProblemStore.State,
        in transaction: PostgresTransaction
    ) async throws -> ProblemStore.State {
        guard !isOff else { return state }
        try await ProblemOverlapStore.lock(in: transaction)
        return try await ProblemOverlapStore.state(of: problem.id, in: transaction) ?? state
    }

    /// Takes up the problems that an earlier version stored without looking at them.
    private func catchUp() async throws {
        guard !caughtUp.isSet else { return }
        while true {
            let problems = try await ProblemOverlapStore.unknown(limit: 200, from: pool)
            if problems.isEmpty { break }
            for problem in problems { _ = try await enter(problem) }
        }
        caughtUp.set()
    }

    private func enter(_ problem: ProblemEvent) async throws -> ProblemStore.State? {
        let print = ProblemFingerprint(question: problem.question, answer: problem.answer)
        let stored = ProblemOverlapStore.Fingerprint(
            problem: problem,
            digest: Int64(bitPattern: print.digest),
            bands: print.bands.map { Int64(bitPattern: $0) },
            grams: Decontamination.grams(of: print.text).prefix(Self.gramLimit).map { Int64(bitPattern: $0) }
        )
        return try await pool.withTransaction { transaction in
            try await ProblemOverlapStore.lock(in: transaction)
            if try await !ProblemOverlapStore.isKnown(problem, in: transaction) {
                try await ProblemOverlapStore.insert(stored, in: transaction)
                let found = try await overlaps(of: stored, print, in: transaction)
                try await ProblemOverlapStore.insert(found.map(\.overlap), in: transaction)
                let time = Date()
                try await transaction.send(
                    try found.map {
                        try OutgoingEvent($0.removal, source: TeacherIngestionProcessor.source, time: time)
                    }
                )
            }
            return try await ProblemOverlapStore.state(of: problem.id, in: transaction)
        }
    }

    private func overlaps(
        of stored: ProblemOverlapStore.Fingerprint,
        _ print: ProblemFingerprint,
        in transaction: PostgresTransaction
    ) async throws -> [Found] {
        let problem = stored.problem
        var found: [String: Found] = [:]
        func add(_ other: ProblemEvent, kind: RemovalEvent.Kind, similarity: Double) {
            guard found[other.id] == nil else { return }
            // It is always the problem to learn from that is left out.
            let (left, stays) = problem.split.isEvaluated ? (other, problem) : (problem, other)
            found[other.id] = Found(left: left, stays: stays, kind: kind, similarity: similarity)
        }
        for other in try await ProblemOverlapStore.alike(stored, in: transaction) {
            switch (problem.split.isEvaluated, other.split.isEvaluated) {
            case (true, true): continue
            case (false, false): guard options.findsDuplicates else { continue }
            case (true, false), (false, true): guard options.decontamination != nil else { continue }
            }
            let otherPrint = ProblemFingerprint(question: other.question, answer: other.answer)
            guard let kind = print.relation(to: otherPrint) else { continue }
            add(other, kind: kind == .exact ? .exact : .near, similarity: kind.similarity)
        }
        if let rule = options.decontamination {
            let splits = ProblemSplit.allCases.filter { $0.isEvaluated != problem.split.isEvaluated }
            for other in try await ProblemOverlapStore.sharing(stored, splits: splits, in: transaction) {
                let otherText = NormalizedText(other.question)
                let overlap =
                    problem.split.isEvaluated
                    ? Decontamination.overlap(of: print.text, in: otherText)
                    : Decontamination.overlap(of: otherText, in: print.text)
                if overlap.isContamination(by: rule) { add(other, kind: .contains, similarity: overlap.share) }
            }
        }
        return found.values.sorted { ($0.left.id, $0.stays.id) < ($1.left.id, $1.stays.id) }
    }
}

/// Two problems that overlap.
private struct Found {
    /// The one to learn from, which is left out.
    let left: ProblemEvent
    let stays: ProblemEvent
    let kind: RemovalEvent.Kind
    let similarity: Double

    var overlap: ProblemOverlapStore.Overlap {
        .init(problemID: left.id, otherID: stays.id, kind: kind.rawValue, similarity: similarity)
    }

    var removal: RemovalEvent {
        RemovalEvent(
            // A text that was corrected under its id, or kept back under another, may overlap the same problem otherwise.
            id: DeterministicID.make(
                cause: left.id,
                parts: "removal",
                stays.id,
                left.question,
                stays.question,
                kind.rawValue,
                left.dataset,
                stays.dataset
            ),
            problemId: left.id,
            dataset: left.dataset,
            split: left.split,
            from: left.dataset == stays.dataset ? .all : .runs,
            kind: kind,
            similarity: min(1, max(0, similarity)),
            otherId: stays.id,
            otherDataset: stays.dataset,
            otherSplit: stays.split
        )
    }
}

extension ProblemSplit {
    /// Whether students are scored on it, and learn nothing from it.
    fileprivate var isEvaluated: Bool { self == .development || self == .test }
}
