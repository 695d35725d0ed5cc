import Foundation

/// The figures of `Tests/Goldens/unicode`, made by the script beside them.
package struct UnicodeGoldens: Decodable {
    package let version: String
    package let scalars: [String]
    package let random: [String]
    package let examples: [[String]]

    package static func load() throws -> UnicodeGoldens {
        let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Goldens/unicode/composition.json")
        return try JSONDecoder().decode(UnicodeGoldens.self, from: Data(contentsOf: url))
    }
}
