import Foundation
import PostgresClient
import Schemas
import ServiceRuntime

/// What is to be asked about the training problems of a data set at this moment, and for which runs.
struct TeachingNeeds: Sendable {
    /// Who needs it; the runs whose budget is spent are not among them.
    let wants: [TeachingWantStore.Want]
    /// What is asked for in any case.
    let always: Set<TeachingPart>

    /// All that is to be asked for.
    var parts: Set<TeachingPart> { wants.reduce(into: always) { $0.formUnion($1.parts) } }

    /// The run that pays for some parts: the oldest that needs one of them; nil where they are asked for in any case.
    func payer(of parts: Set<TeachingPart>) -> String? {
        guard !parts.isSubset(of: always) else { return nil }
        return wants.first { !$0.parts.isDisjoint(with: parts) }?.runID
    }
}

/// Reads and writes what runs need.
struct TeachingNeedsReader: Sendable {
    let pool: PostgresPool
    let ledger: StoredTeacherLedger
    let scope: TeachingScope
    /// How many orders are made at a time.
    let page: Int
    private let caughtUp = CaughtUp()

    init(pool: PostgresPool, ledger: StoredTeacherLedger, scope: TeachingScope, page: Int = 1_000) {
        self.page = page
        self.pool = pool
        self.ledger = ledger
        self.scope = scope
    }

    /// Takes up the active runs whose needs an earlier version did not write down.
    func catchUp() async throws {
        guard !caughtUp.isSet else { return }
        let known = Set(try await pool.values("SELECT DISTINCT run_id FROM teaching_wants", as: String.self))
        for run in try await RunStore.runs(active: true, from: pool) where !known.contains(run.id) {
            try await pool.withTransaction { try await enter(run, in: $0) }
        }
        caughtUp.set()
    }

    /// What is to be asked about a data set's problems.
    func needs(of dataset: String) async throws -> TeachingNeeds {
        guard scope.asks else { return TeachingNeeds(wants: [], always: []) }
        var wants: [TeachingWantStore.Want] = []
        for want in try await TeachingWantStore.wants(of: dataset, from: pool) {
            // A problem that only such a run needs is stored, and taught when its budget is raised.
            let budget = try await RunStore.run(want.runID, from: pool)?.teacherBudget
            if try await ledger.exhaustion(of: want.runID, budget) == nil { wants.append(want) }
        }
        return TeachingNeeds(wants: wants, always: scope.always)
    }

    /// The order for what runs began to need of a problem while it was worked on; nil where nothing is missing.
    ///
    /// Called in the transaction that writes the problem, which keeps the data set's lock.
    func missed(
        _ problem: ProblemEvent,
        after needs: TeachingNeeds,
        taught: Set<TeachingPart>,
        in transaction: PostgresTransaction
    ) async throws -> TeachingOrderEvent? {
        guard scope.asks else { return nil }
        try await TeachingWantStore.lock(problem.dataset, exclusive: false, in: transaction)
        let known = Set(needs.wants.map(\.runID))
        var missing = scope.always.subtracting(taught)
        var payer: String?
        for want in try await TeachingWantStore.wants(of: problem.dataset, from: transaction)
        where !known.contains(want.runID) {
            let more = want.parts.subtracting(taught)
            if !more.isEmpty { payer = payer ?? want.runID }
            missing.formUnion(more)
        }
        return missing.isEmpty ? nil : Self.order(of: problem.id, missing, for: payer)
    }

    /// Writes what a run needs, and orders what the problems that are there lack of it.
    ///
    /// Arguments:
    ///   - attempt: tells orders of the same run apart that are given again, after its budget was raised.
    func enter(_ run: RunEvent, attempt: String = "", in transaction: PostgresTransaction) async throws {
        let time = try await transaction.value("SELECT now() AS now", as: Date.self)
        let teaching = run.teaching
        for dataset in Set(teaching.keys).union(run.learnedDatasets).sorted() {
            let parts = teaching[dataset] ?? []
            try await TeachingWantStore.lock(dataset, exclusive: true, in: transaction)
            try await TeachingWantStore.insert(parts, of: run.id, dataset: dataset, in: transaction)
            guard scope.asks else { continue }
            if let agreement = run.agreement {
                try await send(in: transaction, time: time) { last in
                    try await ProblemStore.unanswered(dataset: dataset, after: last, limit: page, from: transaction).map
                    {
                        (Self.order(of: $0.id, agreement, for: run.id, attempt: attempt), $0.trace)
                    }
                }
            }
            guard !parts.isEmpty else { continue }
            try await send(in: transaction, time: time) { last in
                try await TeachingWantStore.backlog(
                    of: dataset,
                    lacking: parts,
                    after: last,
                    limit: page,
                    in: transaction
                ).map { (Self.order(of: $0.problemID, $0.missing, for: run.id, attempt: attempt), $0.trace) }
            }
        }
    }

    /// Sends orders, of which a page is made at a time, however many there are: those of the problems behind one.
    private func send(
        in transaction: PostgresTransaction,
        time: Date,
        _ orders: (_ last: String) async throws -> [(order: TeachingOrderEvent, trace: TraceContext?)]
    ) async throws {
        var last = ""
        while true {
            let some = try await orders(last)
            try await transaction.send(
                some.map {
                    try OutgoingEvent(
                        $0.order,
                        source: TeacherIngestionProcessor.source,
                        time: time,
                        // What comes of it belongs to the problem's own story.
                        trace: $0.trace ?? TraceContext.current
                    )
                }
            )
            guard some.count == page, let end = some.last else { return }
            last = end.order.problemId
        }
    }

    /// The order for the answer of a problem that has come without one; nil where no run asks for it.
    ///
    /// Called in the transaction that writes the problem.
    func answer(of problem: ProblemEvent, in transaction: PostgresTransaction) async throws -> TeachingOrderEvent? {
        guard scope.asks else { return nil }
        try await TeachingWantStore.lock(problem.dataset, exclusive: false, in: transaction)
        for run in try await RunStore.runs(active: true, from: transaction)
        where run.learnedDatasets.contains(problem.dataset) {
            if let agreement = run.agreement { return Self.order(of: problem.id, agreement, for: run.id) }
        }
        return nil
    }

    private static func order(
        of problem: String,
        _ agreement: RunAgreement,
        for run: String,
        attempt: String = ""
    ) -> TeachingOrderEvent {
        TeachingOrderEvent(
            id: DeterministicID.make(cause: run, parts: ["answer", problem, attempt]),
            problemId: problem,
            parts: [],
            agreement: agreement,
            runId: run
        )
    }

    private static func order(
        of problem: String,
        _ parts: Set<TeachingPart>,
        for run: String?,
        attempt: String = ""
    ) -> TeachingOrderEvent {
        TeachingOrderEvent(
            id: DeterministicID.make(cause: run ?? problem, parts: ["teach", problem, attempt] + parts.names),
            problemId: problem,
            parts: parts.sorted(),
            runId: run
        )
    }
}
