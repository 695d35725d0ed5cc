import ArgumentParser
import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Teaching
import TestSupport
import Testing

@testable import ErrataCLICore

@Suite("errata submit --estimate")
struct EstimateTests {
    private static let problems = [
        ProblemEvent(
            id: "p-1",
            dataset: "d",
            split: .train,
            question: "Ana has 3 shells. She finds 4 more. How many has she?",
            solution: "Ana has 3+4=<<3+4=7>>7 shells.\n#### 7",
            answer: "7"
        ),
        ProblemEvent(id: "p-2", dataset: "d", split: .train, question: "What is 2 + 2?", answer: "4"),
        ProblemEvent(id: "p-3", dataset: "d", split: .test, question: "What is 2 + 3?", answer: "5"),
    ]

    private func tally(_ parts: [EstimatePart] = EstimatePart.allCases) throws -> EstimateTally {
        var tally = EstimateTally(parts: parts, prompts: .shipped)
        for problem in Self.problems { try tally.add(problem) }
        return tally
    }

    /// The characters of a request as they are sent.
    private func characters(_ request: TeacherRequest) throws -> Int {
        try request.messages().reduce(0) { $0 + $1.content.unicodeScalars.count }
    }

    private static func price(_ prompt: Double, _ completion: Double) -> TeacherSettings.Price {
        TeacherSettings.Price(prompt: prompt, completion: completion)
    }

    @Test("without a ledger a chain is one call a problem, of the prompt's length, and as long as the solution")
    func defaults() throws {
        let estimate = Estimate(try tally([.chains]), ledger: nil, prices: [.solver: Self.price(3.5, 7)])
        let sent = try Self.problems.prefix(2).reduce(0) {
            try $0 + characters(.chainOfThought(question: $1.question))
        }
        // The solution without its calculator marks, and of the other problem the question.
        let received = "Ana has 3+4=7 shells.\n#### 7".count + "What is 2 + 2?".count
        let line = try #require(estimate.lines.first)
        #expect(estimate.lines.count == 1 && line.prompt == "chain-of-thought" && line.role == "solver")
        #expect(line.calls == 2 && line.promptTokens == Int((Double(sent) / 3.5).rounded()))
        #expect(line.completionTokens == Int((Double(received) / 3.5).rounded()))
        let cost = (Double(line.promptTokens) * 3.5 + Double(line.completionTokens) * 7) / 1e6
        #expect(line.cost == cost && estimate.cost == cost)
        #expect(estimate.problems == 2 && estimate.others == 1 && estimate.withoutPrice.isEmpty)
        #expect(line.basis.calls == "default: 1 a problem")
        #expect(line.basis.sent.contains("default: 3.50 characters a token"))
        #expect(line.basis.received.contains("the reference solution"))
        let text = estimate.rendered()
        #expect(text.contains("2 problems to ask a teacher about; 1 to roll out or evaluate on"))
        #expect(text.contains(String(format: "%.4f", cost)))
    }

    @Test("each part asks with its prompts; a role without a price is named and not in the sum")
    func parts() throws {
        let all = Estimate(try tally(), ledger: nil, prices: [.classifier: Self.price(1, 1)])
        #expect(
            all.lines.map(\.prompt) == [
                "chain-of-thought", "rectify", "corrupt", "classify-mistake", "template-extraction",
                "inspect-template",
            ]
        )
        #expect(all.lines.allSatisfy { $0.calls == 2 && $0.promptTokens > 0 && $0.completionTokens > 0 })
        #expect(all.lines.compactMap(\.cost).count == 1 && all.cost == all.lines[3].cost)
        #expect(all.withoutPrice == ["solver", "template", "inspector"])
        #expect(all.calls == 12 && all.promptTokens == all.lines.reduce(0) { $0 + $1.promptTokens })
        let none = Estimate(try tally([.templates]), ledger: nil, prices: [:])
        #expect(none.lines.map(\.role) == ["template", "inspector"] && none.cost == nil)
        #expect(try none.json().contains("\"problems\":2"))
        // A pair's wrong chain is shown when its mistake is asked for.
        let mistake = try characters(.classifyMistake(question: "What is 2 + 2?", right: "a", wrong: "b"))
        let sent = try EstimateDefaults.sent(.classifyMistake, for: Self.problems[1], prompts: .shipped)
        #expect(sent == mistake + 2 * "What is 2 + 2?".count - 2)
    }

    @Test("calls and tokens are the ledger's means where it has them, and defaults for the other prompts")
    func ledger() async throws {
        try await TestDatabase.withPool { pool in
            let old = ProblemEvent(id: "old", dataset: "d", split: .train, question: "What is 1 + 1?", answer: "2")
            try await pool.withTransaction { try await ProblemStore.insert(old, state: .ingested, in: $0) }
            try await StoredTraces.insert(problem: "other", answer: "2", in: pool)
            let version = try PromptLibrary.shipped.prompt(.chainOfThought).version
            let characters = try characters(.chainOfThought(question: old.question))
            // Three calls for two problems, two of them paid by a run; a call about an attempt is none of a problem's.
            let calls: [(key: String, subject: String, run: String?, tokens: Int)] = [
                ("k1", "old", nil, 30), ("k2", "old", "r", 60), ("k3", "old", "r", 30), ("k4", "an attempt", "r", 900),
            ]
            for (key, subject, run, tokens) in calls {
                try await pool.execute(
                    """
                    INSERT INTO teacher_calls (key, problem_id, run_id, prompt_id, prompt_version, model, temperature, seed,
                                               response, finish_reason, prompt_tokens, completion_tokens, latency_ms)
                    VALUES (\(key), \(subject), \(run), 'chain-of-thought', \(version), 'm', 0.2, 1, 'x', 'stop',
                            \(characters / 2), \(tokens), 1)
                    """
                )
            }
            let ids: [PromptID] = [.chainOfThought, .corrupt]
            let means = try await LedgerMeans.read(ids, prompts: .shipped, from: pool)
            #expect(means.calls[.corrupt] == nil)
            let chains = try #require(means.calls[.chainOfThought])
            #expect(chains.count == 3 && chains.problems == 2 && chains.completionTokens == 120)
            let ratio = try #require(chains.charactersPerToken)
            #expect(abs(ratio - Double(characters) / Double(characters / 2)) < 1e-9)

            let estimate = Estimate(
                try tally([.chains, .duals]),
                ledger: means,
                prices: [.solver: Self.price(10, 20)]
            )
            let line = try #require(estimate.lines.first)
            let sent = try Self.problems.prefix(2).reduce(0) {
                try $0 + self.characters(.chainOfThought(question: $1.question))
            }
            // One and a half calls a problem, of 40 tokens each.
            #expect(line.calls == 3 && line.completionTokens == 120)
            #expect(line.promptTokens == Int((Double(sent) * 1.5 / ratio).rounded()))
            #expect(line.cost == (Double(line.promptTokens) * 10 + 120 * 20) / 1e6)
            #expect(line.basis.calls == "ledger: 3 for 2 problems" && line.basis.received == "ledger: 40 tokens a call")
            #expect(line.basis.sent.contains("ledger"))
            #expect(estimate.lines.dropFirst().allSatisfy { $0.calls == 2 && $0.basis.calls.hasPrefix("default") })
        }
    }

    @Test("calls with another version of a prompt tell nothing of its length")
    func otherVersion() async throws {
        try await TestDatabase.withPool { pool in
            try await StoredTraces.insert(problem: "old", answer: "2", in: pool)
            try await pool.execute(
                """
                INSERT INTO teacher_calls (key, problem_id, prompt_id, prompt_version, model, temperature, seed, response,
                                           finish_reason, prompt_tokens, completion_tokens, latency_ms)
                VALUES ('k', 'old', 'corrupt', 'another', 'm', 0.2, 1, 'x', 'stop', 50, 9, 1)
                """
            )
            let means = try await LedgerMeans.read([.corrupt], prompts: .shipped, from: pool)
            #expect(means.calls[.corrupt] == LedgerMeans.Calls(count: 1, problems: 1, completionTokens: 9))
            let line = try #require(Estimate(try tally([.duals]), ledger: means, prices: [:]).lines.last)
            #expect(line.basis.sent.contains("default") && line.completionTokens == 18)
        }
    }

    @Test(
        "what is estimated is what active runs need, with the calls for answers by agreement; all where none needs any"
    )
    func needs() async throws {
        try await TestDatabase.withPool { pool in
            let none = try await EstimateNeeds.read(dataset: "d", from: pool)
            #expect(none.parts == EstimatePart.allCases && none.words.contains("no active run needs anything of d"))
            var run = RunEvent(
                id: "r",
                name: "r",
                dataset: "d",
                seed: 1,
                student: StudentReference(modelHash: "m", tokenizerFingerprint: "t"),
                stages: [
                    RunStage(
                        name: "s",
                        supervised: SupervisedMethod([ExampleSource("templates")]),
                        start: StageStart(examples: 1)
                    )
                ],
                suites: []
            )
            run.agreement = RunAgreement(agreeing: 3, of: 5)
            let active = run
            try await pool.withTransaction { try await RunStore.insert(active, in: $0) }
            let needs = try await EstimateNeeds.read(dataset: "d", from: pool)
            #expect(needs.parts == [.templates] && needs.agreement == run.agreement)
            var tally = EstimateTally(parts: needs.parts, prompts: .shipped)
            try tally.add(Self.problems[0])
            try tally.add(ProblemEvent(id: "q", dataset: "d", split: .train, question: "What is 2 + 3?", answer: ""))
            let estimate = Estimate(tally, ledger: nil, prices: [:], needs: needs)
            #expect(estimate.problems == 1 && estimate.unanswered == 1 && estimate.agreementCalls == [3, 5])
            let text = estimate.rendered()
            #expect(text.contains("estimated: templates; what active runs need of d"))
            #expect(text.contains("1 problems without an answer: 3 to 5 calls of the solver"))
        }
    }

    // MARK: Prices

    private func file(_ text: String) throws -> String {
        let file = FileManager.default.temporaryDirectory.appending(path: "errata-teachers-\(UUID().uuidString).json")
        try Data(text.utf8).write(to: file)
        return file.path
    }

    @Test("prices are those of the file's roles, of the default's where a role has none, without a server's address")
    func prices() throws {
        let file = try file(
            """
            {"default": {"preset": "openai", "model": "m", "price": {"prompt": 1, "completion": 2}},
             "inspector": {"price": {"prompt": 3, "completion": 4}}}
            """
        )
        defer { try? FileManager.default.removeItem(atPath: file) }
        for prices in [
            try TeacherPrices.read(file: file, environment: [:]),
            try TeacherPrices.read(file: nil, environment: ["ERRATA_TEACHERS": file]),
        ] {
            #expect(prices[.solver] == Self.price(1, 2) && prices[.inspector] == Self.price(3, 4))
            #expect(prices.count == TeacherRole.allCases.count)
        }
        #expect(try TeacherPrices.read(file: nil, environment: [:]).isEmpty)
    }

    @Test(
        "what is wrong with a file of prices is named",
        arguments: [
            (#"{"judge": {}}"#, "'judge' is no role"), (#"{"solver": {"cost": 1}}"#, "cost is not known"),
            (#"{"solver": {"price": {"prompt": -1, "completion": 0}}}"#, "solver.price must not be negative"),
            ("nonsense", "--teachers"),
        ]
    )
    func badPrices(text: String, words: String) throws {
        let file = try file(text)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let error = #expect(throws: (any Error).self) { try TeacherPrices.read(file: file, environment: [:]) }
        #expect(error.map { "\($0)" }?.contains(words) == true)
    }

    @Test("a file that cannot be read, and one of bad lines alone, end with an error")
    func badFile() async throws {
        func run(_ path: String) async throws {
            let command = try SubmitCommand.parse([path, "--estimate", "--state", "/no/such/folder"])
            try await command.run()
        }
        await #expect(throws: CLIError.self) { try await run("/no/such/file") }
        let bad = try file("nonsense\n")
        defer { try? FileManager.default.removeItem(atPath: bad) }
        let error = await #expect(throws: ExitCode.self) { try await run(bad) }
        #expect(error == ExitCode(1))
    }
}
