import PostgresClient
public import Schemas

/// Which training problems a stage learns from; those that are left out for their overlaps are in none.
public struct TrainingSelection: Sendable, Hashable {
    /// The datasets.
    public var datasets: [String]
    /// The families; all when nil.
    public var families: [String]?
    /// The most problems, the first in order of id.
    public var limit: Int?
    /// The run, stage and round whose earlier rounds have not learned from them.
    public var newTo: StageID?

    /// The suites that must not be learned from, each as dataset and split with a blank between.
    var suites: [String]
    /// What the teacher has to be asked for; nil for a selection of no stage, whose problems are those that were taught.
    var needs: Set<TeachingPart>?

    /// Chooses problems.
    public init(datasets: [String], families: [String]? = nil, limit: Int? = nil, newTo: StageID? = nil) {
        self.datasets = datasets
        self.families = families
        self.limit = limit
        self.newTo = newTo
        suites = []
    }

    /// What a stage's data names; in a round that learns from new problems alone, those.
    ///
    /// Arguments:
    ///   - onlyNew: whether problems of earlier rounds are left out.
    public init(_ stage: RunStage, of run: RunEvent, round: Int, onlyNew: Bool) {
        self.init(
            datasets: stage.data?.datasets ?? [run.dataset],
            families: stage.data?.families,
            limit: stage.data?.limit,
            newTo: onlyNew && round > 1 ? StageID(run: run.id, round: round, stage: stage.name) : nil
        )
        suites = OverlapCondition.suites(of: run)
        needs = stage.teaching
    }

    /// The condition on the table `problems`.
    var condition: SQL {
        """
        problems.split = 'train' AND problems.dataset = ANY(\(datasets))
        AND \(OverlapCondition(datasets: datasets, suites: suites).sql)
        AND (\(families)::text[] IS NULL OR problems.family = ANY(\(families)))
        AND (\(newTo == nil) OR NOT EXISTS (
            SELECT 1 FROM stage_inputs AS input
            WHERE input.kind = 'problem' AND input.id = problems.id AND input.run_id = \(newTo?.run ?? "")
              AND input.stage = \(newTo?.stage ?? "") AND input.round < \(newTo?.round ?? 0)
        ))
        """
    }

    /// The condition on the table `problems` that something that is needed is there, or nothing is.
    var isTaught: SQL {
        guard let needs else { return "problems.state = 'ingested'" }
        return """
            problems.state IN ('registered', 'ingested')
            AND (\(needs.isEmpty) OR problems.taught && \(needs.names))
            """
    }

    /// The condition, with the limit.
    var limitedCondition: SQL {
        guard let limit else { return condition }
        return "problems.id IN (SELECT id FROM problems WHERE \(condition) ORDER BY id COLLATE \"C\" LIMIT \(limit))"
    }
}
