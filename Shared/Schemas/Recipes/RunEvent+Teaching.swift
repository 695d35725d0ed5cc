/// A part of the teacher's work on a problem, which is asked for where a run needs it.
public enum TeachingPart: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
    /// A chain of thought (EDIT, step 1).
    case chains
    /// A dual pair: a wrong chain rectified, or a right one corrupted (EDIT, step 2). It needs a chain, which is asked for
    /// with it.
    case duals
    /// The kind of a dual pair's mistake (EDIT, Table 29).
    case mistakes
    /// A thought template that an inspector accepted (SuperCorrect, steps 2 and 3).
    case templates

    /// In the order in which they are asked for.
    public static func < (first: TeachingPart, second: TeachingPart) -> Bool { first.order < second.order }

    private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

extension Set<TeachingPart> {
    /// Everything that a teacher can be asked about a problem.
    public static var all: Set<TeachingPart> { Set(TeachingPart.allCases) }

    /// The names, in order.
    public var names: [String] { sorted().map(\.rawValue) }

    /// The kinds of traces that come of it.
    public var traces: Set<TraceKind> {
        Set<TraceKind>(
            map {
                switch $0 {
                case .chains: .chainOfThought
                case .duals, .mistakes: .dual
                case .templates: .template
                }
            }
        )
    }

    /// The parts with these names; names of a later version are passed over.
    public init(names: [String]) { self.init(names.compactMap(TeachingPart.init(rawValue:))) }
}

extension ExampleSource {
    /// What the teacher has to be asked about training problems for such responses.
    var teaching: Set<TeachingPart> {
        switch kind {
        case "rightChains", "repeatedChains": [.chains]
        case "rectifiedChains", "wrongChains": [.duals]
        // A correction that is made of a pair tells the kind of its mistake.
        case "corrections": [.duals, .mistakes]
        case "templates": [.templates]
        default: []
        }
    }
}

extension RunStage {
    /// What the teacher has to be asked about the training problems that the stage learns from.
    public var teaching: Set<TeachingPart> {
        var parts: Set<TeachingPart> = []
        let mixed: [ExampleSource]
        switch method {
        case .supervised(let method): mixed = method.sources
        case .keySteps(let method):
            parts.insert(.duals)
            // Pairs that are written as templates take their notes and their general method from the problem's template.
            if method.form == "templates" { parts.insert(.templates) }
            mixed = method.mix ?? []
        case .preferences(let method):
            if method.layout == PreferenceMethod.dualChains { parts.insert(.duals) }
            mixed = method.mix ?? []
        case nil: mixed = []
        }
        for source in mixed { parts.formUnion(source.teaching) }
        if data?.mistakes != nil || data?.equalMistakes == true { parts.insert(.mistakes) }
        return parts
    }
}

extension RunEvent {
    /// What the teacher has to be asked about the training problems of each data set that the run learns from, or shows
    /// solved in a few-shot suite.
    public var teaching: [String: Set<TeachingPart>] {
        var parts: [String: Set<TeachingPart>] = [:]
        for stage in stages {
            for dataset in stage.data?.datasets ?? [dataset] { parts[dataset, default: []].formUnion(stage.teaching) }
        }
        for suite in suites where suite.shots ?? 0 > 0 {
            for stage in [RunStage.initial] + stages.map(\.name) where suite.scores(stage) {
                parts[suite.dataset, default: []].insert(answers(of: stage) == "chain" ? .chains : .templates)
            }
        }
        return parts.filter { !$0.value.isEmpty }
    }
}
