package import Foundation

/// Data from outside the repository: real problems and golden numbers, in the folder that `ERRATA_TEST_DATA` names, by
/// default `shared/data` beside the checkout.
package enum TestData {
    package struct Missing: Error, CustomStringConvertible {
        let path: String
        package var description: String { "\(path) is missing: set ERRATA_TEST_DATA to the folder with the test data" }
    }

    /// A file or folder of the data; throws ``Missing`` where it is not there.
    package static func url(_ path: String) throws -> URL {
        let root =
            ProcessInfo.processInfo.environment["ERRATA_TEST_DATA"].map { URL(fileURLWithPath: $0) }
            ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/data")
        let url = root.appendingPathComponent(path)
        guard FileManager.default.fileExists(atPath: url.path) else { throw Missing(path: url.path) }
        return url
    }

    package static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: url(path)), as: UTF8.self)
    }

    package static func lines(_ path: String) throws -> [String] {
        try text(path).split(separator: "\n").map(String.init)
    }
}
