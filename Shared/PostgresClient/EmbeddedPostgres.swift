import CLibpq
import Dispatch
public import Foundation
public import Logging

/// A private PostgreSQL server in a state folder, reachable over a Unix socket only.
///
/// The folder holds `data` (the cluster, made with initdb when missing), `postgres.log`, and `socket` or, where that
/// path is too long for a socket, `socket-folder`, a text file that names a short folder under the system's temporary
/// folder. Started as root, the server runs as another user, `postgres` by default. Anybody who may enter the socket
/// folder (mode 0700) is trusted. A server that still runs on the folder, because its starter was killed, is adopted.
public actor EmbeddedPostgres {
    /// The state folder.
    public nonisolated let stateFolder: URL

    private let database: String
    private let systemUser: String
    private let programFolder: URL?
    private let settings: [String: String]
    private let logger: Logger
    private var process: Process?
    private var isExited = false

    /// The longest path of a Unix socket on Linux, without its ending NUL.
    static let maximumSocketPath = 107
    private static let superuser = "postgres"

    /// A server that is not started yet.
    ///
    /// - Parameters:
    ///   - stateFolder: made when missing.
    ///   - database: made when missing.
    ///   - programFolder: where `initdb` and `postgres` are; asked of `pg_config --bindir` when nil.
    ///   - systemUser: whom the server runs as when this process is root.
    ///   - settings: further server settings, such as `max_connections`.
    ///   - logger: one with the label `errata.postgres.embedded` when nil.
    public init(
        stateFolder: URL,
        database: String = "errata",
        programFolder: URL? = nil,
        systemUser: String = "postgres",
        settings: [String: String] = [:],
        logger: Logger? = nil
    ) {
        self.stateFolder = stateFolder.standardizedFileURL
        self.database = database
        self.programFolder = programFolder
        self.systemUser = systemUser
        self.settings = settings
        self.logger = logger ?? Logger(label: "errata.postgres.embedded")
    }

    private var dataFolder: URL { stateFolder.appendingPathComponent("data") }
    private var pidFile: URL { dataFolder.appendingPathComponent("postmaster.pid") }
    /// Where the server writes its log.
    public nonisolated var logFile: URL { stateFolder.appendingPathComponent("postgres.log") }

    /// The server's process id, or nil when none runs on the folder.
    public var processID: Int32? { livingServer() }

    // MARK: Start

    /// Starts the server, or adopts the one that runs, and returns where to connect once it answers.
    public func start() async throws -> PostgresConfiguration {
        let owner = try ServerOwner(systemUser: systemUser)
        let programs = try await findPrograms()
        try makeFolder(stateFolder, owner: owner)
        try await owner.checkAccess(to: stateFolder)
        try await initialize(programs: programs, owner: owner)
        let socketFolder = try prepareSocketFolder(owner: owner)
        let administration = PostgresConfiguration(
            host: socketFolder.path,
            user: Self.superuser,
            database: "postgres",
            connectTimeout: .seconds(2)
        )

        if let running = livingServer() {
            if await answers(administration) {
                logger.info("adopted the running PostgreSQL server", metadata: ["pid": "\(running)"])
                return try await makeDatabase(administration)
            }
            await terminate(running)
        }
        let deadline = ContinuousClock.now + .seconds(60)
        var pause = Duration.milliseconds(10)
        while true {
            removeStaleFiles(socketFolder: socketFolder)
            try launch(programs: programs, owner: owner, socketFolder: socketFolder)
            if try await waitUntilReady(administration, deadline: deadline) {
                return try await makeDatabase(administration)
            }
            // Server processes that outlive a killed postmaster hold its shared memory for a moment.
            let log = tail()
            guard log.contains("shared memory block") || log.contains("lock file"), ContinuousClock.now < deadline
            else { throw failure("the server ended while it started; its log ends: \(log)") }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(1))
        }
    }

    private func initialize(programs: URL, owner: ServerOwner) async throws {
        let version = dataFolder.appendingPathComponent("PG_VERSION")
        if let found = try? String(contentsOf: version, encoding: .utf8) {
            let made = found.trimmingCharacters(in: .whitespacesAndNewlines)
            let has = try await Command.run(programs.appendingPathComponent("postgres"), ["--version"]).output
            guard has.split(separator: " ").contains(where: { $0 == made || $0.hasPrefix("\(made).") }) else {
                throw failure(
                    "\(dataFolder.path) was made by PostgreSQL \(made), but \(programs.path) has \(has); "
                        + "install version \(made) or choose another state folder"
                )
            }
            return
        }
        guard !FileManager.default.fileExists(atPath: dataFolder.path) else {
            throw failure("\(dataFolder.path) exists but is no PostgreSQL cluster; move it away")
        }
        // A cluster appears whole or not at all: initdb works beside it and the folder is renamed.
        let draft = stateFolder.appendingPathComponent("data.new")
        try? FileManager.default.removeItem(at: draft)
        let result = try await Command.run(
            programs.appendingPathComponent("initdb"),
            [
                "--pgdata", draft.path, "--username", Self.superuser, "--encoding", "UTF8", "--locale", "C",
                "--auth-local", "trust", "--auth-host", "reject", "--data-checksums", "--no-instructions",
            ],
            owner: owner
        )
        guard result.status == 0 else { throw failure("initdb failed: \(result.output.suffix(1_000))") }
        try FileManager.default.moveItem(at: draft, to: dataFolder)
    }

    private func launch(programs: URL, owner: ServerOwner, socketFolder: URL) throws {
        var all = [
            "listen_addresses": "", "unix_socket_directories": socketFolder.path, "unix_socket_permissions": "0700",
            "port": "5432", "timezone": "UTC", "log_timezone": "UTC", "logging_collector": "off",
            "shared_buffers": "128MB",
            // A statement's plan is kept until its tables are analysed, and tables begin empty here: by the default of a
            // minute, the first thousands of messages are looked up by reading whole tables.
            "autovacuum_naptime": "10s",
            // After each checkpoint every page goes to the log whole; ids are hashes, so nearly every page is touched.
            "wal_compression": "on",
        ]
        all.merge(settings) { _, given in given }
        var arguments = ["-D", dataFolder.path]
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { arguments += ["-c", "\(key)=\(value)"] }
        _ = FileManager.default.createFile(atPath: logFile.path, contents: nil, attributes: [.posixPermissions: 0o600])
        guard let log = try? FileHandle(forWritingTo: logFile) else { throw failure("cannot write \(logFile.path)") }
        defer { try? log.close() }
        // Not by swift-subprocess, which ends what it began: the server must outlive a starter that is killed.
        let process = Process()
        let command = owner.command(programs.appendingPathComponent("postgres"), arguments)
        process.executableURL = command.program
        process.arguments = command.arguments
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        isExited = false
        process.terminationHandler = { [weak self] ended in
            guard let self else { return }
            Task { await self.noteExit(of: ended) }
        }
        do {
            try process.run()
        } catch {
            throw failure("cannot run \(command.program.path): \(error)")
        }
        self.process = process
    }

    private func noteExit(of ended: Process) {
        if ended === process { isExited = true }
    }

    private func waitUntilReady(
        _ configuration: PostgresConfiguration,
        deadline: ContinuousClock.Instant
    ) async throws
        -> Bool
    {
        while !isExited {
            if await answers(configuration) { return true }
            guard ContinuousClock.now < deadline else {
                throw failure("the server does not answer; its log ends: \(tail())")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return false
    }

    private func answers(_ configuration: PostgresConfiguration) async -> Bool {
        let connection = PostgresConnection(configuration: configuration)
        guard (try? await connection.open()) != nil else { return false }
        await connection.close()
        return true
    }

    private func makeDatabase(_ administration: PostgresConfiguration) async throws -> PostgresConfiguration {
        let connection = PostgresConnection(configuration: administration)
        try await connection.open()
        let found = try await connection.query("SELECT 1 FROM pg_database WHERE datname = \(database)")
        if found.isEmpty { _ = try await connection.simple("CREATE DATABASE \(SQL.quote([database]))") }
        await connection.close()
        var configuration = administration.with(database: database)
        configuration.connectTimeout = .seconds(10)
        return configuration
    }

    // MARK: Stop

    /// Stops the server: open transactions are rolled back, and it is killed when it takes too long.
    ///
    /// No server is fine.
    public func stop() async {
        guard let running = livingServer() else {
            process = nil
            return
        }
        await terminate(running)
        process = nil
        // A short socket folder under /tmp is made again at the next start; rmdir takes it only when it is empty.
        if let note = try? String(contentsOf: stateFolder.appendingPathComponent("socket-folder"), encoding: .utf8) {
            rmdir(note.trimmingCharacters(in: .whitespacesAndNewlines))
        }
    }

    /// Fast shutdown, then an immediate one, then a kill; each has a time limit.
    private func terminate(_ pid: Int32) async {
        for (signal, limit) in [(SIGINT, 15), (SIGQUIT, 5), (SIGKILL, 5)] {
            kill(pid, signal)
            let deadline = ContinuousClock.now + .seconds(limit)
            while livingServer() == pid, ContinuousClock.now < deadline {
                // A cancelled task still waits for the server's end.
                await Task.detached { try? await Task.sleep(for: .milliseconds(10)) }.value
            }
            if livingServer() != pid { return }
        }
    }

    // MARK: Files

    /// The process in the pid file, when it lives and is a server of this folder: pids are used again after a restart.
    private func livingServer() -> Int32? {
        guard let text = try? String(contentsOf: pidFile, encoding: .utf8),
            let line = text.split(separator: "\n").first, let pid = Int32(line), pid > 0, kill(pid, 0) == 0
        else { return nil }
        guard let command = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else {
            return FileManager.default.fileExists(atPath: "/proc/self") ? nil : pid
        }
        let arguments = command.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return arguments.contains(dataFolder.path) ? pid : nil
    }

    private func removeStaleFiles(socketFolder: URL) {
        guard livingServer() == nil else { return }
        for file in [
            pidFile, socketFolder.appendingPathComponent(".s.PGSQL.5432"),
            socketFolder.appendingPathComponent(".s.PGSQL.5432.lock"),
        ] {
            try? FileManager.default.removeItem(at: file)
        }
    }

    private func prepareSocketFolder(owner: ServerOwner) throws -> URL {
        let near = stateFolder.appendingPathComponent("socket")
        // The lock file beside the socket has the longest name, but only the socket's own path is limited.
        if near.path.utf8.count + "/.s.PGSQL.5432".utf8.count <= Self.maximumSocketPath {
            try makeFolder(near, owner: owner)
            return near
        }
        let hash = stateFolder.path.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let far = URL(fileURLWithPath: "/tmp").appendingPathComponent("errata-postgres-\(String(hash, radix: 16))")
        try makeFolder(far, owner: owner)
        let note = stateFolder.appendingPathComponent("socket-folder")
        try Data("\(far.path)\n".utf8).write(to: note, options: .atomic)
        return far
    }

    /// Makes a folder of mode 0700; one that exists must be a real folder of the right owner, not somebody's trap.
    private func makeFolder(_ folder: URL, owner: ServerOwner) throws {
        if !FileManager.default.fileExists(atPath: folder.path) {
            // Folders above keep their usual mode, so that the server's user can pass.
            try FileManager.default.createDirectory(
                at: folder.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try FileManager.default.createDirectory(
                at: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            guard chown(folder.path, owner.uid, owner.gid) == 0 else {
                throw failure("cannot give \(folder.path) away")
            }
        }
        var status = stat()
        guard lstat(folder.path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw failure("\(folder.path) is no folder")
        }
        guard status.st_uid == owner.uid || status.st_uid == geteuid() else {
            throw failure("\(folder.path) belongs to another user; remove it or choose another state folder")
        }
        guard chown(folder.path, owner.uid, owner.gid) == 0, chmod(folder.path, 0o700) == 0 else {
            throw failure("cannot set the owner and mode of \(folder.path)")
        }
    }

    private func tail() -> String {
        let data = FileManager.default.contents(atPath: logFile.path) ?? Data()
        return String(decoding: data.suffix(2_000), as: UTF8.self)
    }

    private func findPrograms() async throws -> URL {
        var folder = programFolder
        if folder == nil {
            let answer = try? await Command.run(URL(fileURLWithPath: "/usr/bin/env"), ["pg_config", "--bindir"])
            if let answer, answer.status == 0 {
                folder = URL(fileURLWithPath: answer.output.trimmingCharacters(in: .whitespacesAndNewlines))
            }
        }
        guard let folder else {
            throw failure("pg_config is missing; install postgresql and libpq-dev, or name the program folder")
        }
        for program in ["initdb", "postgres"] {
            let path = folder.appendingPathComponent(program).path
            guard FileManager.default.isExecutableFile(atPath: path) else {
                throw failure("\(path) is missing; install the PostgreSQL server (Debian: apt-get install postgresql)")
            }
        }
        return folder
    }

    private func failure(_ message: String) -> PostgresError {
        PostgresError(kind: .embedded, message: "embedded PostgreSQL in \(stateFolder.path): \(message)")
    }
}
