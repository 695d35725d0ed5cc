import Schemas

/// Topics as users name them.
enum TopicName {
    /// The name at the broker: `problems` is `errata.problems.v1`; another name is left as it is.
    static func full(_ text: String) -> String { Topic(rawValue: "errata.\(text).v1")?.rawValue ?? text }
}
