#if ERRATA_FAULTS
import Foundation
#endif

/// How much later than at once the tests have the embedded broker answer, for as long as they do.
///
/// Only in a build with the flag `ERRATA_FAULTS`; in any other there is none.
public enum PlantedDelay {
    #if ERRATA_FAULTS
    /// The delay in milliseconds that stands in the file `broker.delay` of the folder of `FAULT_POINTS`; 0 without one.
    public static var broker: Int {
        guard let folder = ProcessInfo.processInfo.environment["FAULT_POINTS"],
            let text = try? String(contentsOfFile: "\(folder)/broker.delay", encoding: .utf8)
        else { return 0 }
        return Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }
    #else
    /// None in this build.
    @inlinable public static var broker: Int { 0 }
    #endif
}
