#if ERRATA_FAULTS
import Foundation
#endif

/// What the delivery's promises rest on, left out: the tests see so whether their checker notices.
///
/// Only in a build with the flag `ERRATA_FAULTS`, by the environment's `FAULT_PLANT`.
public enum Sabotage: String, Sendable {
    /// Messages that came before are worked on again.
    case inboxOff = "inbox-off"
    /// Offsets are committed before the database.
    case offsetsFirst = "offsets-first"

    #if ERRATA_FAULTS
    private static let planted = ProcessInfo.processInfo.environment["FAULT_PLANT"].flatMap(Sabotage.init)

    /// Whether it is planted.
    public var isPlanted: Bool { self == Self.planted }
    #else
    /// Never in this build.
    @inlinable public var isPlanted: Bool { false }
    #endif
}
