import Foundation
import Reasoning
import Schemas
import Teaching
import Testing

@testable import ErrataCLICore

@Suite("errata prompts and the yields of errata status")
struct PromptsTests {
    private func folder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "prompts-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    @Test("the exported folder is taken, an edit shows in its version, and nothing is written over")
    func export() throws {
        try folder { folder in
            let path = folder.path(percentEncoded: false)
            try PromptsCommand.Export.write(to: folder)
            let shipped = try PromptsCommand.List.table(folder: nil)
            #expect(try PromptsCommand.List.table(folder: path) == shipped)
            let file = folder.appending(path: "rectify.md")
            let edited = try String(contentsOf: file, encoding: .utf8) + "\nBe brief."
            try Data(edited.utf8).write(to: file)
            let table = try PromptsCommand.List.table(folder: path)
            let line = table.split(separator: "\n").first { $0.hasPrefix("rectify") }
            #expect(line?.contains(" 2+") == true)
            #expect(throws: CLIError.self) { try PromptsCommand.Export.write(to: folder) }
            #expect(try String(contentsOf: file, encoding: .utf8) == edited)
            try Data("version: 1\n[user]\n{{qestion}}".utf8).write(to: file)
            let error = #expect(throws: CLIError.self) { try PromptsCommand.List.table(folder: path) }
            #expect("\(String(describing: error))".contains("{{qestion}}"))
        }
    }

    @Test("the shipped prompts are listed with version and places")
    func list() throws {
        let table = try PromptsCommand.List.table(folder: nil)
        for id in PromptID.allCases { #expect(table.contains("\n\(id.rawValue) ")) }
        #expect(table.hasSuffix("worked examples: 3, with a wrong chain: 3"))
    }

    @Test("the yields are shown stage by stage with shares, retries, rounds and patterns")
    func yields() {
        func trace(_ id: Int, _ body: TraceBody, verified: Bool = true, calls: Int = 1) -> TraceEvent {
            TraceEvent(
                id: "t\(id)",
                problemId: "p",
                verified: verified,
                failure: verified ? nil : "no",
                body: body,
                teacher: TeacherCall(
                    model: "m",
                    promptId: "p",
                    promptVersion: "1",
                    temperature: 0.2,
                    calls: calls,
                    promptTokens: 10,
                    completionTokens: 5,
                    latencyMs: 1,
                    finishReason: "stop"
                )
            )
        }
        let template = TemplateBody(steps: [], generalization: "", answer: "", inspectorRounds: 2)
        let yields = TeachingYields([
            trace(1, .chainOfThought(.init(text: "x", answer: "5", correct: true)), calls: 2),
            trace(2, .chainOfThought(.init(text: "x", answer: "6", correct: false)), verified: false),
            trace(3, .chainOfThought(.init(text: "", correct: false)), verified: false, calls: 4),
            trace(
                4,
                .dual(.init(right: "a", wrong: "b", method: .rectified, mistake: "logical", attempts: 3)),
                calls: 3
            ),
            trace(
                5,
                .dual(
                    .init(
                        right: "a",
                        wrong: "b",
                        method: .corrupted,
                        mistake: "logical+calculation",
                        mistakeSource: .teacher,
                        attempts: 1
                    )
                ),
                calls: 2
            ),
            trace(6, .dual(.init(right: "a", wrong: "b", method: .corrupted, attempts: 4)), verified: false, calls: 4),
            trace(7, .template(template), verified: false),
        ])
        #expect(yields.chains.verified == 1 && yields.chains.asked == 3 && yields.chains.retries == 4)
        #expect(yields.wrongChains == 1)
        #expect(yields.rectified.share == 1 && yields.rectified.retries == 2)
        #expect(yields.corrupted.share == 0.5 && yields.corrupted.retries == 3)
        #expect(yields.mistakes == ["logical": 1, "logical+calculation": 1])
        #expect(yields.mistakesByTeacher == 1)
        #expect(yields.calls == 17 && yields.promptTokens == 70 && yields.completionTokens == 35)
        let text = StatusCommand.rendered(yields)
        #expect(text.contains("33.3 %  1 wrong, 4 retries"))
        #expect(text.contains("inspector's rounds: 1 in 2"))
        #expect(text.contains("mistakes of the dual pairs: logical 1, logical+calculation 1"))
        #expect(StatusCommand.rendered(TeachingYields()).contains("chains of thought"))
    }
}
