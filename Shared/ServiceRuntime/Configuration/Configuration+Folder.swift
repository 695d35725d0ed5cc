public import Foundation

extension Configuration {
    /// The folder that a key names.
    public func folder(_ key: ConfigurationKey<String>) throws -> URL {
        URL(filePath: try value(key), directoryHint: .isDirectory)
    }
}
