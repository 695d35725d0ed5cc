import CompletionClient
import Foundation
import Reasoning
import Schemas
import ServiceRuntime
import Teaching
import Testing

@testable import TeacherIngestionCore

@Suite("The body of a request, and what is read of an answer")
struct ChatWireTests {
    private let request = ChatRequest(messages: [PromptMessage(role: "user", content: "x")], temperature: 0.4, seed: 7)

    private func settings(_ json: String) throws -> TeacherSettings {
        try JSONDecoder().decode(TeacherSettings.self, from: Data(json.utf8))
    }

    @Test(
        "each preset sends what its servers take",
        arguments: [
            (#"{}"#, ["max_tokens", "messages", "model", "seed", "temperature"]),
            (#"{"preset": "openai"}"#, ["max_completion_tokens", "messages", "model", "seed", "temperature"]),
            (#"{"preset": "openai-reasoning"}"#, ["max_completion_tokens", "messages", "model"]),
            (#"{"preset": "azure"}"#, ["max_completion_tokens", "messages", "model", "seed", "temperature"]),
            (
                #"{"preset": "llama.cpp"}"#,
                ["max_tokens", "messages", "model", "seed", "stream", "stream_options", "temperature"]
            ),
            (#"{"preset": "vllm", "stream": false}"#, ["max_tokens", "messages", "model", "seed", "temperature"]),
            (#"{"topP": 0.9, "body": {"seed": null}}"#, ["max_tokens", "messages", "model", "temperature", "top_p"]),
            (
                #"{"preset": "openai-reasoning", "body": {"reasoning_effort": "high", "temperature": 1}}"#,
                ["max_completion_tokens", "messages", "model", "reasoning_effort", "temperature"]
            ),
            (
                #"{"body": {"max_completion_tokens": 9}}"#,
                ["max_completion_tokens", "messages", "model", "seed", "temperature"]
            ),
        ] as [(String, [String])]
    )
    func fields(json: String, expected: [String]) throws {
        #expect(ChatWire.body(request, settings: try settings(json)).keys.sorted() == expected)
    }

    @Test("the merged body goes before everything, and the schedule's temperature before nothing")
    func values() throws {
        let body = ChatWire.body(request, settings: try settings(#"{"model": "m", "body": {"temperature": 1}}"#))
        #expect(body["temperature"] == 1)
        #expect(body["seed"] == 7)
        #expect(body["max_tokens"] == 2048)
        let reasoning = ChatWire.body(request, settings: try settings(#"{"preset": "openai-reasoning"}"#))
        #expect(reasoning["max_completion_tokens"] == 16_384)
    }

    @Test("a role's seed moves those of the samples, each to another one, and makes another question of them")
    func seed() throws {
        let (plain, moved) = (try settings("{}"), try settings(#"{"seed": 5}"#))
        #expect(ChatWire.body(request, settings: plain)["seed"] == 7)
        #expect(ChatWire.body(request, settings: moved)["seed"] == 12)
        let other = ChatRequest(messages: request.messages, temperature: 0.4, seed: 0x7fff_ffff)
        #expect(ChatWire.body(other, settings: moved)["seed"] == 4)
        #expect(ChatWire.identity(plain) != ChatWire.identity(moved))
        #expect(ChatWire.identity(plain) == ChatWire.identity(try settings(#"{"seed": 0}"#)))
    }

    @Test("what a server refuses is left out, or sent under its other name, once")
    func adaptation() throws {
        var adaptation = ChatAdaptation()
        func refused(_ parameter: String) -> ServerError { ServerError(.refusedSetting, "no", parameter: parameter) }
        #expect(adaptation.learn(from: refused("max_tokens")) != nil)
        #expect(adaptation.learn(from: refused("max_completion_tokens")) == nil)
        #expect(adaptation.learn(from: refused("seed")) != nil)
        #expect(adaptation.learn(from: refused("seed")) == nil)
        #expect(adaptation.learn(from: refused("model")) == nil)
        #expect(adaptation.learn(from: ServerError(.unavailable, "busy", parameter: "top_p")) == nil)
        let body = ChatWire.body(request, settings: TeacherSettings(), adaptation: adaptation)
        #expect(body.keys.sorted() == ["max_completion_tokens", "messages", "model", "temperature"])
    }

    private func reply(_ message: JSONValue, reason: JSONValue = "stop") throws -> ChatReply {
        try ChatWire.reply(
            .init(json: ["choices": [["message": message, "finish_reason": reason]]], pause: nil, milliseconds: 3),
            model: "asked",
            place: "h"
        )
    }

    @Test(
        "content comes as text or as parts, and thoughts in fields of several names",
        arguments: [
            (["content": "a"], "a", nil),
            (["content": [["type": "text", "text": "a"], ["type": "text", "text": "b"]]], "ab", nil),
            (["content": ["a", ["type": "output_text", "text": ["value": "b"]]]], "ab", nil),
            (
                [
                    "content": [
                        ["type": "thinking", "thinking": [["type": "text", "text": "t"]]],
                        ["type": "text", "text": "a"],
                    ]
                ], "a", "t"
            ),
            (["content": "a", "reasoning_content": "t"], "a", "t"),
            (["content": "a", "reasoning": "t"], "a", "t"),
            (["content": "<think>t</think>a"], "a", "t"),
            (["content": .null], "", nil),
            ([:], "", nil),
        ] as [(JSONValue, String, String?)]
    )
    func content(message: JSONValue, text: String, thoughts: String?) throws {
        let reply = try reply(message)
        #expect(reply.text == text)
        #expect(reply.thoughts == thoughts)
        #expect(reply.model == "asked")
    }

    @Test("a refusal is one, and a missing reason is a whole answer")
    func reasons() throws {
        #expect(try reply(["content": .null, "refusal": "I cannot"]).finishReason == "refusal")
        #expect(try reply(["content": "a"], reason: .null).finishReason == "stop")
    }

    @Test("an answer without a choice is malformed", arguments: [[:], ["choices": []], ["choices": [["index": 0]]]])
    func noChoice(json: [String: JSONValue]) {
        let error = #expect(throws: ServerError.self) {
            try ChatWire.reply(.init(json: json, pause: nil, milliseconds: 0), model: "m", place: "h")
        }
        #expect(error?.kind == .malformed)
    }
}
