/// How the stages of a run build on one another.
extension RunEvent {
    /// A stage by its name.
    public func stage(_ name: String) -> RunStage? { stages.first { $0.name == name } }

    /// The stages, each behind those that it waits for, otherwise in the recipe's order.
    public var stagesInOrder: [RunStage] {
        var ordered: [RunStage] = []
        var left = stages
        while let next = left.firstIndex(where: { stage in
            stage.waitsFor.allSatisfy { name in !left.contains { $0.name == name } }
        }) {
            ordered.append(left.remove(at: next))
        }
        return ordered + left
    }

    /// The stages that cannot be trained once a stage has failed: those that wait for it, and those that wait for them.
    public func followers(of name: String) -> [String] {
        var failed: Set<String> = [name]
        for stage in stagesInOrder where stage.waitsFor.contains(where: failed.contains) { failed.insert(stage.name) }
        return stages.map(\.name).filter { $0 != name && failed.contains($0) }
    }

    /// The stage whose checkpoint ends a round: the gate's, else the last one; nil where there is none.
    public var candidateStage: String? { gate?.stage ?? stages.last?.name }

    /// The stages that a round trains.
    public func stages(ofRound round: Int) -> [RunStage] { stages.filter { round <= $0.lastRound ?? .max } }

    /// Whether a stage, `initial` or `champion` is a parent whose attempts other stages of a round learn from.
    public func isRolledOut(_ name: String, round: Int) -> Bool {
        stages(ofRound: round).contains { $0.needsRollout && $0.parentName == name }
    }

    /// What a stage's student, or the untrained one (`initial`), writes: `chain` or `template`.
    public func answers(of name: String) -> String {
        var seen: Set<String> = []
        var name = name
        while seen.insert(name).inserted {
            if name == RunStage.initial { return initialAnswers }
            let next = name == RunStage.champion ? candidateStage : name
            guard let stage = next.flatMap({ self.stage($0) }) else { break }
            if let own = stage.ownAnswers { return own }
            name = stage.parentName
        }
        return initialAnswers
    }

    private var initialAnswers: String {
        prompt?.answers ?? stages.lazy.compactMap(\.ownAnswers).first ?? "template"
    }

    /// Checks names, parents, that nothing waits for itself, and that every round has what its stages wait for.
    func validateGraph(_ check: Validation) throws {
        let names = stages.map(\.name)
        for (index, stage) in stages.enumerated() {
            let place = "stages[\(index)]"
            try check.require(
                names.firstIndex(of: stage.name) == index,
                "\(place).name",
                "is '\(stage.name)', as another stage's; give each a name of its own"
            )
            let known = [RunStage.initial, RunStage.champion] + names.filter { $0 != stage.name }
            try check.require(
                known.contains(stage.parentName),
                "\(place).parent",
                "is '\(stage.parentName)', which is no other stage; known are \(Validation.list(known))"
            )
            try check.require(
                stage.parentName != RunStage.champion || gate != nil,
                "\(place).parent",
                "is 'champion', but the run has no gate that would name one"
            )
            for (other, name) in (stage.tokensOf ?? []).enumerated() {
                try check.require(
                    names.contains(name) && name != stage.name,
                    "\(place).tokensOf[\(other)]",
                    "is '\(name)', which is no other stage; known are \(Validation.list(names.filter { $0 != stage.name }))"
                )
            }
        }
        if let circle {
            throw check.failure(
                "stages[\(names.firstIndex(of: circle[0]) ?? 0)]",
                "closes a circle: \((circle + [circle[0]]).joined(separator: " waits for "))"
            )
        }
        try validateLastRounds(check)
        for (index, stage) in stages.enumerated() {
            let sources = stage.supervised?.sources ?? []
            if let source = sources.firstIndex(where: { $0.kind == "teacherSteps" }) {
                try check.require(
                    answers(of: stage.parentName) == "template",
                    "stages[\(index)].supervised.sources[\(source)].kind",
                    "is 'teacherSteps', but '\(stage.parentName)' answers in chains, which have no step elements"
                )
            }
            guard stage.preferences?.layout == "step" else { continue }
            try check.require(
                answers(of: stage.parentName) == "template",
                "stages[\(index)].preferences.layout",
                "is 'step', but '\(stage.parentName)' answers in chains, which have no step elements; choose prefix, trace "
                    + "or instance"
            )
        }
    }

    private func validateLastRounds(_ check: Validation) throws {
        for (index, stage) in stages.enumerated() {
            guard let last = stage.lastRound else { continue }
            let place = "stages[\(index)].lastRound"
            try check.require(rounds != nil, place, "is read where a run has rounds; leave it out")
            try check.require(
                stage.name != candidateStage,
                place,
                "is given to '\(stage.name)', which the gate judges in every round; leave it out"
            )
            let later = stages.first { $0.waitsFor.contains(stage.name) && $0.lastRound ?? .max > last }
            if let later {
                throw check.failure(place, "is \(last), but '\(later.name)' waits for the stage in rounds after it")
            }
        }
    }

    /// Stages that wait for one another in a circle, in that order.
    private var circle: [String]? {
        let ordered = stagesInOrder
        var before: Set<String> = []
        let stuck = ordered.drop { stage in
            defer { before.insert(stage.name) }
            return stage.waitsFor.allSatisfy(before.contains)
        }
        guard var name = stuck.first?.name else { return nil }
        let names = Set(stuck.map(\.name))
        var path: [String] = []
        while !path.contains(name) {
            path.append(name)
            guard let next = stage(name)?.waitsFor.first(where: names.contains) else { return nil }
            name = next
        }
        return Array(path[(path.firstIndex(of: name) ?? 0)...])
    }
}

extension RunStage {
    /// The stages that must be done before: the parent, where it is one, and those of ``tokensOf``.
    public var waitsFor: [String] {
        ([parentName] + (tokensOf ?? [])).filter { $0 != Self.initial && $0 != Self.champion }
    }

    /// What the stage teaches to write; nil where it is what the parent writes.
    fileprivate var ownAnswers: String? {
        if let answers { return answers }
        switch method {
        case .supervised(let method):
            for source in method.sources {
                switch source.kind {
                case "templates": return source.style.map { $0.hasPrefix("template") } ?? true ? "template" : "chain"
                case "corrections", "attempts", "teacherSteps": continue
                default: return "chain"
                }
            }
            return nil
        case .keySteps(let method): return method.form == "templates" ? "template" : "chain"
        case .preferences(let method): return method.layout == PreferenceMethod.dualChains ? "chain" : nil
        case nil: return nil
        }
    }
}
