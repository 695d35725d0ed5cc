import Foundation
import Subprocess

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// Whom the embedded server runs as: PostgreSQL refuses root.
struct ServerOwner: Sendable {
    let uid: uid_t
    let gid: gid_t
    private let dropsPrivileges: Bool

    init(systemUser: String) throws {
        guard geteuid() == 0 else {
            (uid, gid, dropsPrivileges) = (geteuid(), getegid(), false)
            return
        }
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard getpwnam_r(systemUser, &entry, &buffer, buffer.count, &found) == 0, found != nil, entry.pw_uid != 0 else {
            throw PostgresError(
                kind: .embedded,
                message:
                    "PostgreSQL does not run as root and there is no user \"\(systemUser)\" to run it as; make one "
                    + "(Debian: apt-get install postgresql) or start as another user"
            )
        }
        (uid, gid, dropsPrivileges) = (entry.pw_uid, entry.pw_gid, true)
    }

    /// `setpriv` replaces itself with the program, so that signals and exit status are the program's own.
    func command(_ program: URL, _ arguments: [String]) -> (program: URL, arguments: [String]) {
        guard dropsPrivileges else { return (program, arguments) }
        let drop = ["setpriv", "--reuid=\(uid)", "--regid=\(gid)", "--clear-groups", "--"]
        return (URL(fileURLWithPath: "/usr/bin/env"), drop + [program.path] + arguments)
    }

    /// Every folder on the way must let the user through.
    func checkAccess(to folder: URL) async throws {
        guard dropsPrivileges else { return }
        let result = try await Command.run(URL(fileURLWithPath: "/usr/bin/test"), ["-w", folder.path], owner: self)
        guard result.status == 0 else {
            throw PostgresError(
                kind: .embedded,
                message: "the server's user (uid \(uid)) cannot enter \(folder.path): a folder above it is closed to "
                    + "others; choose another state folder, such as one under /var/lib or /tmp"
            )
        }
    }
}

/// A short program run to its end.
enum Command {
    /// The most that a program may write, in bytes.
    private static let outputLimit = 1 << 20

    /// Runs a program and returns its status and everything it wrote; one that a signal ended has no status.
    static func run(
        _ program: URL,
        _ arguments: [String],
        owner: ServerOwner? = nil
    ) async throws -> (status: Int32?, output: String) {
        let command = owner?.command(program, arguments) ?? (program: program, arguments: arguments)
        do {
            let result = try await Subprocess.run(
                .path(FilePath(command.program.path)),
                arguments: Arguments(command.arguments),
                workingDirectory: FilePath("/"),
                output: .string(limit: outputLimit),
                error: .combinedWithOutput
            )
            guard case .exited(let status) = result.terminationStatus else { return (nil, result.standardOutput) }
            return (status, result.standardOutput)
        } catch let error as SubprocessError {
            throw PostgresError(kind: .embedded, message: "cannot run \(command.program.path): \(error)")
        }
    }
}
