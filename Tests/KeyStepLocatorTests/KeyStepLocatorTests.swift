import Foundation
import LanguageModel
import Logging
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import TestSupport
import Testing
import Tokenization

@testable import KeyStepLocatorCore

@Suite("Key steps")
struct KeyStepLocatorTests {
    private static let right = "Ann has 3 * 4 = 12 pears.\nShe is left with 12 - 2 = 10 pears.\nThe answer is 10."
    private static let wrong = "Ann has 3 + 4 = 7 pears.\nShe is left with 7 - 2 = 5 pears.\nThe answer is 5."

    private struct FixedTokenizers: StudentTokenizers {
        var tokenizer: Tokenizer?

        func tokenizer(of student: StudentReference) async throws -> Tokenizer {
            guard let tokenizer else { throw StillMissing(what: "model", of: student.modelHash) }
            return tokenizer
        }

        /// The recipes' own checks have tests of their own.
        func check(_ run: RunEvent) {}
    }

    private static func tokenizer() throws -> Tokenizer {
        try BytePairTrainer(minimumFrequency: 1, eosToken: "<|endoftext|>").train(
            [right, wrong],
            vocabularySize: 280,
            specialTokens: ["<|endoftext|>"]
        )
    }

    private func processor(
        _ pool: PostgresPool,
        _ tokenizer: Tokenizer?,
        piece: Int = 200
    ) -> KeyStepLocatorProcessor {
        KeyStepLocatorProcessor(
            pool: pool,
            tokenizers: FixedTokenizers(tokenizer: tokenizer),
            piece: piece,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    private func call() -> TeacherCall {
        TeacherCall(
            model: "m",
            promptId: "corrupt",
            promptVersion: "1",
            temperature: 0.2,
            promptTokens: 1,
            completionTokens: 1,
            latencyMs: 1,
            finishReason: "stop"
        )
    }

    private func dual(_ problem: String, verified: Bool = true) -> TraceEvent {
        TraceEvent(
            id: "dual-\(problem)",
            problemId: problem,
            verified: verified,
            failure: verified ? nil : "no",
            body: .dual(DualBody(right: Self.right, wrong: Self.wrong, method: .corrupted)),
            teacher: call()
        )
    }

    private func template(_ problem: String) -> TraceEvent {
        TraceEvent(
            id: "template-\(problem)",
            problemId: problem,
            verified: true,
            body: .template(
                TemplateBody(
                    steps: [
                        .init(text: "Ann has 3 * 4 = 12 pears.", keyNotes: ["Groups."]), .init(text: "12 - 2 = 10"),
                    ],
                    generalization: "Find the whole first.",
                    answer: "10"
                )
            ),
            teacher: call()
        )
    }

    private static let templates = KeyStepMethod(form: "templates")

    private func run(
        _ tokenizer: Tokenizer,
        id: String = "r1",
        krsl: KeyStepMethod? = templates,
        prompt: RunPrompt? = nil
    ) -> RunEvent {
        RunEvent(
            id: id,
            name: "run",
            dataset: "test",
            seed: 1,
            student: StudentReference(
                modelHash: String(repeating: "a", count: 64),
                tokenizerFingerprint: tokenizer.fingerprint
            ),
            prompt: prompt,
            stages: [
                RunStage(
                    name: "hsft",
                    supervised: SupervisedMethod([ExampleSource("templates")]),
                    start: StageStart(examples: 1)
                )
            ]
                + (krsl.map { [RunStage(name: "krsl", parent: "hsft", keySteps: $0, start: StageStart(examples: 1))] }
                    ?? []),
            suites: []
        )
    }

    /// Writes what TeacherIngestion would have written.
    private func ingest(
        _ problem: String,
        into pool: PostgresPool,
        dataset: String = "test",
        withTemplate: Bool = true
    ) async throws {
        try await pool.withTransaction { transaction in
            try await ProblemStore.insert(
                ProblemEvent(id: problem, dataset: dataset, split: .train, question: "?", answer: "10"),
                state: .ingested,
                in: transaction
            )
            if withTemplate { try await TraceStore.insert(template(problem), in: transaction) }
            try await TraceStore.insert(dual(problem), in: transaction)
        }
    }

    private func received(_ payload: some EventPayload, at offset: Int64 = 0) throws -> ReceivedEvent {
        let event = try OutgoingEvent(payload, source: "/test", time: Date())
        return ReceivedEvent(
            topic: event.topic,
            partition: 0,
            offset: offset,
            attributes: event.attributes,
            data: Data(event.payload.utf8)
        )
    }

    private func effects(of payload: some EventPayload, _ processor: KeyStepLocatorProcessor) async throws -> Effects {
        try await processor.process(try received(payload))
    }

    /// Writes what the service that takes runs up writes of one that it accepts.
    private func accept(_ run: RunEvent, _ pool: PostgresPool) async throws {
        try await pool.withTransaction { transaction in
            try await RunStore.insert(run, in: transaction)
            try await RunStore.insert(CheckpointEvent.initial(of: run, path: "models"), in: transaction)
        }
    }

    private func process(
        _ payload: some EventPayload,
        _ processor: KeyStepLocatorProcessor,
        _ pool: PostgresPool
    ) async throws -> [KeyStepsEvent] {
        if let run = payload as? RunEvent { try await accept(run, pool) }
        let effects = try await effects(of: payload, processor)
        try await pool.withTransaction { transaction in try await effects.apply(transaction) }
        return try effects.events.map { try EventCoding.decode(KeyStepsEvent.self, from: Data($0.payload.utf8)) }
    }

    @Test("a verified pair has its key steps located over words, with the paper's weights")
    func words() async throws {
        try await TestDatabase.withPool { pool in
            try await ingest("p1", into: pool)
            let located = try await process(dual("p1"), processor(pool, nil), pool)
            let event = try #require(located.first)
            #expect(located.count == 1)
            #expect(event.tokenizer == KeyStepsEvent.wordTokenizer)
            #expect(event.distance > 0)
            #expect(event.alpha == 1 && event.beta == 0.025 && event.gamma == 0)
            #expect(Set(event.right.tokenWeights) == [0, 1])
            #expect(Set(event.wrong.tokenWeights) == [0, -0.025])
            let bytes = Array(event.right.text.utf8)
            let keys = event.right.spans.map { String(decoding: bytes[$0.start..<$0.end], as: UTF8.self) }
            #expect(keys.first == "*")
            #expect(event.right.spans.first?.step == 0)
            #expect(event.right.spans.last?.step == 2)
            let value1 = try await pool.value("SELECT count(*) FROM key_steps", as: Int.self)
            #expect(value1 == 1)
        }
    }

    @Test("what a batch is prepared for comes out as each alone does, also where one of it cannot be worked on")
    func batch() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            _ = try await process(run(tokenizer), processor, pool)
            for problem in ["p1", "p2"] { try await ingest(problem, into: pool) }
            try await ingest("p3", into: pool, withTemplate: false)
            let traces = [dual("p1"), dual("p2", verified: false), dual("p3"), template("p1"), dual("stranger")]
            let received = try traces.enumerated().map { try self.received($1, at: Int64($0)) }
            let prepared = try await processor.prepared(for: received)
            for event in received.dropLast() {
                let (one, other) = (try await prepared.process(event), try await processor.process(event))
                #expect(one.events.map(\.payload) == other.events.map(\.payload))
            }
            await #expect(throws: StillMissing.self) { try await prepared.process(try #require(received.last)) }
            // One that came without the others is read by itself.
            let late = try self.received(traces[0], at: 9)
            #expect(try await prepared.process(late).events.count == 2)

            let all = [try await prepared.process(received[0]), try await prepared.process(received[2])]
            for effects in all { try await pool.withTransaction { try await effects.apply($0) } }
            #expect(try await pool.value("SELECT count(*) FROM key_steps", as: Int.self) == 3)
            let again = try await processor.prepared(for: received)
            #expect(try await again.process(received[0]).events.isEmpty)
        }
    }

    @Test("pairs that are not verified and other traces have none")
    func others() async throws {
        try await TestDatabase.withPool { pool in
            try await ingest("p1", into: pool)
            let value2 = try await process(dual("p1", verified: false), processor(pool, nil), pool)
            #expect(value2.isEmpty)
            let value3 = try await process(template("p1"), processor(pool, nil), pool)
            #expect(value3.isEmpty)
        }
    }

    @Test("a run fills back what came before it, and traces that come after have key steps for it too")
    func backfill() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            try await ingest("p1", into: pool)
            try await ingest("p2", into: pool, withTemplate: false)
            let stage = KeyStepMethod(form: "templates", alpha: 2, beta: 0.5, gamma: 0.25, tieRule: "canonical")
            let filled = try await process(run(tokenizer, krsl: stage), processor, pool)
            #expect(filled.map(\.problemId) == ["p1"])
            let event = try #require(filled.first)
            #expect(event.tokenizer == tokenizer.fingerprint)
            #expect(event.tieRule == "canonical")
            #expect(Set(event.right.tokenWeights) == [0.25, 2])
            #expect(event.right.tokens == tokenizer.encode(event.right.text).count)
            #expect(event.right.text.contains("<Key>Groups.</Key>"))
            let value4 = try await RunStore.run("r1", from: pool)
            #expect(value4 != nil)

            try await ingest("p3", into: pool)
            let later = try await process(dual("p3"), processor, pool)
            #expect(Set(later.map(\.tokenizer)) == [KeyStepsEvent.wordTokenizer, tokenizer.fingerprint])
        }
    }

    @Test(
        "a run over thousands of pairs is filled back in pieces; one that is cut off goes on behind what it did, once each"
    )
    func backfillInPieces() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer, piece: 300)
            let problems = (0..<2_000).map { "p\($0)" }
            try await pool.withTransaction { transaction in
                for problem in problems {
                    try await ProblemStore.insert(
                        ProblemEvent(id: problem, dataset: "test", split: .train, question: "?", answer: "10"),
                        state: .ingested,
                        in: transaction
                    )
                }
                try await TraceStore.insert(problems.map(template) + problems.map { dual($0) }, in: transaction)
            }
            func transactions() async throws -> [Int] {
                try await pool.values(
                    "SELECT count(*) FROM key_steps GROUP BY xmin::text ORDER BY 1",
                    as: Int.self
                )
            }
            try await accept(run(tokenizer), pool)
            // What the message's own transaction gets is not applied: its process ends.
            let cutOff = try await effects(of: run(tokenizer), processor)
            #expect(cutOff.events.count == 200)
            #expect(try await transactions() == [Int](repeating: 300, count: 6))
            #expect(try await pool.value("SELECT count(*) FROM outbox", as: Int.self) == 1_800)

            // The pieces before are known, and what is left of the work is its last piece.
            #expect(try await process(run(tokenizer), processor, pool).count == 200)
            #expect(try await transactions() == [200] + [Int](repeating: 300, count: 6))
            #expect(try await pool.value("SELECT count(DISTINCT problem_id) FROM key_steps", as: Int.self) == 2_000)
            #expect(try await process(run(tokenizer), processor, pool).isEmpty)
            #expect(try await pool.value("SELECT count(*) FROM outbox", as: Int.self) == 1_800)
        }
    }

    @Test("a pair that came before its template is located when that comes")
    func templateLater() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            try await ingest("p1", into: pool, withTemplate: false)
            let filled = try await process(run(tokenizer), processor, pool)
            #expect(filled.isEmpty)
            try await pool.withTransaction { try await TraceStore.insert(template("p1"), in: $0) }
            let located = try await process(template("p1"), processor, pool)
            #expect(located.map(\.tokenizer) == [tokenizer.fingerprint])
            #expect(located.first?.right.text.contains("<Key>Groups.</Key>") == true)
            let again = try await process(template("p1"), processor, pool)
            #expect(again.isEmpty)
        }
    }

    @Test("work done twice sends nothing new, also for a second run of the same student")
    func twice() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            try await ingest("p1", into: pool)
            let value5 = try await process(run(tokenizer), processor, pool).count
            #expect(value5 == 1)
            let value6 = try await process(run(tokenizer), processor, pool)
            #expect(value6.isEmpty)
            let value7 = try await process(run(tokenizer, id: "r2"), processor, pool)
            #expect(value7.isEmpty)
            let value8 = try await process(dual("p1"), processor, pool).map(\.tokenizer)
            #expect(value8 == [KeyStepsEvent.wordTokenizer])
        }
    }

    @Test("each tie rule has key steps of its own, and those of the first rule keep the id they had before others")
    func tieRules() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            try await ingest("p1", into: pool)
            let stage = KeyStepMethod(form: "templates", alpha: 3, tieRule: "canonical")
            let canonical = try await process(run(tokenizer, krsl: stage), processor, pool)
            let edit = try await process(run(tokenizer, id: "r2"), processor, pool)
            #expect(canonical.map(\.tieRule) == ["canonical"] && edit.map(\.tieRule) == ["edit"])
            let cause = "dual-p1"
            let print = tokenizer.fingerprint
            #expect(edit.map(\.id) == [DeterministicID.make(cause: cause, parts: "key-steps", print)])
            #expect(canonical.map(\.id) == [DeterministicID.make(cause: cause, parts: "key-steps", print, "canonical")])
            #expect(try await process(run(tokenizer, id: "r3", krsl: stage), processor, pool).isEmpty)
            for (rule, id) in [("edit", edit[0].id), ("canonical", canonical[0].id)] {
                let form = KeyStepForm(tokenizer: print, tieRule: rule, format: "template")
                let all = TrainingSelection(datasets: ["test"])
                #expect(try await TraceStore.keySteps(form, ofProblems: ["p1"], from: pool).map(\.id) == [id])
                #expect(try await TraceStore.countKeySteps(form, all, from: pool) == 1)
            }

            // A pair that comes later has them for both runs.
            try await ingest("p2", into: pool)
            let later = try await process(dual("p2"), processor, pool)
            #expect(later.filter { $0.tokenizer == print }.map(\.tieRule).sorted() == ["canonical", "edit"])
        }
    }

    @Test("a run without key-step learning has nothing filled back")
    func withoutStage() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            try await ingest("p1", into: pool)
            let value9 = try await process(run(tokenizer, krsl: nil), processor(pool, nil), pool)
            #expect(value9.isEmpty)
        }
    }

    @Test("a run is not worked on before it is accepted, and nothing is left of one that is refused elsewhere")
    func acceptance() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            try await ingest("p1", into: pool)
            let run = run(tokenizer)
            await #expect(throws: Postponement.self) { try await effects(of: run, processor) }
            #expect(try await RunStore.run("r1", from: pool) == nil)
            try await pool.execute(
                """
                INSERT INTO dead_letters (id, consumer, topic, partition, "offset", key, headers, cause_code, cause_message,
                                          attempts)
                VALUES ('d', 'template-distiller', \(Topic.runs.rawValue), 0, 0, \(Data("r1".utf8)), '[]',
                        'invalid-recipe', 'stages[0].training: no memory', 1)
                """
            )
            let refused = await #expect(throws: PermanentFailure.self) { try await effects(of: run, processor) }
            #expect(refused?.code == "invalid-recipe")
            #expect(refused?.message == "stages[0].training: no memory")
            #expect(try await RunStore.run("r1", from: pool) == nil)
            // Sent again once there is memory, it is accepted.
            #expect(try await process(run, processor, pool).count == 1)
        }
    }

    @Test("a student that cannot be read holds up its own run, and no trace")
    func missingStudent() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, nil)
            try await ingest("p1", into: pool)
            await #expect(throws: StillMissing.self) { try await process(run(tokenizer), processor, pool) }
            try await pool.withTransaction { try await RunStore.insert(run(tokenizer), in: $0) }
            let value11 = try await process(dual("p1"), processor, pool).count
            #expect(value11 == 1)
        }
    }

    @Test("chains need no template, and each form has key steps of its own: with a blank before it or without")
    func forms() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            try await ingest("p1", into: pool, withTemplate: false)
            let chain = try #require(try await process(run(tokenizer, krsl: KeyStepMethod()), processor, pool).first)
            #expect(chain.format == "chain")
            #expect(chain.right.text.hasPrefix(" Ann has 3 * 4 = 12 pears.") && chain.right.text.hasSuffix("\n#### 10"))
            #expect(chain.wrong.text.hasSuffix("\n#### 5"))
            let asked = run(tokenizer, id: "r2", krsl: KeyStepMethod(), prompt: RunPrompt(style: "chat"))
            let bare = try #require(try await process(asked, processor, pool).first)
            #expect(bare.format == "chain/bare" && bare.id != chain.id)
            #expect(bare.right.text == String(chain.right.text.dropFirst()))
        }
    }

    @Test("a run whose stages ask for several forms has key steps in each, once where two ask for the same")
    func severalForms() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            try await ingest("p1", into: pool)
            var run = run(tokenizer)
            for (name, method) in [
                ("chains", KeyStepMethod()), ("again", KeyStepMethod(form: "templates", alpha: 3)),
                ("canonical", KeyStepMethod(form: "chains", tieRule: "canonical")),
            ] {
                run.stages.append(RunStage(name: name, keySteps: method, start: StageStart(examples: 1)))
            }
            let filled = try await process(run, processor, pool)
            #expect(
                filled.map { "\($0.format ?? "") \($0.tieRule)" }.sorted() == [
                    "chain canonical", "chain edit", "template edit",
                ]
            )
            #expect(Set(filled.map(\.id)).count == 3)
            try await ingest("p2", into: pool)
            let later = try await process(dual("p2"), processor, pool)
            #expect(later.map { $0.format ?? "words" }.sorted() == ["chain", "chain", "template", "words"])
        }
    }

    @Test("a run has the pairs of all datasets that its stages learn from")
    func datasets() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            try await ingest("p1", into: pool)
            try await ingest("p2", into: pool, dataset: "more")
            try await ingest("p3", into: pool, dataset: "other")
            var run = run(tokenizer)
            run.stages[1].data = StageData(datasets: ["test", "more"])
            #expect(try await process(run, processor, pool).map(\.problemId).sorted() == ["p1", "p2"])
            for (problem, dataset, count) in [("p4", "more", 2), ("p5", "other", 1)] {
                try await ingest(problem, into: pool, dataset: dataset)
                #expect(try await process(dual(problem), processor, pool).count == count, "\(dataset)")
            }
        }
    }

    @Test("a run that another copy of the service took up is seen by the next trace")
    func otherCopy() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let (first, second) = (processor(pool, tokenizer), processor(pool, tokenizer))
            try await ingest("p1", into: pool)
            #expect(try await process(dual("p1"), second, pool).map(\.tokenizer) == [KeyStepsEvent.wordTokenizer])
            _ = try await process(run(tokenizer), first, pool)
            try await ingest("p2", into: pool)
            let located = try await process(dual("p2"), second, pool)
            #expect(Set(located.map(\.tokenizer)) == [KeyStepsEvent.wordTokenizer, tokenizer.fingerprint])
        }
    }

    @Test("what runs ask for is kept while they are active")
    func keptRuns() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let writers = RunWriters(
                pool: pool,
                tokenizers: FixedTokenizers(tokenizer: tokenizer),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            for id in ["r1", "r2"] {
                try await pool.withTransaction { try await RunStore.insert(run(tokenizer, id: id), in: $0) }
            }
            let both = try await writers.wanted(by: ["r1", "r2"])
            #expect(both.map(\.writers.count) == [1, 1] && writers.count == 2)
            // Its body is not read again.
            try await pool.execute("UPDATE runs SET body = '{}' WHERE id = 'r1'")
            let one = try await writers.wanted(by: ["r1"])
            #expect(one.map(\.datasets) == [["test"]] && writers.count == 1)
        }
    }

    @Test(
        "of two messages that locate a pair in one form with other weights, the later one is tried again and adds nothing"
    )
    func locatedMeanwhile() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            try await ingest("p1", into: pool)
            let early = run(tokenizer)
            try await accept(early, pool)
            let slow = try await effects(of: early, processor)
            let same = try await effects(of: early, processor)
            #expect(slow.events.count == 1 && same.events.count == 1)
            let others = KeyStepMethod(form: "templates", alpha: 3)
            let fast = try await process(run(tokenizer, id: "r2", krsl: others), processor, pool)
            #expect(fast.map(\.alpha) == [3])
            await #expect(throws: LocatedMeanwhile.self) {
                try await pool.withTransaction { transaction in try await slow.apply(transaction) }
            }
            #expect(try await process(early, processor, pool).isEmpty)

            // The same weights are no conflict.
            try await pool.execute("DELETE FROM key_steps")
            for effects in [slow, same] {
                try await pool.withTransaction { transaction in try await effects.apply(transaction) }
            }
            let alphas = try await pool.values("SELECT body->>'alpha' FROM key_steps", as: String.self)
            #expect(alphas == ["1"])
        }
    }

    @Test("a run that has ended asks for nothing more, and what people tell runs is passed over")
    func ended() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            _ = try await process(run(tokenizer), processor, pool)
            let order = RunControlEvent(id: "o", runId: "r1", action: .cancel)
            #expect(try await process(order, processor, pool).isEmpty)
            #expect(try await RunStore.state(of: "r1", from: pool)?.state == .active, "that is another service's work")
            _ = try await pool.withTransaction {
                try await RunStore.end("r1", as: .cancelled, reason: "planted", in: $0)
            }
            try await ingest("p1", into: pool)
            #expect(try await process(dual("p1"), processor, pool).map(\.tokenizer) == [KeyStepsEvent.wordTokenizer])
        }
    }

    @Test("a run of a student that the store does not hold is refused for good, and leaves nothing")
    func unknownStudent() async throws {
        let tokenizer = try Self.tokenizer()
        let folder = FileManager.default.temporaryDirectory.appending(path: "errata-keys-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await TestDatabase.withPool { pool in
            let processor = KeyStepLocatorProcessor(
                pool: pool,
                tokenizers: StoredTokenizers(store: try ModelStore(root: folder)),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            let failure = await #expect(throws: PermanentFailure.self) {
                try await effects(of: run(tokenizer), processor)
            }
            #expect(failure?.code == "unknown-student")
            let runs = try await RunStore.runs(from: pool)
            #expect(runs.isEmpty)
        }
    }

    @Test("a run with another tokenizer than its model's is refused for good")
    func refusedRuns() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            var odd = run(tokenizer)
            odd.student.tokenizerFingerprint = "another"
            let mismatch = await #expect(throws: PermanentFailure.self) { try await process(odd, processor, pool) }
            #expect(mismatch?.code == "tokenizer-mismatch")
        }
    }

    @Test("another run under a taken id is refused for good, and has no key steps")
    func takenID() async throws {
        let tokenizer = try Self.tokenizer()
        try await TestDatabase.withPool { pool in
            let processor = processor(pool, tokenizer)
            try await ingest("p1", into: pool)
            _ = try await process(run(tokenizer, krsl: nil), processor, pool)
            let taken = await #expect(throws: PermanentFailure.self) {
                try await process(run(tokenizer), processor, pool)
            }
            #expect(taken?.code == "run-exists")
            let located = try await pool.value("SELECT count(*) FROM key_steps", as: Int.self)
            #expect(located == 0)
        }
    }
}
