import Foundation

/// A file that a command is given, or standard input where it is `-`.
enum InputFile {
    /// The whole content.
    ///
    /// - Throws: ``CLIError`` that names the file.
    static func read(_ file: String) throws -> Data {
        do {
            return file == "-"
                ? try FileHandle.standardInput.readToEnd() ?? Data() : try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            throw CLIError("\(file) cannot be read: \(error.localizedDescription)")
        }
    }

    /// What the file is called in errors.
    static func place(_ file: String) -> String { file == "-" ? "standard input" : file }
}
