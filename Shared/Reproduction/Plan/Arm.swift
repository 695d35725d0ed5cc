public import Reasoning
public import Schemas

/// One row of a table: a student and how it came to be.
public struct Arm: Sendable, Hashable, Codable {
    /// The arm's name in files and results, and its stage's in runs.
    public var id: String
    /// The arm's name for people.
    public var title: String
    /// The part of the table that it stands in.
    public var group: String
    /// Where the papers have it, for example `EDIT, Table 1`.
    public var source: String?
    /// The arm whose student it starts from; `nil` for the untrained student.
    public var parent: String?
    /// How its student is trained: the stage of a run, without what the plan decides for all arms; `nil` where nothing is
    /// trained.
    public var stage: RunStage?
    /// How long it is trained; `nil` where nothing is.
    public var length: Length?
    /// Whether it is its parent's student with a second pass at inference, in which the student corrects itself.
    public var isSecondPass: Bool
    /// How the student writes its answers when it is scored.
    public var style: ResponseStyle
    /// The arms that it is compared with, by paired tests.
    public var against: [String]

    /// How long a stage goes on.
    public enum Length: String, Sendable, Hashable, Codable {
        /// As many tokens as every such arm.
        case tokens
        /// As many passes over its examples as every such arm.
        case passes
        /// A second stage: as many tokens as every second stage, at one of its rates.
        case secondStage = "second-stage"
    }

    /// Creates an arm.
    ///
    /// Arguments:
    ///   - method: what its student is trained by; `nil` where nothing is trained.
    ///   - data: what it learns from; all of the seed's when not given.
    ///   - training: options of the optimiser that set it apart from the other arms.
    ///   - length: how long it is trained, where it is.
    public init(
        _ id: String,
        _ title: String,
        group: String,
        source: String? = nil,
        parent: String? = nil,
        method: RunStage.Method? = nil,
        data: StageData? = nil,
        training: TrainingBlock? = nil,
        length: Length = .secondStage,
        isSecondPass: Bool = false,
        style: ResponseStyle,
        against: [String] = []
    ) {
        self.id = id
        self.title = title
        self.group = group
        self.source = source
        self.parent = parent
        stage = method.map { RunStage($0, name: id, data: data, training: training) }
        self.length = method == nil ? nil : length
        self.isSecondPass = isSecondPass
        self.style = style
        self.against = against
    }

    /// Whether it has a training of its own, for which a learning rate has to be chosen.
    public var isTrained: Bool { stage != nil }
}

extension RunStage {
    /// A stage of a method.
    fileprivate init(_ method: Method, name: String, data: StageData?, training: TrainingBlock?) {
        self.init(name: name, data: data, training: training)
        switch method {
        case .supervised(let method): supervised = method
        case .keySteps(let method): keySteps = method
        case .preferences(let method): preferences = method
        }
    }
}
