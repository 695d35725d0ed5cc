import Distillation
import Reasoning
public import Schemas
import Training

extension ReproductionTable {
    /// An arm's recipe for a seed: the run whose stages lead from the seed's untrained student to the arm's, each under its
    /// arm's id.
    ///
    /// The table's own trainings are these stages, made into examples and options by the same code as a service's; what
    /// they learn from lies in the seed's folder. In a service a stage starts when the teacher is through with all training
    /// problems; where some of them gave nothing, so that the number is never reached, it starts after its longest wait
    /// with all that there is.
    ///
    /// - Parameters:
    ///   - id: the arm's id.
    ///   - plan: sizes and budgets.
    ///   - seed: of the problems, the student and everything random; at most 2^53 - 1.
    ///   - rates: the learning rates of the arm and of those that it starts from, by arm, such as ``TableResults/rates``.
    ///   - student: the seed's untrained student, see ``Reproduction/student(ofSeed:)``.
    /// - Returns: the run, with the table's suites and decoding; it is a valid event.
    /// - Throws: ``ReproductionError`` for an arm that the table does not have, or one without a rate; `SchemasError` for
    ///   what no run can have, such as a seed that is too large.
    public func recipe(
        ofArm id: String,
        plan: ReproductionPlan,
        seed: UInt64,
        rates: [String: Double],
        student: StudentReference
    ) throws -> RunEvent {
        guard let arm = arm(id) else {
            throw ReproductionError("\(self.id) has no arm '\(id)'; it has \(arms.map(\.id).joined(separator: ", "))")
        }
        let run = try recipe(of: arm, plan: plan, seed: seed, rates: rates, student: student)
        try run.validate()
        return run
    }

    /// The recipe of an arm, which need not be one of the table's own if its parent is.
    func recipe(
        of arm: Arm,
        plan: ReproductionPlan,
        seed: UInt64,
        rates: [String: Double],
        student: StudentReference
    ) throws -> RunEvent {
        var stages: [RunStage] = []
        for ancestor in lineage(of: arm) {
            guard let stage = ancestor.stage, let length = ancestor.length else { continue }
            guard let rate = rates[ancestor.id] else {
                let candidates = plan.rates(ancestor).map { "\($0)" }.joined(separator: ", ")
                throw ReproductionError("the arm \(ancestor.id) needs a learning rate, for example of \(candidates)")
            }
            var complete = stage
            complete.parent = stages.last?.name ?? RunStage.initial
            complete.answers = ancestor.style.format.answers
            complete.start = plan.start(of: stage)
            complete.training = plan.training(stage.training ?? TrainingBlock(), length: length, rate: rate)
            stages.append(complete)
        }
        let correctsItself = arm.isSecondPass || (rolloutArm != nil && arm.isTrained)
        return RunEvent(
            id: "reproduction-\(id)-\(arm.id)-\(seed)",
            name: arm.title,
            dataset: SeedProblems.dataset(seed: seed),
            seed: seed,
            student: student,
            prompt: stages.isEmpty ? RunPrompt(answers: arm.style.format.answers) : nil,
            stages: stages,
            rollout: stages.contains(where: \.needsRollout) ? Rollout.options : nil,
            suites: plan.suites(seed: seed),
            decoding: DecodingOptions(
                maximumNewTokens: plan.maximumNewTokens(arm.style),
                selfCorrection: correctsItself ? true : nil
            )
        )
    }

    /// The arms from the untrained student's to an arm, which is the last.
    func lineage(of arm: Arm) -> [Arm] {
        var lineage = [arm]
        // A table whose arms go round in a circle ends here too; its recipes are no valid runs.
        for _ in arms {
            guard let parent = lineage[0].parent.flatMap({ self.arm($0) }) else { break }
            lineage.insert(parent, at: 0)
        }
        return lineage
    }
}

extension ReproductionPlan {
    /// The candidate rates of an arm: as many for every arm of a stage, baselines included.
    func rates(_ arm: Arm) -> [Double] {
        switch arm.length {
        case nil: []
        case .tokens, .passes: supervisedRates
        case .secondStage: secondStageRates
        }
    }

    /// The longest answer of a style, in tokens: a chain without notes is half as long as a template.
    func maximumNewTokens(_ style: ResponseStyle) -> Int {
        style == .chain ? (maximumNewTokens + 1) / 2 : maximumNewTokens
    }

    /// The optimiser's options: the same for all arms of a stage but for the rate and what the arm itself says.
    fileprivate func training(_ own: TrainingBlock, length: Arm.Length, rate: Double) -> TrainingBlock {
        var block = own
        block.learningRate = rate
        block.batchSequences = batchSequences
        block.schedule = LearningRateSchedule.cosine.rawValue
        block.warmupRatio = 0.05
        switch length {
        case .tokens: block.maximumTokens = supervisedTokens
        case .passes: block.epochs = supervisedPasses
        case .secondStage: block.maximumTokens = secondStageTokens
        }
        return block
    }

    /// When a stage has all that it learns from.
    ///
    /// A problem gives at most one example of each source, and a rectified chain only in place of a right one.
    fileprivate func start(of stage: RunStage) -> StageStart? {
        if stage.needsRollout { return nil }
        let sources = stage.supervised?.sources.count { $0.kind != "rectifiedChains" } ?? 1
        return StageStart(examples: trainingProblems * max(1, sources))
    }

    /// What students are scored on.
    fileprivate func suites(seed: UInt64) -> [EvaluationSuite] {
        SuiteName.reported.map { name in
            EvaluationSuite(
                name: name,
                dataset: SeedProblems.dataset(seed: seed, suite: name),
                split: .test,
                expectedProblems: name == SuiteName.test ? testProblems : outOfDomainProblems
            )
        }
    }
}
