import Reasoning
public import ServiceRuntime

/// How strictly problems to learn from are held against evaluation sets, as the configuration names it.
public enum DecontaminationSetting: String, Sendable, CaseIterable, ConfigurationValue {
    /// A problem is left out where most of an evaluation question stands in it.
    case standard
    /// A problem is left out where any 13 words in a row of an evaluation question stand in it.
    case strict
    /// None is left out.
    case off

    var rule: Decontamination.Rule? {
        switch self {
        case .standard: .standard
        case .strict: .strict
        case .off: nil
        }
    }
}

extension TeacherIngestionService.Keys {
    /// Whether duplicates are left out.
    public static let duplicates = ConfigurationKey<Bool>(
        "ERRATA_FIND_DUPLICATES",
        default: true,
        "Whether a training or roll-out problem that is an exact or near duplicate of an earlier one is left out."
    )
    /// How strictly evaluation sets are kept out of training.
    public static let decontamination = ConfigurationKey<DecontaminationSetting>(
        "ERRATA_DECONTAMINATION",
        default: .standard,
        "When a training or roll-out problem is left out for an evaluation question in it: most of it is there (standard), "
            + "any 13 words in a row (strict), or never (off)."
    )
}
