import Foundation

extension String {
    /// Without blanks and newlines at both ends.
    package var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
