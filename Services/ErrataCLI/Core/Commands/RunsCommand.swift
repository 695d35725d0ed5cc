import ArgumentParser
import Foundation
import KafkaClient
import LanguageModel
import Schemas
import ServiceRuntime

/// `errata runs`: training runs.
struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "List runs with the state of their stages, or submit one.",
        subcommands: [List.self, Submit.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List runs, oldest first.")

        @OptionGroup var system: SystemOptions

        func run() async throws {
            try await system.withDatabase { pool in
                var table = TextTable([
                    ("run", .left), ("stage", .left), ("state", .left), ("step", .right), ("loss", .right),
                    ("accuracy", .left),
                ])
                for run in try await RunStore.runs(from: pool) {
                    let jobs = try await RunStore.jobs(run: run.id, from: pool)
                    let evaluations = try await EvaluationStore.evaluations(run: run.id, from: pool)
                    for stage in [TrainingStage.initial] + run.trainedStages {
                        let job = jobs.first { $0.stage == stage }
                        let scores = evaluations.filter { $0.stage == stage }
                            .map { "\($0.suite) \($0.correct)/\($0.problems)" }
                        table.add([
                            "\(run.name) (\(run.id.prefix(8)))", stage.rawValue, job?.state ?? "done",
                            job.map { "\($0.step)/\($0.totalSteps)" } ?? "",
                            job?.loss.map { String(($0 * 1000).rounded() / 1000) } ?? "",
                            scores.joined(separator: ", "),
                        ])
                    }
                }
                Terminal.out(table.rendered())
            }
        }
    }

    struct Submit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Submit a run event (see `errata schema errata.run.v1`).",
            discussion: """
                The student may be given as "student": {"model": "NAME"}, by a name or hash that `errata models list` shows; \
                the event then carries its hash and its tokenizer's fingerprint.
                """
        )

        @OptionGroup var system: SystemOptions

        @Argument(help: "A JSON file, or - for standard input.")
        var file: String

        func run() async throws {
            let data =
                file == "-"
                ? try FileHandle.standardInput.readToEnd() ?? Data() : try Data(contentsOf: URL(fileURLWithPath: file))
            let event = try EventCoding.decode(
                RunEvent.self,
                from: try RunFile.resolvingStudent(in: data) { reference in
                    try ModelStoreOptions.parse(["--state=\(system.state)"]).existingStore().resolve(reference)
                }
            )
            let producer = try KafkaProducer(try system.kafka())
            let id = DeterministicID.make(cause: event.id, parts: "submitted")
            let record = try OutgoingEvent(event, id: id, source: "/errata/cli", time: Date()).record()
            _ = try await producer.send(record)
            await producer.close()
            Terminal.out("submitted run \(event.id)")
        }
    }
}
