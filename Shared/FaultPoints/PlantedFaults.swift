#if ERRATA_FAULTS
import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// An error that stands for one of the system's, such as a disk that is full.
public struct PlantedError: Error, CustomStringConvertible, Sendable {
    /// Where it was planted.
    public let point: FaultPoint
    /// What it says.
    public var description: String { "planted at \(point.rawValue): No space left on device" }
}

extension FaultPoint {
    /// Whether this process is one that faults are planted for.
    public static var arePlanted: Bool { PlantedFaults.shared != nil }

    /// Looks whether a fault is planted here for this program, and has it happen.
    ///
    /// The folder that the environment names in `FAULT_POINTS` holds a file `PROGRAM@POINT` for each, with what happens
    /// and at which passing from then on (1 by default): `kill` (SIGKILL), `term` (SIGTERM, and on), `fail` (an error of the
    /// system), `tear` (the first half of the file is all there is, and SIGKILL). What happened is renamed to
    /// `PROGRAM@POINT.done.PID`.
    public func reach(file: @autoclosure () -> String? = nil) throws {
        guard let fault = PlantedFaults.shared?.take(self) else { return }
        switch fault {
        case .kill: kill(getpid(), SIGKILL)
        case .term: kill(getpid(), SIGTERM)
        case .fail: throw PlantedError(point: self)
        case .tear:
            if let path = file() {
                let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
                truncate(path, off_t(size / 2))
            }
            kill(getpid(), SIGKILL)
        }
    }
}

/// The faults of one process.
final class PlantedFaults: Sendable {
    enum Fault: String { case kill, term, fail, tear }

    static let shared = ProcessInfo.processInfo.environment["FAULT_POINTS"].map {
        PlantedFaults(
            folder: $0,
            program: URL(fileURLWithPath: CommandLine.arguments.first ?? "").lastPathComponent
        )
    }

    private let folder: String
    private let program: String
    private let passed = Mutex<[FaultPoint: Int]>([:])

    init(folder: String, program: String) {
        self.folder = folder
        self.program = program
    }

    /// The fault that happens at this passing, which is then no longer planted.
    func take(_ point: FaultPoint) -> Fault? {
        let path = "\(folder)/\(program)@\(point.rawValue)"
        // Most passings end here, after one call of the system.
        guard access(path, R_OK) == 0, let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        let words = text.split { $0 == " " || $0 == "\n" }
        guard let fault = words.first.flatMap({ Fault(rawValue: String($0)) }) else { return nil }
        let number = words.dropFirst().first.flatMap { Int($0) } ?? 1
        let isDue = passed.withLock { passed in
            passed[point, default: 0] += 1
            guard passed[point] == number else { return false }
            passed[point] = nil
            return true
        }
        // Of several processes that pass at the same moment one has it.
        guard isDue, rename(path, "\(path).done.\(getpid())") == 0 else { return nil }
        return fault
    }
}
#endif
