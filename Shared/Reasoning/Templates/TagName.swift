/// The tags of thought templates, correction traces and inspectors' verdicts.
enum TagName: Hashable, Sendable {
    case step
    case key
    case generalized
    case answer
    case cause
    case correction
    /// A remark on a step that is no part of it, such as `<Evaluate>This step is correct.</Evaluate>`.
    case remark
    case verdict
    case part
    case reason
    case other

    /// The tag of a name in any case and without blanks, of those that a kind of text has.
    init(_ name: String, in vocabulary: TagVocabulary) {
        let name = name.lowercased()
        self =
            switch vocabulary {
            case .steps: TagName.steps[name] ?? .other
            case .verdict: TagName.verdicts[name] ?? .other
            }
    }

    /// Models do not keep to the names that they are given.
    private static let steps: [String: TagName] = [
        "step": .step,
        "key": .key, "keys": .key, "keynote": .key, "keynotes": .key, "keypoint": .key, "keypoints": .key,
        "keyinsight": .key, "keyidea": .key, "keystep": .key, "keyconcept": .key, "keytakeaway": .key,
        "generalized": .generalized, "generalised": .generalized, "generalize": .generalized,
        "generalise": .generalized, "generalization": .generalized, "generalisation": .generalized,
        "generalizedmethod": .generalized, "generalisedmethod": .generalized, "generalizedapproach": .generalized,
        "generalizedsolution": .generalized, "generalmethod": .generalized, "generalapproach": .generalized,
        "general": .generalized,
        "answer": .answer, "finalanswer": .answer, "theanswer": .answer, "ans": .answer, "result": .answer,
        "finalresult": .answer,
        "cause": .cause, "errorcause": .cause, "causeoferror": .cause,
        "correction": .correction, "corrected": .correction, "correctedstep": .correction, "correctstep": .correction,
        "evaluate": .remark, "evaluation": .remark, "check": .remark, "comment": .remark, "judgement": .remark,
        "judgment": .remark, "assessment": .remark,
    ]

    private static let verdicts: [String: TagName] = [
        "verdict": .verdict, "finalverdict": .verdict, "judgement": .verdict, "judgment": .verdict,
        "part": .part, "faultypart": .part, "element": .part,
        "reason": .reason, "reasoning": .reason, "explanation": .reason,
    ]

    /// The whole numbers that step tags and headings spell out.
    static let numbers: [String: Int] = [
        "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    ]
}

/// The kinds of tagged text; the tags of one are unknown in the other.
enum TagVocabulary: Sendable {
    case steps
    case verdict
}

/// A piece of a tagged text.
enum TagEvent: Hashable, Sendable {
    case open(TagName, Int?)
    case close(TagName, Int?)
    /// What a step's tag says beside its number: `<Step 1: Find the cost>`.
    case title(String)
    case text(String)
}
