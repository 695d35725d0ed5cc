public import Schemas
public import ServiceRuntime

/// What the teacher is asked about training problems, as the configuration says it: `needed`, `all`, `none`, or the parts that
/// are asked for whatever runs need, by comma.
public struct TeachingScope: Sendable, Hashable, CustomStringConvertible {
    /// What is asked for of every training problem, beside what runs need.
    public var always: Set<TeachingPart>
    /// Whether there is a teacher at all; else problems are stored, and traces are those that were recorded elsewhere.
    public var asks: Bool

    /// Makes a scope.
    public init(always: Set<TeachingPart>, asks: Bool = true) {
        self.always = always
        self.asks = asks
    }

    /// What runs need, the default of the service.
    public static let needed = TeachingScope(always: [])
    /// Everything.
    public static let all = TeachingScope(always: .all)
    /// Nothing, for want of a teacher.
    public static let none = TeachingScope(always: [], asks: false)

    /// The scope of a text; nil where it is none.
    public init?(_ text: String) {
        switch text {
        case "needed": self = .needed
        case "all": self = .all
        case "none": self = .none
        default:
            let names = text.split(separator: ",", omittingEmptySubsequences: false)
            let parts = names.compactMap { TeachingPart(rawValue: String($0.trimmingPrefix(" "))) }
            guard parts.count == names.count else { return nil }
            self.init(always: Set(parts))
        }
    }

    /// The text.
    public var description: String {
        switch self {
        case .needed: "needed"
        case .all: "all"
        case .none: "none"
        default: always.names.joined(separator: ",")
        }
    }
}

extension TeacherIngestionService.Keys {
    /// What is asked about problems.
    public static let parts = ConfigurationKey<String>(
        "ERRATA_TEACHER_PARTS",
        default: TeachingScope.needed.description,
        "What the teacher is asked about training problems: needed (what active runs learn from), all, none (there is no "
            + "teacher; traces are imported), or some of chains, duals, mistakes and templates by comma, beside what is needed."
    ) { text in
        TeachingScope(text) == nil
            ? "must be needed, all, none, or some of \(Set<TeachingPart>.all.names.joined(separator: ", ")) by comma"
            : nil
    }
}
