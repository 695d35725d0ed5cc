import ArgumentParser
import Foundation
import KafkaClient
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime

extension SubmitCommand {
    /// The parts of the teacher's work that are named; nil where none is.
    ///
    /// - Throws: `ValidationError` that names what is known.
    func chosenParts() throws -> [EstimatePart]? {
        guard let parts else { return nil }
        let names = parts.split(separator: ",", omittingEmptySubsequences: false).map { String($0).trimmed }
        let known = EstimatePart.allCases.map(\.rawValue)
        for name in names where !known.contains(name) {
            throw ValidationError(
                "--parts must be of \(known.joined(separator: ", ")), with commas between, not '\(name)'"
            )
        }
        return EstimatePart.allCases.filter { names.contains($0.rawValue) }
    }

    /// Reads and checks the file, and prints what the teacher's work on it will cost; sends nothing.
    func printEstimate() async throws {
        guard let split = ProblemSplit(rawValue: split) else { return }
        let environment = ProcessInfo.processInfo.environment
        let prices = try TeacherPrices.read(file: teachers, environment: environment)
        let prompts = try Self.prompts(environment)
        let needs = await estimatedNeeds(try chosenParts())
        var tally = EstimateTally(parts: needs.parts, prompts: prompts)
        var submission = Submission(
            reader: try reader(),
            dataset: dataset,
            split: split,
            place: InputFile.place(file),
            limit: limit,
            // Without a system, as large as a broker's defaults allow.
            recordSizeLimit: ((try? system.kafka()) ?? KafkaConfiguration(bootstrapServers: "")).recordSizeLimit,
            stopsAtError: stopAtError
        )
        let input = try ByteInput(file)
        let taken = TakenIDs(system)
        var source = ProblemSource()
        var accepted = 0
        func flush() async throws {
            let batch = submission.takeBatch()
            guard !batch.isEmpty else { return }
            let (conflicts, warning) = await taken.conflicts(of: batch.map(\.event))
            if let warning { Terminal.error(warning) }
            for entry in batch {
                if let conflict = conflicts[entry.event.id] {
                    Terminal.error(submission.reject(conflict, at: entry.place))
                } else {
                    try tally.add(entry.event)
                    accepted += 1
                }
            }
        }
        func take(_ items: [ProblemSource.Item]) async throws {
            for item in items where !submission.isOver {
                if let message = submission.add(item) { Terminal.error(message) }
                if submission.isBatchFull { try await flush() }
            }
        }
        do {
            reading: while !submission.isOver {
                switch try await input.next(waits: true) {
                case .bytes(let bytes): try await take(source.append(bytes))
                case .nothing: continue
                case .end: break reading
                }
            }
            if !submission.isOver { try await take(source.finish()) }
        } catch let error as ReasoningError {
            Terminal.error(submission.reject(error.message, at: ""))
        }
        try await flush()
        await taken.close()
        let ledger = await ledgerMeans(tally.ids, prompts)
        let estimate = Estimate(tally, ledger: ledger, prices: prices, needs: needs, rejected: submission.rejected)
        Terminal.out(try json ? estimate.json() : estimate.rendered())
        if submission.rejected > 0 { throw ExitCode(accepted > 0 ? 2 : 1) }
    }

    /// The prompts that the services would ask with: a folder of the user's, or the shipped ones.
    private static func prompts(_ environment: [String: String]) throws -> PromptLibrary {
        guard let folder = environment["ERRATA_PROMPTS"], !folder.isEmpty else { return .shipped }
        do {
            return try PromptLibrary(folder: URL(filePath: folder, directoryHint: .isDirectory))
        } catch let error as ReasoningError {
            throw CLIError("ERRATA_PROMPTS: \(error.message)")
        }
    }

    /// What is named, else what active runs need; all where there is no database.
    private func estimatedNeeds(_ chosen: [EstimatePart]?) async -> EstimateNeeds {
        let needs = try? await system.withStoredDatabase { try await EstimateNeeds.read(dataset: dataset, from: $0) }
        if let chosen { return EstimateNeeds(parts: chosen, reason: "as --parts says", agreement: needs?.agreement) }
        return needs
            ?? EstimateNeeds(parts: EstimatePart.allCases, reason: "all of it, as there is no database with runs")
    }

    /// What was measured, where there is a database.
    private func ledgerMeans(_ ids: [PromptID], _ prompts: PromptLibrary) async -> LedgerMeans? {
        do {
            return try await system.withStoredDatabase { try await LedgerMeans.read(ids, prompts: prompts, from: $0) }
        } catch {
            Terminal.error(
                "the teacher's ledger cannot be read, so that defaults are taken: \(Explanation.text(of: error))"
            )
            return nil
        }
    }
}
