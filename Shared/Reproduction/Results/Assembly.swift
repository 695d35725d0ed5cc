import Distillation
import Foundation
import Reasoning
import Schemas
import Teaching

extension Reproduction {
    /// Puts together what the jobs found.
    func results() async throws -> TableResults {
        var rows: [RowResult] = []
        var seconds = 0.0
        for arm in table.arms {
            let trials = try await trials(of: arm)
            seconds += trials.reduce(0) { $0 + $1.trial.seconds }
            for point in try await notebook.search(arm, plan: plan) {
                let key = TrialKey(arm: arm.id, seed: plan.searchSeed, rate: point.rate)
                seconds += try await notebook.trial(key).seconds
            }
            rows.append(try await row(arm, trials))
        }
        for index in rows.indices {
            rows[index].comparisons = (table.arm(rows[index].arm)?.against ?? []).flatMap { other in
                rows.first { $0.arm == other }.map { comparisons(rows[index], $0) } ?? []
            }
        }
        let probes = await notebook.probes
        return TableResults(
            table: table,
            plan: plan,
            rows: rows,
            claims: table.claims.compactMap { claim(($0), rows) },
            probes: table.probes.compactMap { probes[$0.id] },
            yields: try await yields(),
            examples: try await examples(),
            seconds: seconds
        )
    }

    private func trials(of arm: Arm) async throws -> [(seed: UInt64, trial: Trial)] {
        var trials: [(UInt64, Trial)] = []
        for seed in plan.seeds {
            trials.append((seed, try await notebook.chosen(arm, seed: seed, plan: plan).trial))
        }
        return trials
    }

    private func row(_ arm: Arm, _ trials: [(seed: UInt64, trial: Trial)]) async throws -> RowResult {
        let seeds = trials.map { seed, trial in
            SeedResult(
                seed: seed,
                suites: trial.suites,
                tokens: trial.tokens,
                examples: trial.examples,
                loss: trial.loss,
                trainSeconds: trial.trainSeconds,
                correction: trial.correction
            )
        }
        func spreads(_ outcomes: (SuiteResult) -> String?) -> [String: Spread] {
            var spreads: [String: Spread] = [:]
            for suite in SuiteName.reported {
                let values = seeds.compactMap { $0.suites[suite].flatMap(outcomes) }.map(SuiteResult.share)
                if !values.isEmpty, values.count == seeds.count { spreads[suite] = Spread(values) }
            }
            return spreads
        }
        let corrections = seeds.compactMap(\.correction)
        return RowResult(
            arm: arm.id,
            rate: try await notebook.bestRate(arm, plan: plan),
            search: try await notebook.search(arm, plan: plan),
            seeds: seeds,
            accuracy: spreads(\.outcomes),
            selfCorrected: spreads(\.selfCorrected),
            locate: corrections.isEmpty ? nil : Spread(corrections.map { SuiteResult.share($0.located) }),
            correct: corrections.isEmpty ? nil : Spread(corrections.map { SuiteResult.share($0.corrected) }),
            comparisons: []
        )
    }

    // MARK: Comparisons

    private func comparisons(_ row: RowResult, _ other: RowResult) -> [Comparison] {
        SuiteName.reported.compactMap { suite in
            compare(row, other, suite: suite, first: { $0.suites[suite]?.outcomes })
        }
    }

    private func compare(
        _ row: RowResult,
        _ other: RowResult,
        suite: String,
        first: @escaping (SeedResult) -> String?,
        second: ((SeedResult) -> String?)? = nil
    ) -> Comparison? {
        func outcomes(_ text: String?) -> [Bool] { (text ?? "").utf8.map { $0 == UInt8(ascii: "1") } }
        let groups = zip(row.seeds, other.seeds).map {
            (first: outcomes(first($0)), second: outcomes((second ?? first)($1)))
        }
        guard let found = PairedDifference(groups) else { return nil }
        return Comparison(
            against: other.arm,
            suite: suite,
            difference: found.difference,
            low: found.low,
            high: found.high,
            pValue: found.pValue,
            bySeed: found.byGroup
        )
    }

    private func claim(_ claim: Claim, _ rows: [RowResult]) -> ClaimResult? {
        guard let row = rows.first(where: { $0.arm == claim.arm }),
            let other = rows.first(where: { $0.arm == claim.against })
        else { return nil }
        let suite = claim.suite
        // What is compared of each arm: one mark a problem or attempt.
        let first: (SeedResult) -> String?
        var second: ((SeedResult) -> String?)?
        switch claim.measure {
        case .accuracy: first = { $0.suites[suite]?.outcomes }
        case .locate: first = { $0.correction?.located }
        case .correct: first = { $0.correction?.corrected }
        case .selfCorrectionGain:
            first = { $0.suites[suite]?.selfCorrected }
            second = { $0.suites[suite]?.outcomes }
        }
        let measured = compare(row, other, suite: suite, first: first, second: second)
        guard let measured else { return nil }
        return ClaimResult(claim: claim, measured: measured, verdict: Self.verdict(claim.direction, measured))
    }

    /// What a measured difference says of a claimed direction.
    static func verdict(_ direction: Claim.Direction, _ measured: Comparison) -> ClaimResult.Verdict {
        let sign = direction == .above ? 1.0 : -1
        let leavesOutZero = measured.low > 0 || measured.high < 0
        let isOneWay = measured.bySeed.allSatisfy { $0 > 0 } || measured.bySeed.allSatisfy { $0 < 0 }
        if sign * measured.difference > 0 { return leavesOutZero && isOneWay ? .shown : .inDirection }
        return leavesOutZero && isOneWay ? .reversed : .notShown
    }

    // MARK: Yields

    private func yields() async throws -> [SeedYields] {
        var yields: [SeedYields] = []
        for seed in plan.seeds {
            let data = try await notebook.seedData(seed)
            let found = TeachingYields(data.traces)
            let stages = [
                ("chains of thought", found.chains), ("rectified chains", found.rectified),
                ("corrupted chains", found.corrupted), ("thought templates", found.templates.stage),
            ].map { name, stage in
                SeedYields.Yield(name: name, verified: stage.verified, asked: stage.asked, retries: stage.retries)
            }
            yields.append(SeedYields(seed: seed, stages: stages))
        }
        return yields
    }
}

extension Spread {
    /// Mean and sample standard deviation of values.
    init(_ values: [Double]) {
        let count = Double(max(1, values.count))
        let mean = values.reduce(0, +) / count
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        self.init(
            mean: mean,
            deviation: values.count > 1 ? (squares / (count - 1)).squareRoot() : 0,
            values: values
        )
    }
}
