import ArgumentParser
import Foundation
import Reasoning

/// `errata generate`: prints problems of the built-in domain.
struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Print arithmetic word problems with worked solutions, as JSON lines in GSM8K's layout.",
        discussion: "The same seed gives the same problems; no problem stands in two splits."
    )

    @Option(help: "How many problems.")
    var count = 100

    @Option(help: "The seed.")
    var seed: UInt64 = 1

    @Option(help: "train, rollout, development or test.")
    var split = "train"

    @Option(help: "Fewest dependent steps.")
    var minimumSteps = 2

    @Option(help: "Most dependent steps.")
    var maximumSteps = 4

    func validate() throws {
        guard ProblemSplit(rawValue: split) != nil else {
            throw ValidationError("--split must be train, rollout, development or test, not '\(split)'")
        }
        guard count > 0 else { throw ValidationError("--count must be at least 1") }
        guard minimumSteps >= 1, minimumSteps <= maximumSteps else {
            throw ValidationError("--minimum-steps must be at least 1 and at most --maximum-steps")
        }
    }

    func run() throws {
        guard let split = ProblemSplit(rawValue: split) else { return }
        let generator = ProblemGenerator(seed: seed, stepRange: minimumSteps...maximumSteps)
        for problem in try generator.generate(count: count, split: split) {
            Terminal.out(try GSM8K.format(problem))
        }
    }
}
