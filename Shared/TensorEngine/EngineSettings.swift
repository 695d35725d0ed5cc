import Foundation
import Synchronization

/// What a process says about how its contexts compute.
///
/// | variable | meaning | default |
/// | --- | --- | --- |
/// | `ERRATA_THREADS` | worker threads of a context, 1 to 1024 | the processors that the process may use, at most 16 |
/// | `ERRATA_KERNELS` | the name of a ``KernelTable`` | the fastest that the processor can run |
///
/// An empty value is none. A program calls ``check()`` when it starts, so that a value that cannot be used is
/// an error there; a context of a process that did not has the defaults, and ``BLASRuntime/description`` says why.
public struct EngineSettings: Sendable, Hashable {
    /// Names the variable of the threads.
    public static let threadsKey = "ERRATA_THREADS"
    /// Names the variable of the kernels.
    public static let kernelsKey = "ERRATA_KERNELS"

    /// Worker threads of a context, the calling one included.
    public var threads: Int
    /// The kernels of a context.
    public var kernels: KernelTable

    /// The defaults.
    public init() {
        threads = min(16, ProcessorCount.available)
        kernels = .best
    }

    /// What the environment says, and the defaults where it says nothing.
    ///
    /// - Throws: ``EngineSettingError`` that names the variable and what it may be.
    public init(environment: [String: String]) throws(EngineSettingError) {
        self.init()
        if let text = environment[Self.threadsKey], !text.isEmpty {
            guard let count = Int(text), (1...1024).contains(count) else {
                throw EngineSettingError(
                    "\(Self.threadsKey) is \"\(text)\"; it must be a whole number from 1 to 1024, or be left out for the "
                        + "\(threads) that suit this process"
                )
            }
            threads = count
        }
        if let name = environment[Self.kernelsKey], !name.isEmpty {
            do {
                kernels = try KernelTable(named: name)
            } catch {
                throw EngineSettingError("\(Self.kernelsKey): \(error.message)")
            }
        }
    }

    /// What the process's environment says; for a program's start.
    ///
    /// - Throws: ``EngineSettingError`` that names the variable and what it may be.
    @discardableResult
    public static func check() throws(EngineSettingError) -> EngineSettings {
        try EngineSettings(environment: ProcessInfo.processInfo.environment)
    }

    /// Makes these the settings of all contexts that are made from now on without settings of their own.
    ///
    /// For a program whose configuration may come from a file as well as from the environment.
    public func adopt() { Self.current.withLock { $0 = (self, nil) } }

    /// What contexts are made with, and why the environment is not heeded where it cannot be.
    static var ofProcess: (settings: EngineSettings, complaint: String?) { current.withLock { $0 } }

    private static let current: Mutex<(settings: EngineSettings, complaint: String?)> = {
        do throws(EngineSettingError) {
            return Mutex((try check(), nil))
        } catch {
            return Mutex((EngineSettings(), error.message))
        }
    }()
}

/// A setting that cannot be used.
public struct EngineSettingError: Error, Sendable, CustomStringConvertible {
    /// Names the setting, its value and what it may be.
    public let message: String

    init(_ message: String) { self.message = message }

    /// The message.
    public var description: String { message }
}
