import Foundation
import Subprocess

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// Makes a server serve a student, by the program of its configuration.
actor EndpointLoader {
    private var loaded: [StudentEndpoint: String] = [:]

    /// Runs the program unless this student was the endpoint's last one.
    ///
    /// - Throws: ``EndpointUnavailable`` with the program's last words when it does not end with 0.
    func load(_ endpoint: StudentEndpoint, folder: URL, model: String) async throws {
        guard let load = endpoint.load, let program = load.first, loaded[endpoint] != model else { return }
        loaded[endpoint] = nil
        let arguments = Arguments(Array(load.dropFirst()) + [folder.path, model])
        let executable: Executable = program.contains("/") ? .path(FilePath(program)) : .name(program)
        let words: String
        do {
            let result = try await run(
                executable,
                arguments: arguments,
                output: .string(limit: 1 << 20),
                error: .combinedWithOutput
            )
            if case .exited(0) = result.terminationStatus {
                loaded[endpoint] = model
                return
            }
            let lines = result.standardOutput.split(separator: "\n").suffix(3).joined(separator: " | ")
            words =
                "ended with \(result.terminationStatus): \(lines.isEmpty ? "it wrote nothing" : String(lines.suffix(600)))"
        } catch let error as SubprocessError {
            words = "cannot be run: \(error)"
        }
        throw EndpointUnavailable(description: "\(program), which is to load the student, \(words)")
    }

    /// The server is asked to load the student again: it may have been restarted.
    func forget(_ endpoint: StudentEndpoint) { loaded[endpoint] = nil }
}
