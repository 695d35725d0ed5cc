import Foundation
import ModelFiles
import NumericSupport
import Testing
import Tokenization
import Training

private struct Pairs: Decodable {
    struct Text: Decodable {
        let prompt: String
        let chosen: String
        let rejected: String
    }
    struct Ids: Decodable {
        let promptIds: [Int32]
        let chosenIds: [Int32]
        let rejectedIds: [Int32]
    }
    let pairs: [Text]
    let tokenized: [Ids]
}

private func qwen() throws -> Tokenizer {
    try Tokenizer(folder: try Golden.url("tok/qwen2-512"))
}

/// Turns between marks, as the tokenizer of the goldens has them.
private let turns = """
    {%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' }}
    {%- if message.role == 'system' and not loop.first %}{{ raise_exception('only the first may be a system message') }}{% endif %}
    {%- if message.content is string %}{{ message.content }}{% else %}
    {%- for part in message.content %}{{ part.text }}{% endfor %}{% endif %}
    {{- '<|im_end|>\\n' }}{% endfor %}
    {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
    """

private func reader(maximumLength: Int = 512, template: String = turns) throws -> TrainingDataReader {
    let tokenizer = try qwen()
    return try TrainingDataReader(
        tokenizer: tokenizer,
        chat: Result { ChatEncoder(template: try ChatTemplate(source: template), tokenizer: tokenizer) },
        endOfText: try #require(tokenizer.eosTokenID),
        maximumLength: maximumLength
    )
}

private func data(_ lines: String...) -> Data { Data(lines.joined(separator: "\n").utf8) }

private func learned(_ example: SupervisedExample, _ tokenizer: Tokenizer) -> String {
    tokenizer.decode(zip(example.tokens, example.weights).filter { $1 == 1 }.map { $0.0 }, skipSpecialTokens: false)
}

@Suite("Training data")
struct TrainingDataTests {
    @Test("pairs of texts have TRL's tokens")
    func goldenPairs() throws {
        let golden = try Golden.json("dpo.json", as: Pairs.self)
        let encoder = JSONEncoder()
        let lines = try golden.pairs.map { pair in
            try encoder.encode(["prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected])
        }
        let read = try reader().preferences(Data(lines.joined(separator: [0x0A])), place: "f")
        #expect(read.rejected.isEmpty && read.truncated == 0)
        #expect(read.examples.map(\.prompt) == golden.tokenized.map(\.promptIds))
        #expect(read.examples.map(\.chosen) == golden.tokenized.map(\.chosenIds))
        #expect(read.examples.map(\.rejected) == golden.tokenized.map(\.rejectedIds))
    }

    @Test(
        "a completion has no space that is not in it, also where the tokenizer puts one before a text",
        arguments: ["llama2-legacy-4096", "llama2-metaspace-4096"]
    )
    func completionsOfLlama2(name: String) throws {
        let tokenizer = try Tokenizer(folder: try Golden.url("tok/\(name)"))
        let reader = try TrainingDataReader(
            tokenizer: tokenizer,
            chat: .failure(TokenizationError(.unsupported, place: "m", "no template")),
            endOfText: 2,
            maximumLength: 512
        )
        let supervised = try reader.supervised(
            data(#"{"prompt": "Is it?\n", "completion": "Yes, it is."}"#),
            place: "f"
        )
        #expect(supervised.examples.map(\.tokens) == [tokenizer.encodePrompt("Is it?\nYes, it is.") + [2]])
        let preferences = try reader.preferences(
            data(#"{"prompt": "Is it?\n", "chosen": "Yes, it is.", "rejected": "No."}"#),
            place: "f"
        )
        let pair = try #require(preferences.examples.first)
        #expect(pair.prompt + pair.chosen == tokenizer.encodePrompt("Is it?\nYes, it is.") + [2])
        #expect(pair.prompt + pair.rejected == tokenizer.encodePrompt("Is it?\nNo.") + [2])
    }

    @Test("only the assistant's words are learned, in every layout")
    func supervised() throws {
        let tokenizer = try qwen()
        let read = try reader().supervised(
            data(
                #"{"prompt": "2 + 2?", "completion": " 4"}"#,
                #"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}, "#
                    + #"{"role": "user", "content": "And"}, {"role": "assistant", "content": [{"type": "text", "text": "No"}]}]}"#,
                #"{"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, "#
                    + #"{"role": "user", "content": "c"}], "completion": [{"role": "assistant", "content": "d"}]}"#
            ),
            place: "f"
        )
        #expect(
            read.examples.map { learned($0, tokenizer) }
                == [" 4<|im_end|>", "Yo<|im_end|>\nNo<|im_end|>\n", "d<|im_end|>\n"]
        )
        #expect(read.examples[0].tokens == tokenizer.encode("2 + 2?") + tokenizer.encode(" 4") + [511])
        let whole = "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n"
        #expect(read.examples[2].tokens == tokenizer.encode(whole + "<|im_start|>assistant\nd<|im_end|>\n"))
    }

    @Test("pairs of messages share the prompt and end with the turn's end")
    func messagePairs() throws {
        let tokenizer = try qwen()
        let user = #"{"role": "user", "content": "Hi"}"#
        func assistant(_ text: String) -> String { #"{"role": "assistant", "content": "\#(text)"}"# }
        let read = try reader().preferences(
            data(
                #"{"id": "p", "prompt": [\#(user)], "chosen": [\#(assistant("Yes"))], "rejected": [\#(assistant("No"))]}"#,
                #"{"chosen": [\#(user), \#(assistant("Yes"))], "rejected": [\#(user), \#(assistant("No"))]}"#,
                #"{"prompt": [\#(user)], "chosen": [\#(assistant("A")), \#(user), \#(assistant("B"))], "#
                    + #""rejected": [\#(assistant("C"))]}"#,
                #"{"prompt": [\#(user)], "chosen": [\#(assistant("\\n\\nYes"))], "rejected": [\#(assistant("No"))]}"#
            ),
            place: "f"
        )
        try #require(read.examples.count == 4)
        #expect(read.examples[0].id == "p" && read.examples[1].id == "line 2")
        for pair in read.examples.prefix(2) {
            #expect(pair.chosen == tokenizer.encode("Yes<|im_end|>\n"))
            #expect(pair.rejected == tokenizer.encode("No<|im_end|>\n"))
            #expect(pair.prompt == read.examples[0].prompt)
            #expect(pair.chosenMask == nil && pair.rejectedMask == nil)
        }
        let turns = read.examples[2]
        let mask = try #require(turns.chosenMask)
        #expect(mask.count == turns.chosen.count && turns.chosenWeights == nil)
        let own = zip(turns.chosen, mask).filter(\.1).map { $0.0 }
        #expect(tokenizer.decode(own, skipSpecialTokens: false) == "A<|im_end|>\nB<|im_end|>\n")
        // An answer that begins with line feeds: nothing of the rendered conversation is lost.
        let feeds = read.examples[3]
        #expect(tokenizer.decode(feeds.prompt + feeds.chosen).hasSuffix("assistant\n\n\nYes\n"))
        #expect(tokenizer.decode(feeds.prompt + feeds.rejected).hasSuffix("assistant\nNo\n"))
    }

    @Test(
        "a bad line is told with its number, reason and cure, and the rest goes on",
        arguments: [
            ("{", "one JSON object"), ("[1]", "one JSON object"), ("{}", "give one of these"),
            (#"{"text": ["x"]}"#, "a message is an object"), (#"{"words": "x"}"#, "has words, but neither"),
            (#"{"prompt": "x"}"#, "give one of these"),
            (#"{"prompt": 1, "completion": "x"}"#, "must be a string or a list"),
            (#"{"prompt": [{"role": "user", "content": "x"}], "completion": "x"}"#, "mixes"),
            (#"{"messages": "x"}"#, "must be a list of messages"), (#"{"messages": []}"#, "needs a message"),
            (#"{"messages": [{"content": "x"}]}"#, "no \"role\""),
            (#"{"messages": [{"role": "user", "content": 1}]}"#, "chat template fails"),
            (#"{"conversations": [{"from": "robot", "value": "x"}]}"#, "is from \"robot\"; known are"),
            (#"{"messages": [{"role": "user", "content": "x"}], "tools": 3}"#, "\"tools\" is a number"),
            (#"{"messages": [{"role": "user", "content": "x"}], "images": [1]}"#, "has \"images\""),
            (
                #"{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}], "tools": [{}]}"#,
                "has \"tools\", which the model's chat template never reads"
            ),
            (
                #"{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "thinking": "z"}]}"#,
                "\"reasoning_content\", \"thinking\", \"reasoning\"), which the model's chat template never reads"
            ),
            (
                #"{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": [1]}]}"#,
                "\"tool_calls\", which the model's chat template never reads"
            ),
            (
                #"{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}], "#
                    + #""chat_template_kwargs": {"unread": 1}}"#,
                "\"chat_template_kwargs\" with \"unread\", which"
            ),
            (#"{"prompt": "x", "completion": "y", "tools": [{}]}"#, "has \"tools\", which texts have no use for"),
            (#"{"messages": [{"role": "user", "content": "x"}]}"#, "nothing to learn"),
            (
                #"{"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "x"}]}"#,
                "only the first may be a system message"
            ),
            ("{\"prompt\": \"\u{1}\", \"completion\": \"x\"}", "not valid JSON"),
        ]
    )
    func badLines(line: String, cause: String) throws {
        let good = #"{"prompt": "a", "completion": "b"}"#
        let read = try reader().supervised(data(good, "", line, good), place: "f")
        #expect(read.examples.count == 2)
        #expect(read.rejected.map(\.number) == [3])
        #expect(read.rejected.first?.reason.contains(cause) == true, "\(read.rejected)")
    }

    @Test(
        "a bad pair is told with its reason",
        arguments: [
            (#"{"prompt": "x", "chosen": "a"}"#, "give \"prompt\" and these"),
            (#"{"chosen": "a", "rejected": "b"}"#, "no \"prompt\""),
            (#"{"prompt": "x: ", "chosen": "a", "rejected": "a"}"#, "nothing to tell apart"),
            (#"{"prompt": "", "chosen": "a", "rejected": "b"}"#, "no token of its own"),
            (#"{"prompt": [{"role": "user", "content": "x"}], "chosen": "a", "rejected": "b"}"#, "mixes"),
            (
                #"{"chosen": [{"role": "user", "content": "x"}], "rejected": [{"role": "user", "content": "y"}]}"#,
                "begin differently"
            ),
            (
                #"{"prompt": [{"role": "user", "content": "x"}], "chosen": [{"role": "user", "content": "x"}], "#
                    + #""rejected": [{"role": "assistant", "content": "y"}]}"#,
                "no assistant message"
            ),
        ]
    )
    func badPairs(line: String, cause: String) throws {
        let good = #"{"prompt": "a: ", "chosen": "b", "rejected": "c"}"#
        let read = try reader().preferences(data(line, good), place: "f")
        #expect(read.examples.count == 1)
        #expect(read.rejected.map(\.number) == [1])
        #expect(read.rejected.first?.reason.contains(cause) == true, "\(read.rejected)")
    }

    @Test("CRLF, a byte-order mark and bytes that are no UTF-8 are dealt with; no usable line is an error")
    func bytes() throws {
        let good = Array(#"{"prompt": "a", "completion": "b"}"#.utf8)
        var bytes: [UInt8] = [0xEF, 0xBB, 0xBF] + good + [0x0D, 0x0A, 0x0D, 0x0A]
        bytes += Array(#"{"prompt": ""#.utf8) + [0xFF] + Array("\"}\n".utf8) + good
        let read = try reader().supervised(Data(bytes), place: "f")
        #expect(read.examples.count == 2)
        #expect(read.rejected.map(\.number) == [3])
        for content in [Data(), data("", "{}")] {
            let error = #expect(throws: TrainingError.self) { try reader().supervised(content, place: "the.jsonl") }
            #expect(error?.description.contains("the.jsonl has no line that can be used") == true)
        }
    }

    @Test("what is too long is cut at its end and counted; where nothing is left, the line is told")
    func truncation() throws {
        let long = #"{"prompt": "a b", "completion": "c d e f g h i j k"}"#
        let whole = try reader().supervised(data(long), place: "f").examples[0]
        let read = try reader(maximumLength: 6).supervised(
            data(long, #"{"prompt": "a", "completion": "b"}"#, #"{"prompt": "a b c d e f g", "completion": "h"}"#),
            place: "f"
        )
        #expect(read.truncated == 1)
        #expect(read.examples.count == 2)
        #expect(read.examples[0].tokens == Array(whole.tokens.prefix(6)))
        #expect(read.examples[0].weights == Array(whole.weights.prefix(6)))
        #expect(read.rejected.first?.reason.contains("raise the maximum length") == true)
        let pairs = try reader(maximumLength: 6).preferences(
            data(
                #"{"prompt": "a b", "chosen": "c d e f g h", "rejected": "x"}"#,
                #"{"prompt": "a b c d e f g", "chosen": "h", "rejected": "i"}"#,
                #"{"prompt": "a b", "chosen": "c d e f g h", "rejected": "c d e f g i"}"#
            ),
            place: "f"
        )
        #expect(pairs.truncated == 1)
        #expect(pairs.examples.count == 1)
        #expect(pairs.examples[0].prompt.count + pairs.examples[0].chosen.count == 6)
        #expect(pairs.rejected.map(\.number) == [2, 3])
        #expect(pairs.rejected.last?.reason.contains("up to the maximum length") == true)
        #expect(throws: TrainingError.self) { try reader(maximumLength: 1) }
    }

    @Test("a model without a chat template fails a file of messages, not one of texts")
    func unknownFormat() throws {
        let tokenizer = try qwen()
        let reader = try TrainingDataReader(
            tokenizer: tokenizer,
            chat: .failure(TokenizationError(.unsupported, place: "m", "no template")),
            endOfText: 511,
            maximumLength: 64
        )
        let text = #"{"prompt": "a", "completion": "b"}"#
        #expect(try reader.supervised(data(text), place: "f").examples.count == 1)
        #expect(throws: TokenizationError.self) {
            try reader.supervised(data(text, #"{"messages": [{"role": "user", "content": "x"}]}"#), place: "f")
        }
    }

    @Test("rows have the tokens and labels that TRL gives them")
    func goldenRows() throws {
        let golden = try JSONNode.parse(Data(contentsOf: try Golden.url("chat/chat.json")))
        func tokens(_ node: JSONNode?) -> [Int32] { (node?.array ?? []).compactMap(\.integer).map(Int32.init) }
        func reader(_ item: JSONNode) throws -> TrainingDataReader {
            let tokenizer = try Tokenizer(folder: try Golden.url("tok/\(item["tokenizer"]?.string ?? "")"))
            let special = (item["special_tokens"]?.object ?? []).map {
                (name: String(decoding: $0.key, as: UTF8.self), text: $0.value.string ?? "")
            }
            let source = try #require(golden["templates"]?[item["template"]?.string ?? ""]?.string)
            let end = try #require(special.first { $0.name == "eos_token" }?.text)
            return try TrainingDataReader(
                tokenizer: tokenizer,
                chat: Result {
                    ChatEncoder(
                        template: try ChatTemplate(source: source, specialTokens: special),
                        tokenizer: tokenizer
                    )
                },
                endOfText: try #require(tokenizer.tokenID(end)),
                maximumLength: 512
            )
        }
        func line(_ item: JSONNode) throws -> Data { Data(try #require(item["line"]?.bytes)) }
        let supervised = try #require(golden["supervised"]?.array)
        #expect(supervised.count == 22)
        for item in supervised {
            // A template that does not read the tools: TRL passes over them, here the line is told.
            if item["line"]?.string?.contains("\"tools\"") == true {
                #expect(throws: TrainingError.self) { try reader(item).supervised(try line(item), place: "f") }
                continue
            }
            let read = try reader(item).supervised(try line(item), place: "f")
            let labels = tokens(item["labels"])
            #expect(read.examples.map(\.tokens) == [tokens(item["input_ids"])], "\(item)")
            #expect(read.examples.map(\.weights) == [labels.map { $0 == -100 ? 0 : 1 }], "\(item)")
        }
        let preferences = try #require(golden["preferences"]?.array)
        #expect(preferences.count == 21)
        for item in preferences {
            let pair = try #require(try reader(item).preferences(try line(item), place: "f").examples.first)
            #expect(pair.prompt == tokens(item["prompt_ids"]), "\(item)")
            #expect(pair.chosen == tokens(item["chosen_ids"]), "\(item)")
            #expect(pair.rejected == tokens(item["rejected_ids"]), "\(item)")
            #expect(pair.chosenMask == nil && pair.rejectedMask == nil)
        }
    }

    @Test("ShareGPT's rows, a question beside an answer in messages, and whole texts are read")
    func otherLayouts() throws {
        let tokenizer = try qwen()
        let read = try reader().supervised(
            data(
                #"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#,
                #"{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}"#,
                #"{"prompt": "a", "completion": [{"role": "assistant", "content": "b"}]}"#,
                #"{"prompt": "a", "completion": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#,
                #"{"text": "one text"}"#
            ),
            place: "f"
        )
        try #require(read.examples.count == 5)
        for example in read.examples[1..<4] {
            #expect(example.tokens == read.examples[0].tokens)
            #expect(example.weights == read.examples[0].weights)
        }
        #expect(read.examples[4].tokens == tokenizer.encode("one text<|im_end|>"))
        #expect(read.examples[4].weights.allSatisfy { $0 == 1 })
    }

    @Test("a file in Parquet is refused with the command that converts it")
    func parquet() throws {
        let error = #expect(throws: TrainingError.self) {
            try reader().supervised(Data("PAR1\u{15}\u{04}".utf8), place: "train.parquet")
        }
        #expect(error?.description.contains("train.parquet is Parquet") == true)
        #expect(error?.description.contains("pyarrow") == true)
    }
}
