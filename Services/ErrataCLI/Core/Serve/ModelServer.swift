import CompletionAPI
import Foundation
import Hummingbird
import LanguageModel
import NIOCore
import Tokenization

/// The routes of `errata serve`.
struct ModelServer: Sendable {
    let models: ServedModels
    let queue: GenerationQueue

    func router() -> Router<BasicRequestContext> {
        let router = CompletionRoutes.router()
        router.get("v1/models") { [models] _, _ in
            try CompletionRoutes.json(CompletionAnswer.Models(try await models.names()))
        }
        router.post("v1/completions") { request, _ in
            try await answer(try await CompletionRoutes.body(of: request), isChat: false)
        }
        router.post("v1/chat/completions") { request, _ in
            try await answer(try await CompletionRoutes.body(of: request), isChat: true)
        }
        return router
    }

    /// A text in the making.
    private struct Work: Sendable {
        let prompt: [TokenID]
        let events: AsyncThrowingStream<GenerationQueue.Event, any Error>
    }

    private func answer(_ body: Data, isChat: Bool) async throws -> Response {
        let request = try ServedRequest(json: body, isChat: isChat)
        let model = try await models.model(request.model)
        let prompts = try request.prompts.map { try tokens($0, model) }
        var work: [Work] = []
        for (place, prompt) in prompts.enumerated() {
            let parameters = request.parameters(
                model,
                room: model.configuration.maximumPositions - prompt.count,
                isChat: isChat
            )
            for choice in 0..<request.choices {
                let stream = request.seed &+ UInt64(place * request.choices + choice) &* 0x9E37_79B9_7F4A_7C15
                let events = await queue.generate(model, prompt: prompt, parameters: parameters, stream: stream)
                work.append(Work(prompt: prompt, events: events))
            }
        }
        let frame = CompletionStream(model: request.model, isChat: isChat)
        if request.isStreamed, let only = work.first {
            return streamed(only, frame, model, stop: request.stop, includesUsage: request.includesUsage)
        }
        return try await whole(
            work,
            frame,
            model,
            stop: request.stop,
            promptTokens: prompts.reduce(0) { $0 + $1.count }
        )
    }

    private func tokens(_ prompt: ServedRequest.Prompt, _ model: ServedModel) throws -> [TokenID] {
        let tokens: [TokenID]
        let name: String
        switch prompt {
        case .text(let text): (tokens, name) = (model.tokenizer.encodePrompt(text), "prompt")
        case .tokens(let ids): (tokens, name) = (ids, "prompt")
        case .conversation(let conversation):
            do {
                (tokens, name) = (try model.chat.get().encode(conversation, addGenerationPrompt: true), "messages")
            } catch {
                throw APIError.invalid("messages", "\(error)")
            }
        }
        let positions = model.configuration.maximumPositions
        guard !tokens.isEmpty, tokens.count < positions else {
            throw APIError.invalid(
                name,
                "\(name) has \(tokens.count) tokens; the model needs at least one and at most \(positions - 1) of them."
            )
        }
        guard tokens.allSatisfy({ $0 >= 0 && Int($0) < model.configuration.vocabularySize }) else {
            throw APIError.invalid(name, "\(name) has a token that is not in the model's vocabulary.")
        }
        return tokens
    }

    // MARK: Whole answers

    private func whole(
        _ work: [Work],
        _ frame: CompletionStream,
        _ model: ServedModel,
        stop: [String],
        promptTokens: Int
    ) async throws -> Response {
        var texts: [(text: String, finishReason: String)] = []
        var count = 0
        for item in work {
            var text = TextStream(model.tokenizer, continuing: item.prompt, stopStrings: stop)
            var written = ""
            var reason = Generation.FinishReason.length
            for try await event in item.events {
                switch event {
                case .token(let token):
                    written += text.append(token)
                    count += 1
                case .end(let generation): reason = generation.finishReason
                }
            }
            texts.append((written + text.finish(), reason.rawValue))
        }
        let usage = CompletionAnswer.Usage(promptTokens: promptTokens, completionTokens: count)
        return try CompletionRoutes.json(
            CompletionAnswer.Whole(
                id: frame.id,
                isChat: frame.isChat,
                created: frame.created,
                model: frame.model,
                texts: texts,
                usage: usage
            )
        )
    }

    // MARK: Streams

    private func streamed(
        _ work: Work,
        _ frame: CompletionStream,
        _ model: ServedModel,
        stop: [String],
        includesUsage: Bool
    ) -> Response {
        frame.response { sender in
            var text = TextStream(model.tokenizer, continuing: work.prompt, stopStrings: stop)
            var count = 0
            if frame.isChat { try await sender.send(role: "assistant", text: "") }
            do {
                for try await event in work.events {
                    switch event {
                    case .token(let token):
                        count += 1
                        let piece = text.append(token)
                        if !piece.isEmpty { try await sender.send(text: piece) }
                    case .end(let generation):
                        let piece = text.finish()
                        if !piece.isEmpty { try await sender.send(text: piece) }
                        try await sender.send(reason: generation.finishReason.rawValue)
                    }
                }
            } catch let error as GenerationError {
                throw APIError(status: 500, message: "\(error)")
            }
            if includesUsage {
                try await sender.send(
                    CompletionAnswer.Usage(promptTokens: work.prompt.count, completionTokens: count)
                )
            }
        }
    }
}
