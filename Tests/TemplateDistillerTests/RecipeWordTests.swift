import Foundation
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import TemplateDistillerCore

@Suite("Recipes that cannot be")
struct RecipeWordTests {
    /// The failure of a run whose message has one text in another's place, as someone may write it by hand.
    private func failure(
        of run: RunEvent,
        putting new: String,
        inPlaceOf old: String,
        _ bench: StageBench
    ) async throws -> PermanentFailure? {
        let event = try StageBench.received(run)
        let text = String(decoding: event.data, as: UTF8.self)
        #expect(text.split(separator: old, omittingEmptySubsequences: false).count == 2, "\(old) stands there once")
        let changed = ReceivedEvent(
            topic: event.topic,
            partition: 0,
            offset: 0,
            attributes: event.attributes,
            data: Data(text.replacing(old, with: new).utf8)
        )
        let processor = RunProcessor(pool: bench.pool, store: bench.store, logger: LogBook().logger)
        let failure = await #expect(throws: PermanentFailure.self) { try await processor.process(changed) }
        let runs = try await RunStore.runs(from: bench.pool)
        #expect(runs.isEmpty)
        return failure
    }

    @Test("a word that nobody knows is refused for good by its place in the recipe, with those that are known")
    func unknownWord() async throws {
        try await StageBench.with { bench in
            let stage = RunStage.keySteps(
                "keys",
                KeyStepMethod(form: "templates", tieRule: "canonical"),
                training: TrainingBlock(schedule: "cosine")
            )
            let run = bench.run(stages: [.templates(), stage])
            for (old, new, place, known) in [
                ("\"cosine\"", "\"sawtooth\"", "stages[1].training.schedule", "linear"),
                ("\"canonical\"", "\"dice\"", "stages[1].keySteps.tieRule", "edit, canonical"),
            ] {
                let failure = try await failure(of: run, putting: new, inPlaceOf: old, bench)
                #expect(failure?.code == "invalid-payload", "\(place)")
                #expect(failure?.message.contains(place) == true, "\(failure?.message ?? "")")
                #expect(failure?.message.contains(known) == true, "\(failure?.message ?? "")")
            }
        }
    }

    @Test("an option that nothing reads is refused as well")
    func unknownOption() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [.templates(training: TrainingBlock(maximumSteps: 3))])
            let failure = try await failure(of: run, putting: "\"mostSteps\"", inPlaceOf: "\"maximumSteps\"", bench)
            #expect(failure?.message.contains("mostSteps") == true, "\(failure?.message ?? "")")
        }
    }

    @Test("a student that cannot be asked in the run's form is refused before anything is written")
    func prompt() async throws {
        try await StageBench.with { bench in
            var run = bench.run(stages: [.templates()])
            run.prompt = RunPrompt(style: "chat")
            let failure = await #expect(throws: PermanentFailure.self) { try await bench.process(run) }
            #expect(failure?.code == "invalid-recipe")
            #expect(failure?.message.hasPrefix("prompt.style: ") == true)
            let runs = try await RunStore.runs(from: bench.pool)
            #expect(runs.isEmpty)
        }
    }
}
