import ArgumentParser
import Foundation
import Logging

/// Measures the ways that messages take: the Kafka client, the worker with its relay, and KeyStepLocator.
///
/// Figures of one run compare with each other; those of two runs only as far as the machine did the same beside them.
///
///     swift build -c release --product DeliveryBenchmark
///     .build/release/DeliveryBenchmark kafka --at-least 0.8
///     .build/release/DeliveryBenchmark worker --at-least 5000
///     .build/release/DeliveryBenchmark pairs --at-least 2000
@main
struct DeliveryBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delivery-benchmark",
        abstract: "Messages a second through the Kafka client, through the worker, and through KeyStepLocator.",
        subcommands: [KafkaRounds.self, WorkerRounds.self, PairRounds.self]
    )
}

extension Logger {
    /// Nobody reads the log of what is measured.
    static let quiet = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
}

/// Lines of a table with the columns under each other.
struct Table {
    private var rows: [[String]]

    init(_ head: String...) { rows = [head] }

    mutating func add(_ cells: String...) { rows.append(cells) }

    func print() {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let cells = zip(row, widths).enumerated().map { index, cell in
                let blanks = String(repeating: " ", count: cell.1 - cell.0.count)
                // Names stand left, numbers right.
                return index == 0 ? cell.0 + blanks : blanks + cell.0
            }
            Swift.print(cells.joined(separator: "  "))
        }
    }
}

extension Double {
    /// A number with so many digits behind the point.
    func text(_ digits: Int) -> String { String(format: "%.\(digits)f", self) }
}

extension [Double] {
    /// The middle value, the upper one of two; not a number where there are none.
    var median: Double { isEmpty ? .nan : sorted()[count / 2] }
}

/// Something that the measured code should have done and did not.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
