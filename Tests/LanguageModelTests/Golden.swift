import Foundation
import LanguageModel
import TensorEngine
import Testing

/// The reference figures computed with PyTorch; see the README of the data folder.
enum Golden {
    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    /// `golden` in the folder that ERRATA_TEST_DATA names, or in `shared/data` beside the checkout.
    static func folder() throws -> URL {
        let root =
            ProcessInfo.processInfo.environment["ERRATA_TEST_DATA"].map { URL(fileURLWithPath: $0) }
            ?? URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
            .deletingLastPathComponent().appendingPathComponent("shared/data")
        let folder = root.appendingPathComponent("golden")
        guard FileManager.default.fileExists(atPath: folder.path) else {
            throw Missing(
                description: "no test data at \(folder.path); set ERRATA_TEST_DATA to the folder that holds golden/"
            )
        }
        return folder
    }

    static func json<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
        let data = try Data(contentsOf: folder().appendingPathComponent(name))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: data)
    }

    static func model(_ name: String) throws -> CausalLanguageModel {
        try CausalLanguageModel.load(
            folder: folder().appendingPathComponent(name),
            context: ComputeContext(threads: 2)
        )
    }
}

/// Compares element by element: |a − b| ≤ atol · max|b| + rtol · |b|.
func expectClose(
    _ actual: [Float],
    _ expected: [Float],
    rtol: Float = 1e-4,
    atol: Float = 1e-5,
    _ label: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard actual.count == expected.count else {
        Issue.record("\(label): \(actual.count) values, expected \(expected.count)", sourceLocation: sourceLocation)
        return
    }
    let scale = expected.map { abs($0) }.max() ?? 0
    for index in actual.indices {
        let limit = atol * max(scale, 1e-6) + rtol * abs(expected[index])
        if !(abs(actual[index] - expected[index]) <= limit) {
            Issue.record(
                "\(label)[\(index)]: \(actual[index]), expected \(expected[index])",
                sourceLocation: sourceLocation
            )
            return
        }
    }
}
