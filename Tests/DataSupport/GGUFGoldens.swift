package import Foundation

/// The files of `Tests/Goldens/gguf`, made by the script beside them.
package enum GGUFGoldens {
    package static func url(_ name: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Goldens/gguf/\(name)")
    }
}
