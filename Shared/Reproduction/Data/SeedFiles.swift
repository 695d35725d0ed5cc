import Distillation
import Foundation
import Reasoning
import Schemas

/// A seed's data as JSON lines, for other tools: problems and traces as their events' bodies, dual pairs as
/// `errata train krsl` reads them.
struct SeedFiles {
    /// A dual pair as a line.
    private struct Pair: Encodable {
        var prompt: String
        var right: String
        var wrong: String
        var method: String
        var mistake: String?
    }

    /// Writes `problems.jsonl`, `traces.jsonl` and `duals.jsonl` into a folder, each whole or not at all.
    static func write(_ data: SeedData, to folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let problems = data.problems
        let all =
            problems.training + problems.rollout + problems.development
            + problems.suites.sorted { $0.key < $1.key }.flatMap(\.value)
        try write(all, to: folder.appending(path: "problems.jsonl"))
        try write(data.learned, to: folder.appending(path: "traces.jsonl"))
        let pairs = data.duals.compactMap { dual in
            dual.texts.map { texts in
                Pair(
                    prompt: StudentFormat.chainOfThought.prompt(question: dual.problem.question),
                    right: texts.right,
                    wrong: texts.wrong,
                    method: dual.body.method.rawValue,
                    mistake: dual.body.mistake
                )
            }
        }
        try write(pairs, to: folder.appending(path: "duals.jsonl"))
    }

    private static func write(_ values: [some Encodable], to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var lines = Data()
        for value in values {
            lines += try encoder.encode(value)
            lines.append(UInt8(ascii: "\n"))
        }
        try lines.write(to: url, options: .atomic)
    }
}
