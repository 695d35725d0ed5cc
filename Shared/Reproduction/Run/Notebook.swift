import Distillation
import Foundation
import LanguageModel
import Schemas

/// What is known so far: shared by the jobs, and kept in files so that it outlives the process.
actor Notebook {
    /// A seed's untrained student.
    struct Student: Sendable, Codable {
        var fingerprint: String
        var modelHash: String
        var tokenizerFingerprint: String

        /// The student as a run names it.
        var reference: StudentReference {
            StudentReference(modelHash: modelHash, tokenizerFingerprint: tokenizerFingerprint)
        }
    }

    /// A value with a short name of all that it says, which results made from it are kept under.
    private struct Digested<Value> {
        let value: Value
        let digest: String
    }

    private var data: [UInt64: Digested<SeedData>] = [:]
    private var students: [UInt64: Student] = [:]
    private var trials: [String: Trial] = [:]
    private var rollouts: [String: Digested<Rollout>] = [:]
    private(set) var probes: [String: ProbeResult] = [:]

    func add(_ found: SeedData) throws { data[found.seed] = Digested(value: found, digest: try fingerprint(found)) }
    func add(_ student: Student, seed: UInt64) { students[seed] = student }
    func add(_ trial: Trial, _ key: TrialKey) { trials[key.name] = trial }
    func add(_ rollout: Rollout, _ name: String) throws {
        rollouts[name] = Digested(value: rollout, digest: try fingerprint(rollout.training))
    }
    func add(_ probe: ProbeResult) { probes[probe.probe] = probe }

    func seedData(_ seed: UInt64) throws -> SeedData { try known(data[seed], "the data of seed \(seed)").value }
    func digest(ofSeed seed: UInt64) throws -> String { try known(data[seed], "the data of seed \(seed)").digest }
    func student(_ seed: UInt64) throws -> Student { try known(students[seed], "the student of seed \(seed)") }
    func trial(_ key: TrialKey) throws -> Trial { try known(trials[key.name], key.name) }
    func rollout(_ name: String) throws -> Rollout { try known(rollouts[name], name).value }
    func digest(ofRollout name: String) throws -> String { try known(rollouts[name], name).digest }

    /// The rate of the best trial on the development split, of equals the lowest; `nil` for an arm that is not trained.
    func bestRate(_ arm: Arm, plan: ReproductionPlan) throws -> Double? {
        let points = try search(arm, plan: plan)
        return points.max { ($0.accuracy, -$0.rate) < ($1.accuracy, -$1.rate) }?.rate
    }

    /// The trial of an arm for a seed at its best rate, with its key.
    func chosen(_ arm: Arm, seed: UInt64, plan: ReproductionPlan) throws -> (key: TrialKey, trial: Trial) {
        let key = TrialKey(arm: arm.id, seed: seed, rate: try bestRate(arm, plan: plan))
        return (key, try trial(key))
    }

    /// The accuracy on the development split by candidate rate.
    func search(_ arm: Arm, plan: ReproductionPlan) throws -> [SearchPoint] {
        try plan.rates(arm).map { rate in
            let trial = try trial(TrialKey(arm: arm.id, seed: plan.searchSeed, rate: rate))
            return SearchPoint(
                rate: rate,
                accuracy: SuiteResult.share(trial.suites[SuiteName.development]?.outcomes ?? "")
            )
        }
    }

    private func known<Value>(_ value: Value?, _ name: String) throws -> Value {
        guard let value else { throw ReproductionError("\(name) is needed before it was made") }
        return value
    }
}

/// Which training: names its files too.
struct TrialKey: Sendable, Hashable {
    var arm: String
    var seed: UInt64
    /// `nil` for an arm that is not trained.
    var rate: Double?

    var name: String { "trials/seed-\(seed)/\(arm)" + (rate.map { "@\($0)" } ?? "") }
}

/// Why a reproduction cannot go on.
public struct ReproductionError: Error, Sendable, CustomStringConvertible {
    /// Place and cure, in a sentence.
    public let description: String

    init(_ description: String) { self.description = description }
}
