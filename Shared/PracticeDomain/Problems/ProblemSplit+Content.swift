import Reasoning
import Schemas

extension ProblemSplit {
    /// The split that a problem belongs to, from a hash of its content with names left out.
    static func of(content: String) -> ProblemSplit {
        switch StableHash.value(of: content) % 20 {
        case 0..<11: .train
        case 11..<15: .rollout
        case 15..<17: .development
        default: .test
        }
    }
}
