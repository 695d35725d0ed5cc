extension MetricName {
    /// The labels of a training that goes on: its series end with it.
    private static let ofStage = ["run", "round", "stage"]

    /// What the metric is, for `/metrics` and for the page of `errata schema metrics`.
    var definition: Definition {
        switch self {
        // Messages
        case .messages:
            .init(
                kind: .counter,
                labels: ["consumer", "topic", "outcome"],
                help:
                    "Messages worked on, by outcome: processed, duplicate, passed_over, postponed, retried, stored, parked or "
                    + "dead_lettered. A message that is tried again counts at each try."
            )
        case .consumerLag:
            .init(
                kind: .gauge,
                labels: ["consumer", "topic", "partition"],
                help: "Messages between the committed position and the end of a partition that this process reads."
            )
        case .unfinishedOldestAge:
            .init(
                kind: .gauge,
                labels: ["consumer"],
                help:
                    "Age of the oldest message that this process has taken and not finished, since it was sent: one that is "
                    + "in work, waits for its turn, or is tried again and again; 0 when there is none. What is stored or "
                    + "parked has ages of its own."
            )
        case .consumerBufferedMessages:
            .init(
                kind: .gauge,
                labels: ["consumer"],
                help: "Messages that were fetched and wait for the worker."
            )
        case .consumerBufferedBytes:
            .init(
                kind: .gauge,
                labels: ["consumer"],
                help: "Bytes of the messages that were fetched and wait for the worker."
            )
        case .consumerHeldBack:
            .init(
                kind: .gauge,
                labels: ["consumer"],
                help: "1 while no messages are taken because the worker is behind (back-pressure), else 0."
            )
        case .consumerRebalances:
            .init(
                kind: .counter,
                labels: ["consumer"],
                help: "Rebalances of the consumer group that this process saw."
            )
        case .kafkaBrokersUp:
            .init(
                kind: .gauge,
                labels: ["client"],
                help: "Connections to Kafka that are up, by client: a consumer's name, or producer."
            )
        case .producerQueuedMessages:
            .init(kind: .gauge, help: "Events that wait in the producer for the broker's acknowledgement.")
        case .producerQueuedBytes:
            .init(kind: .gauge, help: "Bytes of the events that wait in the producer for the broker's acknowledgement.")
        case .outboxRefused:
            .init(
                kind: .counter,
                labels: ["topic"],
                help: "Events that the broker refused for good; each is among the dead letters."
            )
        case .outboxUnpublished:
            .init(
                kind: .gauge,
                scope: .system,
                help: "Events in the outbox that are not published yet; 100000 stands for as many or more."
            )
        case .outboxOldestAge:
            .init(
                kind: .gauge,
                scope: .system,
                help: "Age of the oldest event in the outbox that is not published yet; 0 when there is none."
            )
        case .deadLetters:
            .init(
                kind: .gauge,
                scope: .system,
                labels: ["consumer", "cause"],
                help: "Dead letters that were not sent again; the series of all consumers and causes that have some."
            )
        case .parkedMessages:
            .init(
                kind: .gauge,
                scope: .system,
                labels: ["consumer"],
                help:
                    "Messages that wait in the database instead of on their topic, so that they hold up their own keys "
                    + "only; the series of all consumers that have some."
            )
        case .parkedOldestAge:
            .init(
                kind: .gauge,
                scope: .system,
                labels: ["consumer"],
                help:
                    "Time since the oldest of the parked messages was parked; the series of all consumers that have some."
            )
        case .storedMessages:
            .init(
                kind: .gauge,
                scope: .system,
                labels: ["consumer"],
                help:
                    "Messages that were stored when they came and are not worked off yet, such as problems that wait for a "
                    + "teacher; the series of all consumers that have some; 100000 stands for as many or more."
            )
        case .storedOldestAge:
            .init(
                kind: .gauge,
                scope: .system,
                labels: ["consumer"],
                help:
                    "Age of the oldest message that was stored when it came and is not worked off yet; the series of all "
                    + "consumers that have some."
            )
        // Database
        case .poolConnections:
            .init(kind: .gauge, help: "Connections to PostgreSQL that are open or being opened.")
        case .poolConnectionsInUse:
            .init(kind: .gauge, help: "Connections to PostgreSQL that are in use.")
        case .poolConnectionLimit:
            .init(kind: .gauge, help: "The most connections to PostgreSQL at a time (ERRATA_POSTGRES_CONNECTIONS).")
        case .poolWaiting:
            .init(kind: .gauge, help: "Tasks that wait for a connection to PostgreSQL.")
        // Teacher
        case .teacherCalls:
            .init(
                kind: .counter,
                labels: ["prompt", "outcome"],
                help: "Questions to the teacher, by prompt and outcome; recalled answers cost nothing."
            )
        case .teacherTokens:
            .init(
                kind: .counter,
                labels: ["direction", "role"],
                help: "Tokens of the teacher's answers (completion) and of what it was asked (prompt), by role."
            )
        case .teacherCost:
            .init(
                kind: .counter,
                labels: ["role"],
                help: "Money for the teacher's answers, in the unit of the prices in ERRATA_TEACHERS, by role."
            )
        case .teacherAnswerTime:
            .init(kind: .histogram, labels: ["role"], help: "Time from a question to the teacher's whole answer.")
        case .teacherLedgerCalls:
            .init(kind: .counter, scope: .system, help: "Answers of the teacher that were paid, since the beginning.")
        case .teacherLedgerTokens:
            .init(kind: .counter, scope: .system, help: "Tokens that were paid, both ways, since the beginning.")
        case .teacherLedgerCost:
            .init(
                kind: .counter,
                scope: .system,
                help: "Money that was spent on the teacher since the beginning, in the unit of the prices."
            )
        case .teacherPauses:
            .init(
                kind: .gauge,
                scope: .system,
                labels: ["kind"],
                help:
                    "Pauses in which the teacher is not asked: a server that is away or refuses, the day's budget, or "
                    + "the budgets of runs."
            )
        case .teacherOldestPauseAge:
            .init(
                kind: .gauge,
                scope: .system,
                labels: ["kind"],
                help: "Age of the oldest pause of the kind; 0 when there is none."
            )
        case .traces:
            .init(kind: .counter, labels: ["kind", "verified"], help: "Traces made, by kind and whether verified.")
        case .problemsLeftOut:
            .init(
                kind: .counter,
                labels: ["reason"],
                help: "Problems that are not learned from: duplicate or contaminated."
            )
        case .keySteps:
            .init(
                kind: .counter,
                labels: ["tokens"],
                help: "Key steps located, over words or over the tokens of a student."
            )
        // The service itself
        case .sourceUp:
            .init(
                kind: .gauge,
                labels: ["source"],
                help: "1 when the figures of a source could be read for this answer, else 0; they are then left out."
            )
        case .droppedSeries:
            .init(kind: .counter, help: "Series that were dropped because there were too many.")
        case .spansDropped:
            .init(
                kind: .counter,
                labels: ["reason"],
                help:
                    "Spans of traces that were not exported, by reason: queue_full, unreachable, refused, or ended (with the "
                    + "process)."
            )
        case .residentMemory:
            .init(kind: .gauge, help: "Memory of the process that is resident.")
        // Training and evaluation
        case .trainingJobs:
            .init(
                kind: .gauge,
                scope: .system,
                labels: ["state"],
                help: "Stages of active runs, by state: waiting, running or failed."
            )
        case .trainingOldestWaitingAge:
            .init(
                kind: .gauge,
                scope: .system,
                help: "Age of the oldest stage of an active run that waits; 0 when there is none."
            )
        case .trainingStep:
            .init(kind: .gauge, labels: Self.ofStage, help: "Updates made in a training that goes on in this process.")
        case .trainingPlannedSteps:
            .init(kind: .gauge, labels: Self.ofStage, help: "Updates that the training will make.")
        case .trainingLoss:
            .init(kind: .gauge, labels: Self.ofStage, help: "Loss of the latest update.")
        case .trainingLearningRate:
            .init(kind: .gauge, labels: Self.ofStage, help: "Learning rate of the latest update.")
        case .trainingGradientNorm:
            .init(
                kind: .gauge,
                labels: Self.ofStage,
                help: "Global gradient norm of the latest update, before clipping."
            )
        case .trainingTokens:
            .init(kind: .gauge, labels: Self.ofStage, help: "Tokens computed so far, prompts included.")
        case .trainingTokenRate:
            .init(kind: .gauge, labels: Self.ofStage, help: "Tokens a second of the latest update.")
        case .trainingChosenReward:
            .init(
                kind: .gauge,
                labels: Self.ofStage,
                help: "Mean reward of the chosen answers of the latest update (DPO)."
            )
        case .trainingRejectedReward:
            .init(
                kind: .gauge,
                labels: Self.ofStage,
                help: "Mean reward of the rejected answers of the latest update (DPO)."
            )
        case .trainingRewardMargin:
            .init(
                kind: .gauge,
                labels: Self.ofStage,
                help: "Mean margin between both rewards of the latest update (DPO)."
            )
        case .trainingRewardAccuracy:
            .init(
                kind: .gauge,
                labels: Self.ofStage,
                help: "Share of the latest update's pairs whose chosen answer has the larger reward (DPO)."
            )
        case .evaluationJobs:
            .init(
                kind: .gauge,
                scope: .system,
                labels: ["state"],
                help: "Evaluations and roll-outs of active runs that are not done: waiting for problems, or open."
            )
        case .evaluationOldestAge:
            .init(
                kind: .gauge,
                scope: .system,
                help:
                    "Age of the oldest evaluation or roll-out of an active run that is not done; 0 when there is none."
            )
        case .evaluationScore:
            .init(
                kind: .gauge,
                scope: .system,
                labels: ["run", "round", "stage", "suite", "student"],
                help:
                    "Share of a suite's problems that a checkpoint solved, of active runs and those that ended within a "
                    + "day, the latest 500; student: the first 12 digits of the hash of the run's student."
            )
        }
    }
}
