/// The metrics that the services serve at `/metrics`.
///
/// Names, labels and units stay as they are from version to version: dashboards and alerts rest on them. Base units are
/// seconds and bytes; counters end in `_total`.
public enum MetricName: String, CaseIterable, Sendable {
    // Messages
    case messages = "errata_messages_total"
    case consumerLag = "errata_consumer_lag_messages"
    case unfinishedOldestAge = "errata_messages_oldest_unfinished_age_seconds"
    case consumerBufferedMessages = "errata_consumer_buffered_messages"
    case consumerBufferedBytes = "errata_consumer_buffered_bytes"
    case consumerHeldBack = "errata_consumer_held_back"
    case consumerRebalances = "errata_consumer_rebalances_total"
    case kafkaBrokersUp = "errata_kafka_brokers_up"
    case producerQueuedMessages = "errata_producer_queued_messages"
    case producerQueuedBytes = "errata_producer_queued_bytes"
    case outboxRefused = "errata_outbox_refused_total"
    case outboxUnpublished = "errata_outbox_unpublished_events"
    case outboxOldestAge = "errata_outbox_oldest_unpublished_age_seconds"
    case deadLetters = "errata_dead_letters"
    case parkedMessages = "errata_parked_messages"
    case parkedOldestAge = "errata_parked_messages_oldest_age_seconds"
    case storedMessages = "errata_stored_messages"
    case storedOldestAge = "errata_stored_messages_oldest_age_seconds"

    // Database
    case poolConnections = "errata_database_pool_connections"
    case poolConnectionsInUse = "errata_database_pool_connections_in_use"
    case poolConnectionLimit = "errata_database_pool_connection_limit"
    case poolWaiting = "errata_database_pool_waiting_tasks"

    // Teacher
    case teacherCalls = "errata_teacher_calls_total"
    case teacherTokens = "errata_teacher_tokens_total"
    case teacherCost = "errata_teacher_cost_total"
    case teacherAnswerTime = "errata_teacher_answer_seconds"
    case teacherLedgerCalls = "errata_teacher_ledger_calls_total"
    case teacherLedgerTokens = "errata_teacher_ledger_tokens_total"
    case teacherLedgerCost = "errata_teacher_ledger_cost_total"
    case teacherPauses = "errata_teacher_pauses"
    case teacherOldestPauseAge = "errata_teacher_oldest_pause_age_seconds"
    case traces = "errata_traces_total"
    case problemsLeftOut = "errata_problems_left_out_total"
    case keySteps = "errata_key_steps_total"

    // Training and evaluation
    case trainingJobs = "errata_training_jobs"
    case trainingOldestWaitingAge = "errata_training_oldest_waiting_job_age_seconds"
    case trainingStep = "errata_training_step"
    case trainingPlannedSteps = "errata_training_planned_steps"
    case trainingLoss = "errata_training_loss"
    case trainingLearningRate = "errata_training_learning_rate"
    case trainingGradientNorm = "errata_training_gradient_norm"
    case trainingTokens = "errata_training_tokens"
    case trainingTokenRate = "errata_training_tokens_per_second"
    case trainingChosenReward = "errata_training_chosen_reward"
    case trainingRejectedReward = "errata_training_rejected_reward"
    case trainingRewardMargin = "errata_training_reward_margin"
    case trainingRewardAccuracy = "errata_training_reward_accuracy_ratio"
    case evaluationJobs = "errata_evaluation_jobs"
    case evaluationOldestAge = "errata_evaluation_oldest_job_age_seconds"
    case evaluationScore = "errata_evaluation_score_ratio"

    // The service itself
    case sourceUp = "errata_metrics_source_up"
    case droppedSeries = "errata_metrics_dropped_series_total"
    case spansDropped = "errata_spans_dropped_total"
    case residentMemory = "process_resident_memory_bytes"

    /// Whose figure it is.
    public enum Scope: String, Sendable {
        /// The process' own: those of several processes may be added up.
        case process
        /// Of the whole system, read from the database: every process that serves it says the same, so take the maximum.
        case system
    }

    /// What a metric is.
    struct Definition {
        let kind: MetricKind
        var scope = Scope.process
        var labels: [String] = []
        let help: String
    }

    /// How its values are to be read.
    public var kind: MetricKind { definition.kind }
    /// Whose figure it is.
    public var scope: Scope { definition.scope }
    /// The names of its labels.
    public var labels: [String] { definition.labels }
    /// What it counts or measures, in a line.
    public var help: String { definition.help }
}

/// The types of metrics, by their names in Prometheus' text format.
public enum MetricKind: String, Sendable {
    /// Grows from the start of the process, or of the system, on.
    case counter
    /// Goes up and down.
    case gauge
    /// Counts by upper bounds.
    case histogram
}
