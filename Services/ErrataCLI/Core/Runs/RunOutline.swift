import Distillation
import Foundation
import LanguageModel
import PostgresClient
import RunTraining
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
        for stage in run.stagesInOrder { lines.append(try line(of: stage)) }
        if let line = rolloutLine { lines.append(line) }
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
            var line = "scored on \(suite.name): "
            if let limit = suite.limit, limit < suite.expectedProblems { line += "the first \(limit) of " }
            line += "\(suite.expectedProblems) problems of \(suite.dataset), \(suite.split.rawValue)"
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
        if !run.suites.isEmpty { lines.append(decodingLine) }
        if let rounds = run.rounds {
            var starts: [String] = []
            if let count = rounds.newProblems { starts.append("\(count) new problems") }
            if let seconds = rounds.afterSeconds { starts.append("\(Int(seconds)) s") }
            let when = starts.isEmpty ? "by hand (`errata runs round`)" : "after \(starts.joined(separator: " or "))"
            let end = rounds.maximum.map { "at most \($0)" } ?? "until it is cancelled"
            lines.append(
                "rounds \(when), \(end), from the \(rounds.from ?? RunStage.champion), on \(Self.problems(of: rounds))"
            )
        }
        if let gate = run.gate {
            var line =
                "gate: \(run.candidateStage ?? "") against the champion on \(gate.suite), level "
                + "\(gate.level ?? RunGate.defaultLevel) over all looks, least gain \(gate.leastGain ?? 0)"
            if let others = gate.mustNotFall, !others.isEmpty {
                line += ", and must not fall on \(others.joined(separator: ", "))"
            }
            lines.append(line)
        }
        return lines
    }

    /// Which students attempt what, and how; nil where no stage learns from attempts.
    private var rolloutLine: String? {
        let parents = Set(run.stages.filter(\.needsRollout).map(\.parentName)).sorted()
        guard !parents.isEmpty else { return nil }
        let rollout = run.rollout ?? RolloutOptions()
        let count = rollout.limit.map { "the first \($0)" } ?? "all"
        var line =
            "attempts by \(parents.joined(separator: ", ")): \(count) problems of \(run.dataset), \(rollout.split.rawValue), "
            + "\(rollout.samples) each, \(Self.words(rollout.temperature))"
        if rollout.samples > 1, rollout.temperature == 0 { line += ", which are all the same" }
        return line
    }

    /// How the student writes its answers.
    private var decodingLine: String {
        guard let decoding = run.decoding else { return "answers: greedy" }
        var parts = [Self.words(decoding.temperature), "at most \(decoding.maximumNewTokens) tokens"]
        if let topK = decoding.topK { parts.append("of the \(topK) likeliest tokens") }
        if let topP = decoding.topP { parts.append("of the likeliest \(topP) of the probability") }
        if let penalty = decoding.repetitionPenalty { parts.append("repetition penalty \(penalty)") }
        if let stop = decoding.stop, !stop.isEmpty {
            parts.append("ended by \(stop.map { String(reflecting: $0) }.joined(separator: ", "))")
        }
        if decoding.selfCorrection == true { parts.append("corrected by the student itself in a second pass") }
        if let endpoint = decoding.endpoint { parts.append("written by the server \(endpoint)") }
        return "answers: " + parts.joined(separator: ", ")
    }

    private static func words(_ temperature: Double) -> String {
        temperature == 0 ? "greedy" : "at temperature \(temperature)"
    }

    /// What a later round learns from.
    private static func problems(of rounds: RunRounds) -> String {
        switch rounds.data ?? "all" {
        case "new": "new problems alone"
        case "replay": "new problems and a share of \(rounds.replayShare ?? RunRounds.defaultReplayShare) of the old"
        default: "all problems"
        }
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

    private func line(of stage: RunStage) throws -> String {
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
        if stage.tokensOf == nil {
            parts.append(
                options.maximumSteps.map { "\($0) steps" } ?? options.maximumTokens.map { "\($0) tokens" }
                    ?? "\(options.epochs) epochs"
            )
        }
        parts.append("a rate of \(options.learningRate)")
        if let lora = stage.training?.lora { parts.append("LoRA of rank \(lora.rank)") }
        if stage.engine == nil {
            let memory = try RunCheck.memory(of: stage, seed: run.seed, folder: folder)
            let bytes = memory.training.need.total
            parts.append("about \(ByteCount.text(bytes)) of memory \(memory.circumstance.dropLast(2))")
        }
        return "  \(stage.name), from \(stage.parentName): " + parts.joined(separator: ", ")
    }
}
