import Distillation
import Foundation
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime
import Training

/// What a run will do, told before it is sent.
struct RunOutline {
    let run: RunEvent
    let folder: URL
    /// The database, where it can be reached.
    let pool: PostgresPool?

    /// The outline, a line each.
    func lines() async throws -> [String] {
        let configuration = try ModelConfiguration(folder: folder)
        let parameters = Double(configuration.parameterCount) / 1e6
        var lines = [
            "run \(run.name) (\(run.id))",
            "student \(run.student.modelHash.prefix(12)), \((parameters * 10).rounded() / 10) million parameters, asked in "
                + "the form '\(run.promptStyle)'",
        ]
        for stage in run.stagesInOrder { lines.append(try await line(of: stage, configuration)) }
        if let pool {
            let (problems, leftOut) = try await ProblemStore.trainingCounts(of: run, from: pool)
            if leftOut > 0 {
                lines.append(
                    "of \(problems) training problems \(leftOut) are left out: they are duplicates, or hold a question of a "
                        + "suite (`errata problems` lists them)"
                )
            }
        }
        lines += try await teaching()
        for suite in run.suites {
            var line =
                "scored on \(suite.name): \(suite.expectedProblems) problems of \(suite.dataset), \(suite.split.rawValue)"
            if let stages = suite.stages { line += ", after \(stages.joined(separator: ", "))" }
            if let shots = suite.shots, shots > 0 { line += ", \(shots)-shot" }
            if let policy = suite.policy { line += ", graded by the policy \(policy)" }
            if let pool {
                let there = try await ProblemStore.count(dataset: suite.dataset, split: suite.split, from: pool)
                line += "; \(there) are there"
                if there < suite.expectedProblems {
                    line += ", scoring waits \(Int(suite.waitSeconds ?? EvaluationSuite.defaultWait)) s for the rest"
                }
            }
            lines.append(line)
        }
        if let rounds = run.rounds {
            var starts: [String] = []
            if let count = rounds.newProblems { starts.append("\(count) new problems") }
            if let seconds = rounds.afterSeconds { starts.append("\(Int(seconds)) s") }
            let when = starts.isEmpty ? "by hand (`errata runs round`)" : "after \(starts.joined(separator: " or "))"
            let end = rounds.maximum.map { "at most \($0)" } ?? "until it is cancelled"
            lines.append(
                "rounds \(when), \(end), from the \(rounds.from ?? RunStage.champion), on \(rounds.data ?? "all") problems"
            )
        }
        if let gate = run.gate {
            lines.append(
                "gate: \(run.candidateStage ?? "") against the champion on \(gate.suite), level "
                    + "\(gate.level ?? RunGate.defaultLevel) over all looks, least gain \(gate.leastGain ?? 0)"
            )
        }
        return lines
    }

    /// What the teacher is asked for the run, a line a data set.
    private func teaching() async throws -> [String] {
        var lines: [String] = []
        for (dataset, parts) in run.teaching.sorted(by: { $0.key < $1.key }) {
            var line = "the teacher is asked about training problems of \(dataset): "
            line += parts.names.joined(separator: ", ")
            if let pool {
                let backlog = try await TeachingWantStore.backlog(of: dataset, lacking: parts, in: pool)
                line += "; \(backlog.count) that are there lack something of it"
            }
            lines.append(line)
        }
        if let agreement = run.agreement {
            lines.append(
                "problems without an answer get the one that \(agreement.agreeing) of at most \(agreement.of) samples agree on"
            )
        }
        if let budget = run.teacherBudget {
            let bounds = [budget.tokens.map { "\($0) tokens" }, budget.cost.map { "\($0) in money" }].compactMap { $0 }
            lines.append("the teacher may cost \(bounds.joined(separator: " and "))")
        }
        return lines
    }

    private func line(of stage: RunStage, _ configuration: ModelConfiguration) async throws -> String {
        let options = try stage.trainingOptions(seed: run.seed)
        var parts: [String] = []
        switch stage.method {
        case .supervised(let method): parts.append(method.sources.map(\.kind).joined(separator: " + "))
        case .keySteps(let method): parts.append("key steps of \(method.form ?? "chains")")
        case .preferences(let method): parts.append("preferences, layout \(method.layout)")
        case nil: break
        }
        if let engine = stage.engine { parts.append("trained by \(engine)") }
        if let examples = stage.start?.examples { parts.append("from \(examples) examples") }
        if stage.needsCorrections { parts.append("when the wrong attempts are corrected") }
        if let others = stage.tokensOf { parts.append("as many tokens as \(others.joined(separator: ", "))") }
        if let last = stage.lastRound { parts.append("until round \(last)") }
        let length =
            options.maximumSteps.map { "\($0) steps" } ?? options.maximumTokens.map { "\($0) tokens" }
            ?? "\(options.epochs) epochs"
        parts.append("\(length) at \(options.learningRate)")
        if let lora = stage.training?.lora { parts.append("LoRA of rank \(lora.rank)") }
        if stage.engine == nil {
            let need = try memory(of: stage, options, configuration)
            parts.append("about \(ByteCount.text(need)) of memory")
        }
        return "  \(stage.name), from \(stage.parentName): " + parts.joined(separator: ", ")
    }

    /// The memory of a batch of examples of the longest length, or of 512 tokens.
    private func memory(
        of stage: RunStage,
        _ options: TrainingOptions,
        _ configuration: ModelConfiguration
    ) throws -> Int {
        let length = min(configuration.maximumPositions, stage.training?.maximumLength ?? 512)
        return TrainingMemory(
            configuration,
            storedBytes: try CausalLanguageModel.inspect(folder: folder).storedBytes,
            adapter: try (stage.training ?? TrainingBlock()).adapter(),
            options: options,
            lengths: [Int](repeating: length, count: max(1, options.batchSequences))
        ).need.total
    }
}
