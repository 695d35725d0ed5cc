import DataSupport
import Foundation
import ModelFiles
import Testing

@testable import Tokenization

/// What transformers makes of the project's own templates and conversations: see `Tests/Goldens/chat/make_chat.py`.
private struct ChatGolden {
    struct Case {
        let name: String
        let tokenizer: Tokenizer
        let template: String
        let specialTokens: [(name: String, text: String)]
        let request: ConversationRequest
        let text: String?
        let ids: [TokenID]?
        let mask: [Bool]?
        let error: String?
    }

    let root: JSONNode

    init() throws { root = try JSONNode.parse(Data(contentsOf: TestData.golden("chat/chat.json"))) }

    func template(_ name: String) throws -> String { try #require(root["templates"]?[name]?.string) }

    func conversation(_ name: String) throws -> JSONNode { try #require(root["conversations"]?[name]) }

    func cases() throws -> [Case] {
        var tokenizers: [String: Tokenizer] = [:]
        return try #require(root["rendered"]?.array).map { item in
            let tokenizer = try #require(item["tokenizer"]?.string)
            let known = try tokenizers[tokenizer] ?? Tokenizer(folder: Golden.url(tokenizer))
            tokenizers[tokenizer] = known
            let template = try #require(item["template"]?.string)
            let conversation = try #require(item["conversation"]?.string)
            return Case(
                name: "\(tokenizer), \(template), \(conversation)",
                tokenizer: known,
                template: try self.template(template),
                specialTokens: (item["special_tokens"]?.object ?? []).map {
                    (String(decoding: $0.key, as: UTF8.self), $0.value.string ?? "")
                },
                request: try ConversationRequest(try self.conversation(conversation), place: conversation),
                text: item["text"]?.string,
                ids: item["ids"]?.array?.compactMap(\.integer).map(TokenID.init),
                mask: item["mask"]?.array?.map { $0.integer == 1 },
                error: item["error"]?.string
            )
        }
    }
}

private func golden(_ template: String, _ tokenizer: String = "qwen2-512") throws -> ChatEncoder {
    ChatEncoder(
        template: try ChatTemplate(
            source: try ChatGolden().template(template),
            specialTokens: [("bos_token", "<|endoftext|>"), ("eos_token", "<|im_end|>")]
        ),
        tokenizer: try Tokenizer(folder: Golden.url(tokenizer))
    )
}

private func conversation(_ name: String) throws -> Conversation {
    try ConversationRequest(try ChatGolden().conversation(name), place: name).conversation
}

/// The texts of the runs of tokens that are the assistant's.
private func learned(_ tokens: ChatTokens, _ tokenizer: Tokenizer) -> [String] {
    var runs: [[TokenID]] = []
    var wasLearned = false
    for (id, isLearned) in zip(tokens.ids, tokens.isAssistant) {
        if isLearned {
            if wasLearned { runs[runs.count - 1].append(id) } else { runs.append([id]) }
        }
        wasLearned = isLearned
    }
    return runs.map { tokenizer.decode($0, skipSpecialTokens: false) }
}

private func failure(_ body: () throws -> Void) -> String {
    do {
        try body()
        return ""
    } catch {
        return "\(error)"
    }
}

@Suite("Chat templates")
struct ChatTests {
    @Test("text, tokens and the assistant's marks are those of transformers, and so is what is refused")
    func goldens() throws {
        let cases = try ChatGolden().cases()
        #expect(cases.count == 130)
        for `case` in cases {
            let template = try ChatTemplate(source: `case`.template, specialTokens: `case`.specialTokens)
            guard let text = `case`.text else {
                let error = #expect(throws: TokenizationError.self, "\(`case`.name)") {
                    try template.render(`case`.request)
                }
                if `case`.error?.contains("alternate") == true {
                    #expect(error?.message.contains("turns must alternate, the user first") == true)
                }
                continue
            }
            let rendering = try template.render(`case`.request)
            #expect(sameBytes(rendering.text, text), "\(`case`.name)")
            #expect(`case`.tokenizer.encode(rendering.text) == `case`.ids, "\(`case`.name)")
            if let mask = `case`.mask, !rendering.generationSpans.isEmpty, !`case`.request.addGenerationPrompt {
                let encoder = ChatEncoder(template: template, tokenizer: `case`.tokenizer)
                #expect(try encoder.layout(`case`.request.conversation).isAssistant == mask, "\(`case`.name)")
            }
        }
    }

    @Test("the assistant's tokens are what its turns add, the template's end of a turn included")
    func differences() throws {
        let encoder = try golden("turns")
        let whole = try conversation("whole")
        #expect(
            learned(try encoder.layout(whole), encoder.tokenizer) == ["12 + 7 = 19<|im_end|>\n", "22.<|im_end|>\n"]
        )
        #expect(learned(try encoder.layout(whole, learnedFrom: 2), encoder.tokenizer) == ["22.<|im_end|>\n"])
        let lines = try golden("lines")
        #expect(learned(try lines.layout(whole), lines.tokenizer) == [" 12 + 7 = 19\n", " 22.\n"])
    }

    @Test("marks of the template itself count before differences, and context before the first turn is left out")
    func generationBlocks() throws {
        let encoder = try golden("marked")
        let whole = try conversation("whole")
        #expect(learned(try encoder.layout(whole), encoder.tokenizer) == ["12 + 7 = 19<|im_end|>", "22.<|im_end|>"])
        #expect(learned(try encoder.layout(whole, learnedFrom: 2), encoder.tokenizer) == ["22.<|im_end|>"])
    }

    @Test("a turn whose thoughts the template drops once others follow is learned as it stands")
    func droppedThoughts() throws {
        let encoder = try golden("thoughts")
        for name in ["tags", "thoughts"] {
            let tokens = try encoder.layout(try conversation(name))
            let runs = learned(tokens, encoder.tokenizer)
            try #require(runs.count == 2)
            #expect(runs[0] == "19<|im_end|>\n")
            #expect(runs[1].hasSuffix("<|im_end|>\n"))
            #expect(runs[1].contains("<think>") == (name == "thoughts"))
        }
    }

    @Test("calls of tools and their answers: the calls are learned, the answers are not")
    func toolCalls() throws {
        let encoder = try golden("thoughts")
        let runs = learned(try encoder.layout(try conversation("calls")), encoder.tokenizer)
        #expect(
            runs == [
                "\n<call>{\"name\": \"add\", \"arguments\": {\"a\": 12, \"b\": 7.5}}</call><|im_end|>\n",
                "12 + 7 = 19<|im_end|>\n",
            ]
        )
    }

    @Test("where a template makes an earlier turn depend on what it says, the cure is told")
    func ambiguousTurns() throws {
        let encoder = ChatEncoder(
            template: try ChatTemplate(
                source: """
                    {%- for m in messages %}{{ m.role }}: {{ m.content if loop.last else m.content | length }}
                    {{ '\\n' }}{%- endfor %}{{ messages | length }}
                    """
            ),
            tokenizer: try Tokenizer(folder: Golden.url("qwen2-512"))
        )
        let told = failure { _ = try encoder.layout(try conversation("whole")) }
        #expect(told.contains("message 2") && told.contains("{% generation %}"))
    }

    @Test("the token that ends an answer is the template's own")
    func endTokens() throws {
        #expect(try golden("turns").endTokens == [511])
        #expect(try golden("marked").endTokens == [511])
        #expect(try golden("lines").endTokens.isEmpty)
    }

    @Test("a template that is not valid is told with its line, one that fails with what it fails on")
    func faults() throws {
        let broken = failure { _ = try ChatTemplate(source: "a\n{% if %}", place: "the/folder") }
        #expect(broken.hasPrefix("the/folder: the chat template cannot be read: line 2"))
        let template = try ChatTemplate(source: "{{ messages[0].content.nothing.more }}")
        #expect(
            failure { _ = try template.render(Conversation([ChatMessage("user", "x")])) }.contains(
                "chat template fails"
            )
        )
        #expect(failure { _ = try template.render(Conversation([])) }.contains("the conversation is empty"))
    }

    @Test(
        "a folder's template is its chat_template.jinja, else that of its configuration, by name where there are several"
    )
    func folders() throws {
        try withTemporaryFolder { folder in
            let plain = try Tokenizer(folder: Golden.url("qwen2-512"))
            try plain.save(to: folder)
            let question = Conversation([ChatMessage("user", "x")])
            let file = folder.appendingPathComponent("tokenizer_config.json")
            try? FileManager.default.removeItem(at: file)
            let missing = failure { _ = try ChatTemplate(folder: folder, tokenizer: try Tokenizer(folder: folder)) }
            #expect(missing.contains("no chat template") && missing.contains("--chat-template FILE"))
            let named =
                #"{"chat_template": [{"name": "default", "template": "plain {{ bos_token }}"}, "#
                + #"{"name": "tool_use", "template": "tools"}], "bos_token": {"content": "<|endoftext|>"}}"#
            try Data(named.utf8).write(to: file)
            let tokenizer = try Tokenizer(folder: folder)
            let template = try ChatTemplate(folder: folder, tokenizer: tokenizer)
            #expect(try template.render(question).text == "plain <|endoftext|>")
            var tools = question
            tools.tools = .array([.object([])])
            #expect(try template.render(tools).text == "tools")
            try Data("own".utf8).write(to: folder.appendingPathComponent("chat_template.jinja"))
            #expect(try ChatTemplate(folder: folder, tokenizer: tokenizer).render(question).text == "own")
            let other = folder.appendingPathComponent("other.jinja")
            try Data("other".utf8).write(to: other)
            #expect(
                try ChatTemplate(folder: folder, tokenizer: tokenizer, file: other).render(question).text == "other"
            )
        }
    }

    @Test(
        "a request that says nothing sensible is told by the member that is wrong",
        arguments: [
            (#"[]"#, "an object with \"messages\""), (#"{}"#, "has no \"messages\""),
            (#"{"messages": {}}"#, "must be a list of messages"), (#"{"messages": []}"#, "needs a message"),
            (#"{"messages": [1]}"#, "message 1: is a number"), (#"{"messages": [{"content": "x"}]}"#, "no \"role\""),
            (#"{"messages": [{"role": "user"}], "tools": {}}"#, "\"tools\": is an object"),
            (#"{"messages": [{"role": "user"}], "tools": "[1"}"#, "\"tools\": is a text that is not valid JSON"),
            (#"{"messages": [{"role": "user"}], "chat_template_kwargs": []}"#, "\"chat_template_kwargs\": is an array"),
            (#"{"messages": [{"role": "user"}], "add_generation_prompt": 1}"#, "not true or false"),
            (
                #"{"messages": [{"role": "user"}], "add_generation_prompt": true, "continue_final_message": true}"#,
                "exclude each other"
            ),
            (#"{"messages": [{"role": "user"}], "max_length": 5}"#, "\"max_length\" has no effect"),
        ]
    )
    func badRequests(json: String, cause: String) throws {
        let told = failure { _ = try ConversationRequest(try JSONNode.parse(json.utf8), place: "f:3") }
        #expect(told.hasPrefix("f:3") && told.contains(cause), "\(told)")
    }
}
