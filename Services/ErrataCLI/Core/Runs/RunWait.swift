import ArgumentParser
import Foundation
import PostgresClient
import Schemas
import ServiceRuntime

extension RunsCommand {
    /// `errata runs wait`.
    struct Wait: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow a run to its end, then show it.",
            discussion: """
                A line tells of each thing that has come on. A run that is not known yet has two minutes to come. It ends with status 1 where the run was cancelled, or a stage of \
                it failed. A run whose rounds have no end is followed until it is interrupted.
                """
        )

        @OptionGroup var system: SystemOptions

        @Argument(help: "The run's id, the beginning of it, or its name.")
        var run: String

        func run() async throws {
            let hasFailed = try await system.withDatabase { pool in
                let run = try await RunReference.find(run, from: pool, patience: .seconds(120))
                var told: Set<[String]> = []
                while true {
                    let state = try await RunStore.state(of: run.id, from: pool)?.state
                    for row in try await RunRows(run, from: pool).rows where told.insert(row).inserted {
                        Terminal.out(row.filter { !$0.isEmpty }.joined(separator: "  "))
                    }
                    if let state, state != .active {
                        Terminal.out("")
                        try await RunReport(run: run, pool: pool).print()
                        let jobs = try await JobStore.jobs(run: run.id, from: pool)
                        return state != .finished || jobs.contains { $0.state == .failed }
                    }
                    try await Task.sleep(for: .seconds(1))
                }
            }
            if hasFailed { throw ExitCode.failure }
        }
    }
}
