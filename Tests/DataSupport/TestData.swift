package import Foundation

/// Data that tests read from files: the project's own, which lie beside the tests, and texts of others, which do not.
package enum TestData {
    package struct Missing: Error, CustomStringConvertible {
        package let description: String
    }

    /// The environment variable that names the folder with texts of others.
    package static let variable = "ERRATA_TEST_DATA"

    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    /// The folder with texts of others; nil where none is given, and there is no default.
    package static var externalFolder: URL? { externalFolder(ProcessInfo.processInfo.environment) }

    package static func externalFolder(_ environment: [String: String]) -> URL? {
        environment[variable].flatMap { $0.isEmpty ? nil : URL(fileURLWithPath: $0, isDirectory: true) }
    }

    /// A file of the project's own in `Tests/Data`; throws ``Missing`` where it is not there.
    package static func own(_ path: String) throws -> URL { try existing(tests.appendingPathComponent("Data/\(path)")) }

    /// A file or folder of the reference figures in `Tests/Goldens`; throws ``Missing`` where it is not there.
    package static func golden(_ path: String) throws -> URL {
        try existing(tests.appendingPathComponent("Goldens/\(path)"))
    }

    /// A file or folder of others' texts: only for tests with the trait `external`, and a missing one fails them.
    package static func external(_ path: String, in folder: URL? = externalFolder) throws -> URL {
        guard let folder else { throw Missing(description: "\(path): \(variable) names no folder that could hold it") }
        return try existing(folder.appendingPathComponent(path), cure: ", the folder of \(variable)")
    }

    /// The lines of a file that are not empty.
    package static func lines(_ file: URL) throws -> [String] {
        String(decoding: try Data(contentsOf: file), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private static func existing(_ url: URL, cure: String = "") throws -> URL {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw Missing(description: "\(url.path) is missing\(cure)")
        }
        return url
    }
}
