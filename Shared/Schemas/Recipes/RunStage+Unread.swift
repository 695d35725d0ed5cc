/// Keys that a stage gives and nothing would read: a recipe that means something by them is refused before it is taken for
/// another.
extension RunStage {
    /// Whether all that the stage learns from is made of its parent's attempts, so that it takes no training problems.
    var learnsFromRolloutsAlone: Bool {
        switch method {
        case .supervised(let method): method.sources.allSatisfy { ExampleSource.ofRollouts.contains($0.kind) }
        case .preferences(let method): needsRollout && (method.mix ?? []).isEmpty
        case .keySteps, nil: false
        }
    }

    /// Checks that the method and the start read what is given to them.
    func validateUnread(_ check: Validation, _ field: String) throws {
        for (name, isThere) in [
            ("datasets", data?.datasets != nil), ("families", data?.families != nil), ("limit", data?.limit != nil),
        ] {
            try check.require(
                !isThere || !learnsFromRolloutsAlone,
                "\(field).data.\(name)",
                "chooses among training problems, but the stage learns from its parent's attempts alone; leave it out, and "
                    + "see rollout"
            )
        }
        // Attempts that are right wait for nobody's answer.
        for (name, isThere) in [
            ("examples", start?.examples != nil), ("waitSeconds", start?.waitSeconds != nil),
        ] {
            try check.require(
                !isThere || !needsRollout || needsCorrections,
                "\(field).start.\(name)",
                "is not read: the stage starts once its parent has made its attempts; leave it out"
            )
        }
        try check.require(
            training?.epochs == nil || tokensOf == nil,
            "\(field).training.epochs",
            "is not read beside tokensOf, which says how long the stage trains; leave it out"
        )
        try check.require(
            training?.normalization == nil || preferences == nil,
            "\(field).training.normalization",
            "is not read by a stage on preferences; leave it out"
        )
    }

    /// Checks that all that is given can be handed to another engine.
    func validateForEngine(_ check: Validation, _ field: String) throws {
        try check.require(
            keySteps == nil,
            "\(field).engine",
            "is given to a stage on key steps, whose token weights other engines do not take; leave it out"
        )
        try check.require(
            preferences?.mix == nil && preferences?.tokenWeighted != true && preferences?.nllWeight ?? 0 == 0,
            "\(field).engine",
            "is given, but mix, nllWeight and tokenWeighted are not handed to other engines; leave them out"
        )
        try check.require(
            preferences?.loss != "simpo",
            "\(field).preferences.loss",
            "is 'simpo', which is not handed to other engines; choose another loss, or leave engine out"
        )
        for (name, isThere) in [
            ("batchTokens", training?.batchTokens != nil), ("tokensAtOnce", training?.tokensAtOnce != nil),
            ("recomputeActivations", training?.recomputeActivations != nil),
            ("precision", training?.precision != nil), ("normalization", training?.normalization != nil),
            ("shuffle", training?.shuffle != nil), ("saveDtype", training?.saveDtype != nil),
        ] {
            try check.require(
                !isThere,
                "\(field).training.\(name)",
                "is not handed to other engines; leave it out, and set it in the engine's own configuration"
            )
        }
    }
}

extension RunEvent {
    /// Checks that there is something that reads the roll-out's and the decoding's options.
    func validateUnread(_ check: Validation) throws {
        let isRolledOut = stages.contains(where: \.needsRollout)
        try check.require(
            rollout == nil || isRolledOut,
            "rollout",
            "is not read: no stage learns from attempts; leave it out"
        )
        guard let decoding else { return }
        let draws = decoding.temperature > 0
        try check.require(
            decoding.seed == nil || draws,
            "decoding.seed",
            "is not read at temperature 0, and roll-outs draw by the run's seed; leave it out"
        )
        let drawsInRollouts = isRolledOut && (rollout ?? RolloutOptions()).temperature > 0
        for (name, isThere) in [("topK", decoding.topK != nil), ("topP", decoding.topP != nil)] {
            try check.require(
                !isThere || draws || drawsInRollouts,
                "decoding.\(name)",
                "is not read at temperature 0, where nothing is drawn; leave it out"
            )
        }
        try check.require(
            decoding.maximumCorrectionTokens == nil || decoding.selfCorrection == true || isRolledOut,
            "decoding.maximumCorrectionTokens",
            "is not read: selfCorrection is not true, and no stage learns from attempts; leave it out"
        )
    }
}
