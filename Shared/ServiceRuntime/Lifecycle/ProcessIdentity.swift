import Foundation

/// Names that tell processes apart.
enum ProcessIdentity {
    /// Host, process id and a random part: process ids come again.
    static let description: String = {
        let host = ProcessInfo.processInfo.hostName
        let random = UInt32.random(in: .min ... .max)
        return "\(host)/\(ProcessInfo.processInfo.processIdentifier)/\(String(random, radix: 16))"
    }()
}
