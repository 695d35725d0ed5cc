import Foundation

/// Data from outside the repository: `ERRATA_TEST_DATA`, by default `shared/data` beside the checkout.
enum TestData {
    struct Missing: Error, CustomStringConvertible {
        let path: String
        var description: String { "\(path) is missing: set ERRATA_TEST_DATA to the folder with the test data" }
    }

    static func text(_ path: String) throws -> String {
        let root =
            ProcessInfo.processInfo.environment["ERRATA_TEST_DATA"].map { URL(fileURLWithPath: $0) }
            ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/data")
        let file = root.appendingPathComponent(path)
        guard let data = try? Data(contentsOf: file) else { throw Missing(path: file.path) }
        return String(decoding: data, as: UTF8.self)
    }

    static func lines(_ path: String) throws -> [String] {
        try text(path).split(separator: "\n").map(String.init)
    }
}
