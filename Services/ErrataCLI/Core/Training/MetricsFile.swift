import Foundation
import Training

/// The figures of each step as JSON lines, under TRL's names.
final class MetricsFile {
    private let file: FileHandle
    private let encoder = JSONEncoder()

    /// Opens the file and keeps the lines of the first steps, as a resumed training has them.
    init(_ url: URL, keepingSteps: Int) throws {
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var kept = Data()
        if keepingSteps > 0, let old = try? Data(contentsOf: url) {
            for line in old.split(separator: 0x0A) {
                guard let values = try? JSONDecoder().decode([String: Double].self, from: line),
                    let step = values["step"], step <= Double(keepingSteps)
                else { continue }
                kept += line + [0x0A]
            }
        }
        do {
            try kept.write(to: url)
            file = try FileHandle(forWritingTo: url)
            try file.seekToEnd()
        } catch {
            throw CLIError("the metrics cannot be written to \(url.path): \(error.localizedDescription)")
        }
    }

    /// Adds a step's line.
    func add(_ step: TrainingStep) throws {
        var values = step.metrics
        values["tokens_per_second"] = step.tokensPerSecond
        try add(values, step: step.step)
    }

    /// Adds a line; figures that are not finite, which JSON has no word for, are left out.
    func add(_ metrics: [String: Double], step: Int) throws {
        var values = metrics.filter(\.value.isFinite)
        values["step"] = Double(step)
        try file.write(contentsOf: encoder.encode(values) + [0x0A])
    }

    deinit {
        try? file.close()
    }
}
