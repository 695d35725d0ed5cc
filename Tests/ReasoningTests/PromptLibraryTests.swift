import Foundation
import Reasoning
import Testing

@Suite("Prompts of a user")
struct PromptLibraryTests {
    /// A folder with the files, gone afterwards.
    private func folder<Value>(_ files: [String: String], _ body: (URL) throws -> Value) throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appending(path: "prompts-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files { try Data(text.utf8).write(to: folder.appending(path: name)) }
        return try body(folder)
    }

    private func failure(_ files: [String: String]) throws -> String {
        try folder(files) { folder in
            let error = #expect(throws: ReasoningError.self) { try PromptLibrary(folder: folder) }
            #expect(error?.code == .prompt)
            return error?.message ?? ""
        }
    }

    private static let corrupt = """
        version: mine
        [user]
        {{demonstrations}}
        Q: {{question}}
        R: {{chain}}
        """

    @Test("the shipped prompts have the places that they must have, three examples, and versions without a hash")
    func shipped() throws {
        for id in PromptID.allCases {
            let prompt = try PromptLibrary.shipped.prompt(id)
            #expect(Set(prompt.places) == Set(id.requiredPlaces + id.optionalPlaces))
            #expect(!prompt.version.contains("+"))
        }
        let examples = try PromptLibrary.shipped.demonstrations()
        #expect(examples.count == 3)
        for example in examples {
            let right = WorkedSolution.parse(example.right)
            #expect(right.isArithmeticRight && right.answer == example.answer && right.steps.count > 1)
            let wrong = try #require(example.wrong)
            #expect(AnswerExtraction.extract(wrong) != example.answer)
        }
    }

    @Test("an exported folder that was not edited is the shipped library")
    func exported() throws {
        let files = Dictionary(uniqueKeysWithValues: PromptLibrary.files.map { ($0.name, $0.text) })
        #expect(files.count == PromptID.allCases.count + 1)
        let library = try folder(files) { try PromptLibrary(folder: $0) }
        #expect(library == .shipped)
    }

    @Test("a file takes the place of the shipped prompt of its id, and its version shows its content")
    func replaced() throws {
        let library = try folder(["corrupt.md": Self.corrupt, ".hidden": "x"]) { try PromptLibrary(folder: $0) }
        let messages = try TeacherRequest.corrupt(question: "QQ", chain: "CC").messages(prompts: library)
        #expect(messages == [PromptMessage(role: "user", content: "Q: QQ\nR: CC")])
        let version = try library.prompt(.corrupt).version
        #expect(version.hasPrefix("mine+") && version.count == 13)
        let isHexadecimal = version.dropFirst(5).allSatisfy(\.isHexDigit)
        #expect(isHexadecimal)
        let shipped = try PromptLibrary.shipped.prompt(.rectify)
        #expect(try library.prompt(.rectify) == shipped)
        let edited = try folder(["corrupt.md": Self.corrupt + "\nNow"]) { try PromptLibrary(folder: $0) }
        #expect(try edited.prompt(.corrupt).version != version)
    }

    @Test("a user's examples are shown with chains and hints, and change the versions of the prompts that show them")
    func examples() throws {
        let lines = """
            {"question": "Q1?", "right": "1 + 1 = 2.\\nThe answer is 2."}

            {"question": "Q2?", "right": "2 + 2 = 4.\\nThe answer is 4.", "wrong": "2 + 2 = 5.\\nThe answer is 5."}
            """
        let library = try folder(["demonstrations.jsonl": lines]) { try PromptLibrary(folder: $0) }
        #expect(try library.demonstrations().map(\.question) == ["Q1?", "Q2?"])
        for id in PromptID.allCases {
            let shows = [.chainOfThought, .rectify, .corrupt].contains(id)
            let version = try library.prompt(id).version
            #expect(version.contains("+") == shows)
        }
        func text(_ request: TeacherRequest) throws -> String {
            try request.messages(prompts: library).map(\.content).joined(separator: "\n")
        }
        let chain = try text(.chainOfThought(question: "Q3?"))
        #expect(chain.hasSuffix("### Response\n2 + 2 = 4.\nThe answer is 4.\n\n### Problem\nQ3?\n### Response"))
        let hinted = try text(.rectify(question: "Q3?", answer: "6", chain: "3 + 3 = 7"))
        #expect(hinted.contains("### Hint\nThe correct answer is 4.\n### Earlier attempt\n2 + 2 = 5."))
        let unguided = try text(.rectify(question: "Q3?", answer: "6"))
        #expect(!unguided.contains("Earlier attempt"))
        let none = try folder(["demonstrations.jsonl": ""]) { try PromptLibrary(folder: $0) }
        let bare = try TeacherRequest.chainOfThought(question: "Q3?").messages(prompts: none).last?.content
        #expect(bare == "### Problem\nQ3?\n### Response")
    }

    @Test(
        "what is wrong is told with the file, the place and the cure",
        arguments: [
            ("corupt.md", corrupt, "/corupt.md is no prompt; rename it or take it away: the names are chain-of-"),
            ("corrupt.txt", corrupt, "/corrupt.txt is no prompt"),
            (
                "corrupt.md", "[user]\n{{question}} {{chain}}",
                "/corrupt.md: the prompt corrupt has no line \"version: n"
            ),
            ("corrupt.md", "version: 1\nHello", "/corrupt.md: the prompt corrupt has no [system] or [user] section"),
            (
                "corrupt.md", corrupt + "{{anwser}}",
                "/corrupt.md: the prompt corrupt has the unknown place {{anwser}}; its"
            ),
            ("corrupt.md", corrupt + "{{chain", "/corrupt.md: the prompt corrupt has a {{ without a }} after it"),
            ("corrupt.md", "version: 1\n[user]\n{{question}}", "does not have the place {{chain}}"),
            ("demonstrations.jsonl", "{", "/demonstrations.jsonl: line 1: is no JSON object of texts"),
            ("demonstrations.jsonl", "\n{\"question\": \"Q\"}", "/demonstrations.jsonl: line 2: right is missing"),
            ("demonstrations.jsonl", "{\"qestion\": \"Q\"}", "/demonstrations.jsonl: line 1: \"qestion\" is unknown"),
        ]
    )
    func faults(name: String, text: String, message: String) throws {
        let told = try failure([name: text])
        #expect(told.contains(message), "\(told)")
    }

    @Test("a folder that is not there, and a file that is too long, are told")
    func unreadable() throws {
        let error = #expect(throws: ReasoningError.self) {
            try PromptLibrary(folder: URL(filePath: "/no/such/folder", directoryHint: .isDirectory))
        }
        #expect(error?.message.contains("/no/such/folder/ is no folder that can be read") == true)
        let long = Self.corrupt + String(repeating: "x", count: PromptLibrary.maximumFileLength)
        #expect(try failure(["corrupt.md": long]).contains("shorten it to 65536"))
    }
}
