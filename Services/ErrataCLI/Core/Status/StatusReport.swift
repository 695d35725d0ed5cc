import Foundation
import Schemas
import ServiceRuntime

/// What `errata status --json` prints: one object.
///
/// Its keys stay as they are; later versions may add some. A value that is not there is null.
enum StatusReport {
    /// The keys with what they say; `[]` stands for each element of a list.
    static let keys: [(path: String, meaning: String)] = [
        ("time", "when it was asked, RFC 3339 in UTC"),
        ("problems.total", "problems that are stored"),
        ("problems.train", "of them those to learn from"),
        ("problems.answered", "those that the teacher has answered"),
        ("problems.untaught", "those to learn from about which nobody was asked: no run needs it"),
        ("problems.unanswered", "those without an answer to verify by"),
        ("problems.duplicates", "those left out as duplicates within their data set"),
        ("problems.contaminated", "those left out for an evaluation question in them"),
        ("problems.overlaps", "pairs that overlap across data sets"),
        ("traces.templates", "problems with a verified template"),
        ("traces.duals", "problems with a verified dual pair"),
        ("traces.corrections", "verified corrections"),
        ("keySteps", "dual pairs with key steps"),
        ("attempts", "attempts of students"),
        ("evaluations", "evaluations"),
        ("outbox.waiting", "events that wait to be published"),
        ("outbox.oldestSeconds", "seconds that the oldest of them has waited"),
        ("outbox.refused", "events that the broker refused"),
        ("deadLetters.total", "dead letters, those that were settled included"),
        ("deadLetters.open", "those of which nothing has become yet"),
        ("deadLetters.causes[].cause", "the code of a cause of open ones"),
        ("deadLetters.causes[].consumer", "who gave up"),
        ("deadLetters.causes[].topic", "the topic"),
        ("deadLetters.causes[].count", "how many"),
        ("teacher.answers", "answers of the teacher"),
        ("teacher.promptTokens", "tokens sent for them"),
        ("teacher.completionTokens", "tokens received"),
        ("teacher.cost", "money, by the prices of the time; null without prices"),
        ("teacher.failed", "calls that gave no answer"),
        ("teacher.today.answers", "answers of this day (UTC)"),
        ("teacher.today.tokens", "tokens of this day, both ways"),
        ("teacher.today.cost", "money of this day"),
        ("teacher.pauses[].server", "a teacher that is not asked for now, or a budget that is spent"),
        ("teacher.pauses[].reason", "why"),
        ("teacher.budgets[].run", "an active run with a budget of its own"),
        ("teacher.budgets[].tokens", "tokens spent on it"),
        ("teacher.budgets[].cost", "money spent on it"),
        ("teacher.budgets[].mostTokens", "its bound in tokens"),
        ("teacher.budgets[].mostCost", "its bound in money"),
        ("trainings[].run", "the run of a stage that is in training"),
        ("trainings[].name", "the run's name"),
        ("trainings[].round", "the round, from 1"),
        ("trainings[].stage", "the stage"),
        ("trainings[].step", "updates made"),
        ("trainings[].totalSteps", "updates planned"),
        ("trainings[].loss", "the latest loss"),
        ("trainings[].tokens", "tokens trained on"),
        ("trainings[].seconds", "seconds since it was first begun"),
        ("waiting[].run", "the run of a stage that waits"),
        ("waiting[].name", "the run's name"),
        ("waiting[].round", "the round, from 1"),
        ("waiting[].stage", "the stage"),
        ("waiting[].for", "what it waits for, in words"),
        ("evaluationJobs[].run", "the run of an evaluation or a roll-out that is not done"),
        ("evaluationJobs[].checkpoint", "the checkpoint"),
        ("evaluationJobs[].suite", "the suite; null for a roll-out"),
        ("evaluationJobs[].round", "the round, from 1"),
        ("evaluationJobs[].state", "waiting (for problems) or open"),
        ("evaluationJobs[].reason", "why it does not go on"),
        ("evaluationJobs[].seconds", "seconds since it was asked for"),
        ("stored.total", "messages that were stored when they came and are not worked off"),
        ("stored.kinds[].consumer", "who waits, of the five kinds that are most"),
        ("stored.kinds[].reason", "what these messages wait for, or how they failed"),
        ("stored.kinds[].count", "how many they are"),
        ("stored.kinds[].oldestSeconds", "seconds since the oldest of them was stored"),
        ("parked.total", "messages that wait off their topics as they held others up"),
        ("parked.oldest[].consumer", "who waits, of the five that have waited longest"),
        ("parked.oldest[].origin", "topic/partition/offset"),
        ("parked.oldest[].tries", "how often it has failed"),
        ("parked.oldest[].reason", "what it waits for, or how it failed"),
        ("tables[].name", "one of the largest tables, or of inbox, outbox, teacher_calls and attempts"),
        ("tables[].bytes", "its size with indexes"),
        ("tables[].rows", "about how many rows it has"),
        ("models.bytes", "the size of the model store; null where there is none here"),
        ("consumers", "how far each consumer group is behind; null where the broker does not answer"),
        ("consumers[].group", "the consumer group"),
        ("consumers[].topics", "the topics that it reads"),
        ("consumers[].lag", "messages that it has neither finished nor stored"),
    ]

    /// The object; `lags` is nil where the broker did not answer.
    static func object(of figures: StatusFigures, lags: [ConsumerLag]?, at time: Date) throws -> JSONValue {
        let counts = figures.counts
        let time = try Timestamp.format(time)
        return .object([
            "time": .string(time),
            "problems": problems(counts),
            "traces": traces(counts),
            "keySteps": count(counts.keySteps),
            "attempts": count(counts.attempts),
            "evaluations": count(counts.evaluations),
            "outbox": outbox(figures),
            "deadLetters": letters(figures),
            "teacher": teacher(figures),
            "trainings": .array(figures.system.trainings.map(training)),
            "waiting": .array(figures.waiting.map(waiting)),
            "evaluationJobs": .array(figures.evaluations.map(evaluation)),
            "stored": stored(figures),
            "parked": parked(figures),
            "tables": .array(figures.system.tables.map(table)),
            "models": ["bytes": count(figures.modelBytes)],
            "consumers": consumers(lags),
        ])
    }

    private static func problems(_ counts: PipelineCounts) -> JSONValue {
        [
            "total": count(counts.problems), "train": count(counts.awaited), "answered": count(counts.ingested),
            "untaught": count(counts.untaught), "unanswered": count(counts.unanswered),
            "duplicates": count(counts.duplicates), "contaminated": count(counts.contaminated),
            "overlaps": count(counts.overlaps),
        ]
    }

    private static func traces(_ counts: PipelineCounts) -> JSONValue {
        [
            "templates": count(counts.templates), "duals": count(counts.duals),
            "corrections": count(counts.corrections),
        ]
    }

    private static func outbox(_ figures: StatusFigures) -> JSONValue {
        [
            "waiting": count(figures.counts.unpublished),
            "oldestSeconds": number(figures.system.outbox.oldestSeconds), "refused": count(figures.counts.refused),
        ]
    }

    private static func letters(_ figures: StatusFigures) -> JSONValue {
        let open = figures.letters.reduce(0) { $0 + $1.count }
        let causes = figures.letters.map { cause -> JSONValue in
            [
                "cause": .string(cause.code), "consumer": .string(cause.consumer), "topic": .string(cause.topic),
                "count": count(cause.count),
            ]
        }
        return [
            "total": count(figures.counts.deadLetters), "open": count(open), "causes": .array(causes),
        ]
    }

    private static func teacher(_ figures: StatusFigures) -> JSONValue {
        let (total, today) = (figures.ledger.total, figures.system.today)
        let pauses = figures.ledger.pauses.map { pause -> JSONValue in
            ["server": .string(pause.server), "reason": .string(pause.reason)]
        }
        let budgets = figures.system.budgets.map { spent -> JSONValue in
            [
                "run": text(spent.run), "tokens": count(spent.tokens), "cost": number(spent.cost),
                "mostTokens": count(spent.mostTokens), "mostCost": number(spent.mostCost),
            ]
        }
        let day: JSONValue = [
            "answers": count(today.calls), "tokens": count(today.tokens), "cost": number(today.cost),
        ]
        return [
            "answers": count(total?.answers ?? 0), "promptTokens": count(total?.promptTokens ?? 0),
            "completionTokens": count(total?.completionTokens ?? 0), "cost": number(total?.cost),
            "failed": count(total?.failed ?? 0),
            "today": day, "pauses": .array(pauses), "budgets": .array(budgets),
        ]
    }

    private static func training(_ training: SystemFigures.Training) -> JSONValue {
        [
            "run": .string(training.id.run), "name": .string(training.runName), "round": count(training.id.round),
            "stage": .string(training.id.stage), "step": count(training.step), "totalSteps": count(training.totalSteps),
            "loss": number(training.loss), "tokens": count(training.tokens), "seconds": number(training.seconds),
        ]
    }

    private static func waiting(_ reason: StageWaiting.Reason) -> JSONValue {
        [
            "run": .string(reason.id.run), "name": .string(reason.runName), "round": count(reason.id.round),
            "stage": .string(reason.id.stage), "for": .string(reason.what),
        ]
    }

    private static func evaluation(_ job: EvaluationJobStore.Job) -> JSONValue {
        [
            "run": .string(job.run), "checkpoint": .string(job.checkpoint), "suite": text(job.suite),
            "round": count(job.round), "state": .string(job.state.rawValue), "reason": text(job.reason),
            "seconds": number(job.waitedSeconds),
        ]
    }

    private static func stored(_ figures: StatusFigures) -> JSONValue {
        let kinds = figures.stored.map { kind -> JSONValue in
            [
                "consumer": .string(kind.consumer), "reason": .string(kind.reason), "count": count(kind.count),
                "oldestSeconds": number(kind.oldestSeconds),
            ]
        }
        return ["total": count(figures.storedCount), "kinds": .array(kinds)]
    }

    private static func parked(_ figures: StatusFigures) -> JSONValue {
        let oldest = figures.parked.map { entry -> JSONValue in
            [
                "consumer": .string(entry.consumer), "origin": .string(entry.origin), "tries": count(entry.tries),
                "reason": .string(entry.reason),
            ]
        }
        return ["total": count(figures.parkedCount), "oldest": .array(oldest)]
    }

    private static func table(_ table: SystemFigures.Table) -> JSONValue {
        ["name": .string(table.name), "bytes": count(table.bytes), "rows": count(table.rows)]
    }

    private static func consumers(_ lags: [ConsumerLag]?) -> JSONValue {
        guard let lags else { return .null }
        let groups = lags.map { lag -> JSONValue in
            [
                "group": .string(lag.group), "topics": .array(lag.topics.map { JSONValue.string($0.rawValue) }),
                "lag": .integer(lag.messages),
            ]
        }
        return .array(groups)
    }

    private static func count(_ value: Int?) -> JSONValue { value.map { JSONValue.integer(Int64($0)) } ?? .null }

    private static func text(_ value: String?) -> JSONValue { value.map { JSONValue.string($0) } ?? .null }

    /// A figure; JSON has none that are not finite, such as the loss of an engine that tells of none.
    private static func number(_ value: Double?) -> JSONValue {
        guard let value, value.isFinite else { return .null }
        return .number(value)
    }
}
