/// The first form of `stages`: an object of four fixed stages, with thresholds for the whole run.
///
/// It is read as the recipe that it always was: thought templates, key steps on templates, preferences on the teacher's
/// corrections, and a plain control of as many tokens.
enum FixedStages {
    /// The run's JSON with a list of stages; a run that has one is left as it is.
    ///
    /// - Throws: ``SchemasError`` that names an unknown key by its place, unless those are ignored, or a threshold that is
    ///   no number.
    static func upgraded(_ json: JSONValue, ignoresUnknownKeys: Bool) throws -> JSONValue {
        guard case .object(var run) = json, case .object(let given)? = run["stages"] else { return json }
        let fixed = withoutNulls(given)
        let refuse = { (members: [String: JSONValue], known: [String], place: String) in
            if !ignoresUnknownKeys { try refuseUnknown(members, known: known, place: place) }
        }
        try refuse(fixed, ["plain", "hsft", "krsl", "dpo"], "stages")
        let thresholds = try thresholds(&run, refuse)
        var stages: [JSONValue] = []
        var chain: [String] = []
        func options(_ name: String, known: [String]) throws -> [String: JSONValue]? {
            switch fixed[name] {
            case nil: return nil
            case .object(let options)?:
                try refuse(options, known, "stages.\(name)")
                return options.filter { known.contains($0.key) }
            default:
                throw SchemasError(.malformedPayload, "\(EventType.run.rawValue): $.stages.\(name) is not a map")
            }
        }
        func start(_ examples: Int?) -> JSONValue {
            var start: [String: JSONValue] = ["waitSeconds": .number(thresholds.maximumWaitSeconds)]
            if let examples { start["examples"] = .integer(Int64(max(1, examples))) }
            return .object(start)
        }
        func leaveOut(_ key: String, of stage: inout [String: JSONValue], _ name: String) throws {
            guard case .object(var training)? = stage["training"], training[key] != nil else { return }
            if !ignoresUnknownKeys {
                let place = "stages.\(name).training"
                let block = try EventCoding.decodeJSON(
                    TrainingBlock.self,
                    from: EventCoding.encodeJSON(JSONValue.object(training)),
                    what: "\(EventType.run.rawValue): \(place)"
                )
                try block.validate(Validation(type: .run), place)
            }
            training[key] = nil
            stage["training"] = .object(training)
        }
        func add(_ name: String, _ options: [String: JSONValue], _ more: [String: JSONValue]) throws {
            var stage = more
            stage["name"] = .string(name)
            stage["parent"] = stage["parent"] ?? .string(chain.last ?? RunStage.initial)
            stage["training"] = options["training"]
            // What was given and not read is left out: how long a control trains, and what a loss on pairs is divided by.
            if stage["tokensOf"] != nil { try leaveOut("epochs", of: &stage, name) }
            if stage["preferences"] != nil { try leaveOut("normalization", of: &stage, name) }
            stages.append(.object(stage))
        }
        if let hsft = try options("hsft", known: ["training"]) {
            try add("hsft", hsft, ["supervised": sources(["templates"]), "start": start(thresholds.templates)])
            chain.append("hsft")
        }
        if let krsl = try options("krsl", known: Self.keyStepKeys) {
            var method = krsl.filter { Self.methodKeys.contains($0.key) }
            method["form"] = .string("templates")
            if let weight = krsl["supervisedWeight"], weight.doubleValue != 0 {
                method["mix"] = .array([.object(["kind": .string("templates"), "weight": weight])])
            }
            var stage: [String: JSONValue] = ["keySteps": .object(method), "start": start(thresholds.pairs)]
            // No pattern was all patterns.
            let data = krsl.filter { $0.key == "pairs" || $0.key == "mistakes" && $0.value != .array([]) }
            if !data.isEmpty { stage["data"] = .object(data) }
            try add("krsl", krsl, stage)
            chain.append("krsl")
        }
        if let dpo = try options("dpo", known: Self.preferenceKeys) {
            var method = dpo.filter { $0.key != "training" && $0.key != "supervisedWeight" }
            let layout = method["layout"] == nil ? "step" : method["layout"]?.stringValue ?? ""
            try Validation(type: .run)
                .word(layout, of: ["step", "trace", "prefix", "instance"], "stages.dpo.layout")
            method["layout"] = .string(layout)
            // The other layouts could say what they always do.
            if layout != "prefix" { method["wrongStepInContext"] = nil }
            if let weight = dpo["supervisedWeight"], weight.doubleValue != 0 {
                method["mix"] = sourceList(["templates"])
                method["mixWeight"] = weight
            }
            try add("dpo", dpo, ["preferences": .object(method), "start": start(thresholds.corrections)])
            chain.append("dpo")
        }
        if let plain = try options("plain", known: ["training"]) {
            var stage: [String: JSONValue] = [
                "supervised": sources(["rightChains", "rectifiedChains"]), "parent": .string(RunStage.initial),
            ]
            let training = plain["training"]?.objectValue ?? [:]
            if chain.isEmpty || training["maximumTokens"] != nil || training["maximumSteps"] != nil {
                stage["start"] = start(thresholds.templates)
            } else {
                stage["tokensOf"] = .array(chain.map { .string($0) })
            }
            try add("plain", plain, stage)
        }
        run["stages"] = .array(stages)
        if !chain.contains("dpo") { run["rollout"] = nil }
        // The untrained student was asked for templates, whatever was trained.
        if (run["prompt"] ?? .null) == .null { run["prompt"] = .object(["answers": .string("template")]) }
        return .object(run)
    }

    /// When stages had enough to start.
    private struct Thresholds: Decodable {
        var templates: Int
        var pairs: Int
        var corrections: Int?
        var maximumWaitSeconds: Double
    }

    private static func thresholds(
        _ run: inout [String: JSONValue],
        _ refuse: ([String: JSONValue], [String], String) throws -> Void
    ) throws -> Thresholds {
        guard case .object(let members)? = run.removeValue(forKey: "thresholds") else {
            throw SchemasError(
                .malformedPayload,
                "\(EventType.run.rawValue): $.thresholds is missing or no map; stages that are a map need it"
            )
        }
        try refuse(members, ["templates", "pairs", "corrections", "maximumWaitSeconds"], "thresholds")
        let thresholds = try EventCoding.decodeJSON(
            Thresholds.self,
            from: EventCoding.encodeJSON(JSONValue.object(members)),
            what: "\(EventType.run.rawValue): thresholds"
        )
        let check = Validation(type: .run)
        try check.atLeast(thresholds.templates, 0, "thresholds.templates")
        try check.atLeast(thresholds.pairs, 0, "thresholds.pairs")
        try check.atLeast(thresholds.corrections, 0, "thresholds.corrections")
        try check.range(thresholds.maximumWaitSeconds, 0...31_536_000, "thresholds.maximumWaitSeconds")
        return thresholds
    }

    /// A key whose value is null was as good as none.
    private static func withoutNulls(_ members: [String: JSONValue]) -> [String: JSONValue] {
        members.compactMapValues { value in
            switch value {
            case .null: nil
            case .object(let members): .object(withoutNulls(members))
            default: value
            }
        }
    }

    private static let methodKeys = ["alpha", "beta", "gamma", "tieRule", "wrongTokens", "nllThreshold", "keyTokens"]
    private static let keyStepKeys = methodKeys + ["training", "supervisedWeight", "pairs", "mistakes"]
    private static let preferenceKeys = [
        "training", "loss", "beta", "labelSmoothing", "nllWeight", "supervisedWeight", "layout", "wrongStepInContext",
        "tokenWeighted", "whenSelfCorrectionIsRight", "whenSelfCorrectionNamesAnotherStep",
    ]

    private static func refuseUnknown(_ members: [String: JSONValue], known: [String], place: String) throws {
        guard let key = members.keys.sorted().first(where: { !known.contains($0) }) else { return }
        throw SchemasError(
            .invalidPayload,
            "\(EventType.run.rawValue): $.\(place).\(key) is not known; known there are "
                + known.sorted().joined(separator: ", ")
        )
    }

    private static func sourceList(_ kinds: [String]) -> JSONValue {
        .array(kinds.map { .object(["kind": .string($0)]) })
    }

    private static func sources(_ kinds: [String]) -> JSONValue { .object(["sources": sourceList(kinds)]) }
}
