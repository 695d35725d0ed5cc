import Foundation
import Reasoning

/// Aligns pairs of token ids for a while and prints how many it aligned a second.
///
/// The first argument is a JSON file, a list of pairs of lists of ids; the second is the number of seconds.
/// `alignment.py` writes the file and runs this beside another implementation.
@main
struct AlignmentBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let seconds = Double(arguments[2]) else {
            throw CocoaError(.featureUnsupported, userInfo: [NSDebugDescriptionErrorKey: "usage: FILE SECONDS"])
        }
        let pairs = try JSONDecoder().decode([[[Int32]]].self, from: Data(contentsOf: URL(filePath: arguments[1])))
        var distances = 0
        for pair in pairs { distances += KeyStepAlignment.align(right: pair[0], wrong: pair[1]).distance }
        let expected = distances
        let clock = ContinuousClock()
        let start = clock.now
        var rounds = 0
        while start.duration(to: clock.now) < .seconds(seconds) {
            for pair in pairs { distances -= KeyStepAlignment.align(right: pair[0], wrong: pair[1]).distance }
            rounds += 1
        }
        let time = start.duration(to: clock.now) / .seconds(1)
        // All rounds but one, so that no alignment can be left out.
        print(Double(rounds * pairs.count) / time, rounds > 1 ? -distances / (rounds - 1) : expected)
    }
}
