import Foundation

/// Asks before something is done to many things at once, or for good.
enum Confirmation {
    /// Goes on where the user said so with `--yes`, or says so now.
    ///
    /// - Throws: ``CLIError`` where nobody can be asked, or the answer is no.
    static func ask(_ question: String, yes: Bool) throws {
        guard !yes else { return }
        guard isatty(STDIN_FILENO) == 1 else {
            throw CLIError("\(question) Nobody can be asked here: say so with --yes. Nothing was done")
        }
        try? FileHandle.standardError.write(contentsOf: Data("\(question) [y/N] ".utf8))
        guard isYes(readLine()) else { throw CLIError("nothing was done") }
    }

    /// Whether an answer agrees; no answer does not.
    static func isYes(_ answer: String?) -> Bool {
        ["y", "yes"].contains((answer ?? "").trimmingCharacters(in: .whitespaces).lowercased())
    }
}
