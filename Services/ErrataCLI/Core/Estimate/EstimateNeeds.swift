import PostgresClient
import Schemas
import ServiceRuntime

/// What a teacher will be asked about a file's problems, and why.
struct EstimateNeeds: Sendable, Equatable {
    let parts: [EstimatePart]
    /// Who wants it.
    let reason: String
    /// How an active run has problems answered that have no answer.
    var agreement: RunAgreement?

    init(parts: [EstimatePart], reason: String, agreement: RunAgreement? = nil) {
        self.parts = parts
        self.reason = reason
        self.agreement = agreement
    }

    /// What is estimated, in words.
    var words: String { "estimated: \(parts.map(\.rawValue).joined(separator: ", ")); \(reason)" }

    /// What active runs need of a data set's problems; all parts where none needs anything, as a run may come.
    static func read(dataset: String, from pool: PostgresPool) async throws -> EstimateNeeds {
        let runs = try await RunStore.runs(active: true, from: pool).filter { $0.learnedDatasets.contains(dataset) }
        let agreement = runs.compactMap(\.agreement).first
        let needed = runs.reduce(into: Set<TeachingPart>()) { $0.formUnion($1.teaching[dataset] ?? []) }
        guard !needed.isEmpty else {
            return EstimateNeeds(parts: EstimatePart.allCases, reason: noRun(dataset), agreement: agreement)
        }
        // A pair is made of a chain, which is asked for with it.
        let asked = needed.contains(.duals) ? needed.union([.chains]) : needed
        return EstimateNeeds(
            parts: EstimatePart.allCases.filter { asked.names.contains($0.rawValue) },
            reason: "what active runs need of \(dataset)",
            agreement: agreement
        )
    }

    private static func noRun(_ dataset: String) -> String {
        "no active run needs anything of \(dataset) yet, and nothing is asked before one does (--parts names less)"
    }
}
