import Foundation
import Metrics
import PostgresClient
import Schemas
import ServiceRuntime

/// The key steps that come of a message, each form of a pair once, and none that are there already.
///
/// What is located stays as it is: its spans do not depend on the run, and trainers make their own weights.
struct NewKeySteps {
    /// The forms that pairs have or get, by the ids of their traces.
    private var located: [String: Set<KeyStepForm>]
    private var events: [KeyStepsEvent] = []

    init(located: [String: Set<KeyStepForm>]) { self.located = located }

    var count: Int { events.count }

    /// Locates the key steps of a pair, unless they are there in the writer's form.
    mutating func add(_ writer: KeyStepWriter, trace: TraceEvent, dual: DualBody, answer: String, template: TraceBody?)
    {
        guard located[trace.id, default: []].insert(writer.form).inserted,
            let event = writer.event(trace: trace, dual: dual, answer: answer, template: template)
        else { return }
        events.append(event)
    }

    /// Writes the key steps down and sends them.
    ///
    /// - Throws: `PermanentFailure` where they are no valid event, as those of a pair that is too long.
    func effects() throws -> Effects {
        guard !events.isEmpty else { return .none }
        let time = Date()
        let outgoing = try events.map { keySteps in
            do {
                return try OutgoingEvent(keySteps, source: KeyStepLocatorProcessor.source, time: time)
            } catch let error as SchemasError {
                throw PermanentFailure(code: error.code.rawValue, message: error.message)
            }
        }
        for event in events {
            Counter(
                label: MetricName.keySteps.rawValue,
                dimensions: [("tokens", event.tokenizer == KeyStepsEvent.wordTokenizer ? "words" : "student")]
            ).increment()
        }
        // Events are encoded once: the table has the body that is sent.
        return Effects(
            events: outgoing,
            changes: zip(events, outgoing).map { KeyStepsRow(event: $0, body: $1.payload) }
        )
    }
}

/// The row of a pair's key steps.
private struct KeyStepsRow: BatchedChange {
    let event: KeyStepsEvent
    let body: String

    static func make(_ rows: [KeyStepsRow], in transaction: PostgresTransaction) async throws {
        let isThere = try await TraceStore.insert(rows.map { ($0.event, $0.body) }, in: transaction)
        guard isThere else { throw LocatedMeanwhile() }
    }
}

/// Another message gave a pair key steps in the same form, with the weights of another run, after it was looked for them;
/// the message is tried again and then leaves them as they are.
struct LocatedMeanwhile: Error, CustomStringConvertible {
    var description: String { "a pair was located for another run at the same time" }
}
