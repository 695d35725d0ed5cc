import Schemas
import Testing

@Suite("Stages that are refused, each with its place")
struct StageRefusalTests {
    @Test("names, methods, data and starts", arguments: Self.stagesRefused)
    func stages(refusal: Refusal) throws { try refusal.check() }

    @Test("options of methods", arguments: Self.methodsRefused)
    func methods(refusal: Refusal) throws { try refusal.check() }

    @Test("options of the optimiser", arguments: Self.trainingRefused)
    func training(refusal: Refusal) throws { try refusal.check() }

    @Test("dual pairs are chosen among where whole responses are made of them", arguments: ExampleSource.kinds)
    func dualPairs(kind: String) throws {
        let data = StageData(pairs: "corrupted", mistakes: ["calculation"], equalMistakes: true)
        let beside = kind == "templates" ? "solutions" : "templates"
        var stages = [
            RunStage(
                name: "a",
                supervised: SupervisedMethod([ExampleSource(beside), ExampleSource(kind)]),
                data: data,
                start: kind == "attempts" ? nil : StageStart(examples: 1)
            )
        ]
        if !["attempts", "teacherSteps"].contains(kind) {
            let mix = [ExampleSource(beside), ExampleSource(kind)]
            stages.append(
                RunStage(name: "a", preferences: PreferenceMethod(layout: "prefix", mix: mix), data: data)
            )
        }
        for stage in stages {
            let run = Samples.run(of: [stage])
            let faults = try SchemaValidator.of(.run).faults(
                EventCoding.decodeJSON(from: EventCoding.encodeJSON(run))
            )
            if ["rectifiedChains", "wrongChains", "corrections"].contains(kind) {
                #expect(throws: Never.self) { try run.validate() }
                #expect(faults == [])
            } else {
                let error = #expect(throws: SchemasError.self) { try run.validate() }
                #expect(error?.message.contains("$.stages[0].data.pairs chooses among dual pairs") == true)
                #expect(!faults.isEmpty)
            }
        }
    }

    // The stages of the sample: 0 templates, 1 keys, 2 corrections, 3 duals, 4 self, 5 plain.
    private static let stagesRefused: [Refusal] = [
        Refusal("stages[0].name must be 1 to 200 letters") { $0.stages[0].name = "a b" },
        Refusal("stages[0].name must be 1 to 200 letters") { $0.stages[0].name = "" },
        Refusal("stages[0].name must not hold '/'") { $0.stages[0].name = "a/b" },
        Refusal("stages[0].name is 'initial', which names the untrained student; choose another") {
            $0.stages[0].name = "initial"
        },
        Refusal("stages[0].name is 'champion', which names a model of the run; choose another") {
            $0.stages[0].name = "champion"
        },
        Refusal("stages[0].name is 'latest', which names a model of the run; choose another") {
            $0.stages[0].name = "latest"
        },
        Refusal("stages[0] has no method; give one of supervised, keySteps, preferences") {
            $0.stages[0].supervised = nil
        },
        Refusal("stages[0] has 2 methods; give one of supervised, keySteps, preferences") {
            $0.stages[0].keySteps = KeyStepMethod()
        },
        Refusal("stages[1] has 3 methods; give one of supervised, keySteps, preferences") {
            $0.stages[1].supervised = Samples.plain.supervised
            $0.stages[1].preferences = Samples.duals.preferences
        },
        Refusal("stages[0].answers must be one of chain, template, is 'both'") { $0.stages[0].answers = "both" },
        Refusal("stages[0].data.datasets must hold a name, or not be there") { $0.stages[0].data?.datasets = [] },
        Refusal("stages[0].data.datasets[1] must be 1 to 200") { $0.stages[0].data?.datasets = ["a", "-b"] },
        Refusal("stages[0].data.families must hold a name, or not be there") { $0.stages[0].data?.families = [] },
        Refusal("stages[0].data.limit must be at least 1, is 0") { $0.stages[0].data?.limit = 0 },
        Refusal("stages[1].data.pairs must be one of all, corrupted, rectified, is 'some'") {
            $0.stages[1].data?.pairs = "some"
        },
        Refusal("stages[1].data.mistakes[1] must be one of logical, knowledge, calculation,") {
            $0.stages[1].data?.mistakes = ["other", "haste"]
        },
        // A stage on templates and worked solutions has no dual pairs to choose from, nor has one on attempts.
        Refusal("stages[0].data.pairs chooses among dual pairs, which the stage does not learn from; leave it out") {
            $0.stages[0].data?.pairs = "all"
        },
        Refusal("stages[0].data.mistakes chooses among dual pairs") { $0.stages[0].data?.mistakes = ["other"] },
        Refusal("stages[0].data.equalMistakes chooses among dual pairs") { $0.stages[0].data?.equalMistakes = false },
        Refusal("stages[2].data.pairs chooses among dual pairs") { $0.stages[2].data = StageData(pairs: "corrupted") },
        Refusal("stages[4].data.mistakes chooses among dual pairs") { $0.stages[4].data = StageData(mistakes: []) },
        // Only a stage on roll-outs, or one of equal cost, can start without a count.
        Refusal("stages[0].start.examples is missing; say with how many examples the stage starts") {
            $0.stages[0].start = nil
        },
        Refusal("stages[1].start.examples is missing") { $0.stages[1].start?.examples = nil },
        Refusal("stages[3].start.examples is missing") { $0.stages[3].start = StageStart(waitSeconds: 5) },
        Refusal("stages[0].start.examples must be at least 1, is 0") { $0.stages[0].start?.examples = 0 },
        Refusal("stages[0].start.waitSeconds must be 0.0 to 31536000.0, is -1.0") {
            $0.stages[0].start?.waitSeconds = -1
        },
        Refusal("stages[5].tokensOf must hold a name, or not be there") { $0.stages[5].tokensOf = [] },
        Refusal("stages[5].tokensOf says how long it trains; leave out training.maximumTokens and") {
            $0.stages[5].training = TrainingBlock(maximumTokens: 5)
        },
        Refusal("stages[5].tokensOf says how long it trains") {
            $0.stages[5].training = TrainingBlock(maximumSteps: 5)
        },
        Refusal("stages[3].lastRound must be at least 1, is 0") { $0.stages[3].lastRound = 0 },
        Refusal("stages[0].engine must be 1 to 200") { $0.stages[0].engine = "my engine" },
        // Attempts are chosen by who made them, and those that are right wait for nobody.
        Refusal("stages[4].data.limit chooses among training problems, but the stage learns from its parent's") {
            $0.stages[4].data = StageData(limit: 5)
        },
        Refusal("stages[4].data.families chooses among training problems,") {
            $0.stages[4].data = StageData(families: ["apples"])
        },
        Refusal("stages[4].data.datasets chooses among training problems,") {
            $0.stages[4].data = StageData(datasets: ["more"])
        },
        Refusal("stages[2].data.limit chooses among training problems,") {
            $0.stages[2].preferences?.mix = nil
            $0.stages[2].preferences?.mixWeight = nil
            $0.stages[2].data = StageData(limit: 5)
        },
        Refusal("stages[4].start.examples is not read: the stage starts once its parent has made its attempts;") {
            $0.stages[4].supervised?.sources = [ExampleSource("attempts")]
            $0.stages[4].start = StageStart(examples: 5)
        },
        Refusal("stages[4].start.waitSeconds is not read: the stage starts once its parent has made its attempts;") {
            $0.stages[4].supervised?.sources = [ExampleSource("templates"), ExampleSource("attempts")]
            $0.stages[4].start = StageStart(waitSeconds: 5)
        },
        Refusal("stages[5].training.epochs is not read beside tokensOf, which says how long the stage trains;") {
            $0.stages[5].training = TrainingBlock(epochs: 2)
        },
    ]

    @Test("what another engine is not handed", arguments: Self.enginesRefused)
    func engines(refusal: Refusal) throws { try refusal.check() }

    @Test("a mix of training problems and attempts has its data chosen, and corrections are counted and waited for")
    func mixedWithAttempts() throws {
        var run = Samples.run
        run.stages[2].data = StageData(datasets: ["more"], families: ["apples"], limit: 5)
        run.stages[2].start = StageStart(examples: 5, waitSeconds: 9)
        run.stages[4].start = StageStart(examples: 5, waitSeconds: 9)
        #expect(throws: Never.self) { try run.validate() }
        run.stages[4].supervised?.sources = [ExampleSource("templates"), ExampleSource("attempts")]
        run.stages[4].start = nil
        run.stages[4].data = StageData(limit: 5)
        #expect(throws: Never.self) { try run.validate() }
        #expect(try SchemaValidator.of(.run).faults(EventCoding.decodeJSON(from: EventCoding.encode(run))) == [])
    }

    private static let enginesRefused: [Refusal] = [
        Refusal("stages[1].engine is given to a stage on key steps, whose token weights other engines do not take;") {
            $0.stages[1].engine = "trl"
        },
        Refusal("stages[3].engine is given, but mix, nllWeight and tokenWeighted are not handed to other engines;") {
            $0.stages[3].engine = "trl"
            $0.stages[3].preferences?.mix = [ExampleSource("templates")]
        },
        Refusal("stages[3].engine is given, but mix, nllWeight and tokenWeighted are not handed") {
            $0.stages[3].engine = "trl"
            $0.stages[3].preferences?.nllWeight = 0.5
        },
        Refusal("stages[3].engine is given, but mix, nllWeight and tokenWeighted are not handed") {
            $0.stages[3].engine = "trl"
            $0.stages[3].preferences?.tokenWeighted = true
        },
        Refusal("stages[5].training.batchTokens is not handed to other engines; leave it out, and set it in the") {
            $0.stages[5].training = TrainingBlock(batchTokens: 5)
        },
        Refusal("stages[5].training.tokensAtOnce is not handed to other engines;") {
            $0.stages[5].training = TrainingBlock(tokensAtOnce: 5)
        },
        Refusal("stages[5].training.recomputeActivations is not handed to other engines;") {
            $0.stages[5].training = TrainingBlock(recomputeActivations: false)
        },
        Refusal("stages[5].training.precision is not handed to other engines;") {
            $0.stages[5].training = TrainingBlock(precision: "bfloat16")
        },
        Refusal("stages[5].training.normalization is not handed to other engines;") {
            $0.stages[5].training = TrainingBlock(normalization: "none")
        },
    ]

    private static let methodsRefused: [Refusal] = [
        Refusal("stages[0].supervised.sources must name at least one source") { $0.stages[0].supervised?.sources = [] },
        Refusal("stages[0].supervised.sources[1].kind must be one of rightChains, repeatedChains, rectifiedChains,") {
            $0.stages[0].supervised?.sources[1].kind = "chains"
        },
        Refusal("stages[0].supervised.sources[0].weight must be 0.0 to 1000.0, is -1.0") {
            $0.stages[0].supervised?.sources[0].weight = -1
        },
        Refusal("stages[0].supervised.sources[0].weight is 0; leave the source out") {
            $0.stages[0].supervised?.sources[0].weight = 0
        },
        Refusal("stages[0].supervised.sources[1].style says how templates are written; 'solutions' has no choice") {
            $0.stages[0].supervised?.sources[1].style = "chain"
        },
        Refusal("stages[0].supervised.sources[0].style must be one of template, template-text, chain,") {
            $0.stages[0].supervised?.sources[0].style = "verse"
        },
        Refusal("stages[1].keySteps.form must be one of chains, templates, is 'trees'") {
            $0.stages[1].keySteps?.form = "trees"
        },
        Refusal("stages[1].keySteps.alpha must be 0.0 to 1000.0, is -1.0") { $0.stages[1].keySteps?.alpha = -1 },
        Refusal("stages[1].keySteps.beta must be 0.0 to 1000.0, is 1001.0") { $0.stages[1].keySteps?.beta = 1001 },
        Refusal("stages[1].keySteps.gamma must be 0.0 to 1000.0, is -0.5") { $0.stages[1].keySteps?.gamma = -0.5 },
        Refusal("stages[1].keySteps.tieRule must be one of edit, canonical, is 'coin'") {
            $0.stages[1].keySteps?.tieRule = "coin"
        },
        Refusal("stages[1].keySteps.wrongTokens must be one of likelihood, unlikelihood, is 'no'") {
            $0.stages[1].keySteps?.wrongTokens = "no"
        },
        Refusal("stages[1].keySteps.nllThreshold must be above 0 and finite, is 0.0") {
            $0.stages[1].keySteps?.nllThreshold = 0
        },
        Refusal("stages[1].keySteps.keyTokens must be one of edit, random, is 'no'") {
            $0.stages[1].keySteps?.keyTokens = "no"
        },
        // What is mixed in cannot come from a roll-out, which the stage would have to wait for.
        Refusal("stages[1].keySteps.mix[0].kind must be one of rightChains, repeatedChains,") {
            $0.stages[1].keySteps?.mix = [ExampleSource("attempts")]
        },
        Refusal("stages[2].preferences.mix[1].kind must be one of rightChains,") {
            $0.stages[2].preferences?.mix?[1] = ExampleSource("teacherSteps")
        },
        Refusal("stages[2].preferences.mix[0].weight is 0; leave the source out") {
            $0.stages[2].preferences?.mix?[0].weight = 0
        },
        Refusal("stages[2].preferences.layout must be one of prefix, trace, step, instance, duals, is 'pair'") {
            $0.stages[2].preferences?.layout = "pair"
        },
        Refusal("stages[5].training.shuffle is not handed to other engines;") {
            $0.stages[5].training = TrainingBlock(shuffle: true)
        },
        Refusal("stages[5].training.saveDtype is not handed to other engines;") {
            $0.stages[5].training = TrainingBlock(saveDtype: "float32")
        },
        Refusal("stages[3].preferences.loss is 'simpo', which is not handed to other engines;") {
            $0.stages[3].engine = "trl"
        },
        Refusal("stages[2].preferences.simpoMargin is not read by the loss 'sigmoid'; leave it out") {
            $0.stages[2].preferences?.simpoMargin = 0
        },
        Refusal("stages[3].preferences.simpoMargin is not read by the loss 'sigmoid'; leave it out") {
            $0.stages[3].preferences?.loss = nil
        },
        Refusal("stages[3].preferences.simpoMargin must be -1000.0 to 1000.0, is 1001.0") {
            $0.stages[3].preferences?.simpoMargin = 1001
        },
        Refusal("stages[0].training.saveDtype must be one of float32, bfloat16, float16, auto, is 'int8'") {
            $0.stages[0].training?.saveDtype = "int8"
        },
        Refusal("stages[2].preferences.loss must be one of sigmoid, hinge, ipo, robust, simpo, is 'l2'") {
            $0.stages[2].preferences?.loss = "l2"
        },
        Refusal("stages[2].preferences.beta must be above 0 and finite, is 0.0") {
            $0.stages[2].preferences?.beta = 0
        },
        Refusal("stages[2].preferences.labelSmoothing must be 0.0 or more and below 0.5, is 0.5") {
            $0.stages[2].preferences?.labelSmoothing = 0.5
        },
        Refusal("stages[2].preferences.labelSmoothing is not read by the loss 'hinge'; leave it out") {
            $0.stages[2].preferences?.loss = "hinge"
            $0.stages[2].preferences?.labelSmoothing = 0.1
        },
        Refusal("stages[2].preferences.labelSmoothing is not read by the loss 'ipo'; leave it out") {
            $0.stages[2].preferences?.loss = "ipo"
            $0.stages[2].preferences?.labelSmoothing = 0.1
        },
        Refusal("stages[1].keySteps.alpha is 0, and so are beta and gamma: nothing would be learned of the pairs;") {
            $0.stages[1].keySteps = KeyStepMethod(alpha: 0, beta: 0)
        },
        Refusal("stages[1].keySteps.alpha is 0, and so are beta and gamma:") {
            $0.stages[1].keySteps = KeyStepMethod(alpha: 0, beta: 0, gamma: 0)
        },
        Refusal("stages[0].supervised.sources[2] is 'solutions' a second time; give it once,", isInSchema: false) {
            $0.stages[0].supervised?.sources.append(ExampleSource("solutions", weight: 2))
        },
        Refusal("stages[1].keySteps.mix[1] is 'templates' a second time; give it once,", isInSchema: false) {
            $0.stages[1].keySteps?.mix?.append(ExampleSource("templates"))
        },
        Refusal("stages[2].preferences.mix[2] is 'rightChains' a second time;", isInSchema: false) {
            $0.stages[2].preferences?.mix?.append(ExampleSource("rightChains"))
        },
        Refusal("stages[2].preferences.nllWeight must be 0.0 to 1000.0, is -1.0") {
            $0.stages[2].preferences?.nllWeight = -1
        },
        Refusal("stages[2].preferences.mixWeight must be 0.0 to 1000.0, is -1.0") {
            $0.stages[2].preferences?.mixWeight = -1
        },
        Refusal("stages[2].preferences.mixWeight weighs what is mixed in; give mix, or leave it out") {
            $0.stages[2].preferences?.mix = nil
        },
        Refusal("stages[2].preferences.mixWeight weighs what is mixed in") { $0.stages[2].preferences?.mix = [] },
        // The text of the wrong step stands before the pair in one layout only; instances and duals have no step to judge.
        Refusal("stages[2].preferences.wrongStepInContext is not read in the layout 'trace'; leave it out") {
            $0.stages[2].preferences?.layout = "trace"
        },
        Refusal("stages[2].preferences.wrongStepInContext is not read in the layout 'step'") {
            $0.stages[2].preferences?.layout = "step"
        },
        Refusal("stages[3].preferences.wrongStepInContext is not read in the layout 'duals'") {
            $0.stages[3].preferences?.wrongStepInContext = false
        },
        Refusal("stages[3].preferences.whenSelfCorrectionIsRight is not read in the layout 'duals'") {
            $0.stages[3].preferences?.whenSelfCorrectionIsRight = "drop"
        },
        Refusal("stages[3].preferences.whenSelfCorrectionNamesAnotherStep is not read in the layout 'instance'") {
            $0.stages[3].preferences = PreferenceMethod(
                layout: "instance",
                whenSelfCorrectionNamesAnotherStep: "drop"
            )
            $0.stages[3].data = nil
        },
        Refusal("stages[2].preferences.whenSelfCorrectionIsRight must be one of keep, drop, step, is 'ask'") {
            $0.stages[2].preferences?.whenSelfCorrectionIsRight = "ask"
        },
        Refusal("stages[2].preferences.whenSelfCorrectionNamesAnotherStep must be one of keep, drop, step, is 'ask'") {
            $0.stages[2].preferences?.whenSelfCorrectionNamesAnotherStep = "ask"
        },
        Refusal("stages[2].preferences.whenSelfCorrectionNamesAnotherStep is 'keep', but pairs of the layout 'step'") {
            $0.stages[2].preferences = PreferenceMethod(layout: "step", whenSelfCorrectionNamesAnotherStep: "keep")
        },
    ]

    private static let trainingRefused: [Refusal] = [
        Refusal("stages[0].training.learningRate must be above 0") { $0.stages[0].training?.learningRate = 0 },
        Refusal("stages[0].training.epochs must be above 0") { $0.stages[0].training?.epochs = -1 },
        Refusal("stages[0].training.maximumTokens must be at least 1") { $0.stages[0].training?.maximumTokens = 0 },
        Refusal("stages[0].training.maximumSteps must be at least 1") { $0.stages[0].training?.maximumSteps = 0 },
        Refusal("stages[0].training.batchTokens must be at least 1") { $0.stages[0].training?.batchTokens = 0 },
        Refusal("stages[1].training.batchSequences must be at least 1") { $0.stages[1].training?.batchSequences = 0 },
        Refusal("stages[1].training.epochs must be at most 1000000.0, is 2000000.0") {
            $0.stages[1].training?.epochs = 2e6
        },
        Refusal("stages[0].training.maximumTokens cannot be given together with maximumSteps") {
            $0.stages[0].training?.maximumSteps = 5
        },
        Refusal("stages[0].training.epochs is not read beside maximumTokens, which says how long the stage trains;") {
            $0.stages[0].training?.epochs = 2
        },
        Refusal("stages[2].training.epochs is not read beside maximumSteps, which says how long the stage trains;") {
            $0.stages[2].training?.epochs = 2
        },
        Refusal("stages[2].training.normalization is not read by a stage on preferences; leave it out") {
            $0.stages[2].training?.normalization = "none"
        },
        Refusal("stages[0].training.batchTokens cannot be given together with batchSequences") {
            $0.stages[0].training?.batchSequences = 8
        },
        Refusal("stages[0].training.accumulation must be at least 1") { $0.stages[0].training?.accumulation = 0 },
        // A token has to stand before the first that is learned.
        Refusal("stages[0].training.maximumLength must be at least 2, is 1") {
            $0.stages[0].training?.maximumLength = 1
        },
        Refusal("stages[0].training.tokensAtOnce must be at least 1") { $0.stages[0].training?.tokensAtOnce = 0 },
        Refusal("stages[0].training.precision must be one of float32, bfloat16") {
            $0.stages[0].training?.precision = "int8"
        },
        Refusal("stages[0].training.schedule must be one of constant, linear, cosine, exponential, stepwise, is 'step'")
        {
            $0.stages[0].training?.schedule = "step"
        },
        Refusal("stages[0].training.warmupRatio must be 0.0 to 1.0") { $0.stages[0].training?.warmupRatio = 2 },
        Refusal("stages[0].training.weightDecay must be 0.0 to 1000.0") { $0.stages[0].training?.weightDecay = -1 },
        Refusal("stages[0].training.maximumGradientNorm must be 0.0 to 1000000000.0, is -1.0") {
            $0.stages[0].training?.maximumGradientNorm = -1
        },
        Refusal("stages[0].training.normalization must be one of responseTokens, perSequence, none, is ''") {
            $0.stages[0].training?.normalization = ""
        },
        Refusal("stages[0].training.lora.rank must be 1 to 65536") { $0.stages[0].training?.lora?.rank = 0 },
        Refusal("stages[0].training.lora.alpha must be above 0") { $0.stages[0].training?.lora?.alpha = 0 },
        Refusal("stages[0].training.lora.dropout must be below 1") { $0.stages[0].training?.lora?.dropout = 1 },
        Refusal("stages[0].training.lora.targets must name a layer, or not be there") {
            $0.stages[0].training?.lora?.targets = []
        },
        Refusal("stages[0].training.lora.targets[0] must be one of q_proj,") {
            $0.stages[0].training?.lora?.targets = ["lm_head"]
        },
    ]
}
