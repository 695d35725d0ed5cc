import Distillation
import Foundation
import LanguageModel
import PracticeDomain
import Reasoning
import Schemas
import TensorEngine
import Testing
import Tokenization
import Training

@Suite("Examples of the supervised stages")
struct ExampleTests {
    private let right = "Zoë keeps 12-5=7 apples.\nZoë has 7*2=14 apples — “in all”.\nThe answer is 14."
    private let wrong = "Zoë keeps 12+5=17 apples.\nZoë has 17*2=34 apples — “in all”.\nThe answer is 34."
    private let template = ThoughtTemplate(
        steps: [
            TemplateStep(text: "Zoë keeps 12-5=7 apples.", keyNotes: ["Mind the sign."]),
            TemplateStep(text: "Zoë has 7*2=14 apples — “in all”."),
        ],
        generalization: "Work it out in turn.",
        answer: "14"
    )

    @Test("a dual pair in the student's form differs only where its chains do")
    func dual() throws {
        let pair = try #require(DualRendering.hierarchical(right: right, wrong: wrong, template: template))
        #expect(pair.right == StudentFormat.response(template: template))
        #expect(
            pair.wrong
                == pair.right.replacing("12-5=7", with: "12+5=17").replacing("7*2=14", with: "17*2=34")
                .replacing("<Answer>14", with: "<Answer>34")
        )
        let longer = try #require(
            DualRendering.hierarchical(right: right, wrong: "One.\nTwo.\nThree.\nThe answer is 3.", template: template)
        )
        #expect(!longer.wrong.contains("<Key>"), "notes of other steps are left out")
        #expect(DualRendering.hierarchical(right: right, wrong: "", template: template) == nil)
    }

    @Test("key tokens carry their weights at the places that training sees", arguments: TokenizerKind.allCases)
    func keySteps(kind: TokenizerKind) throws {
        let codec = try kind.codec()
        let pair = try #require(DualRendering.hierarchical(right: right, wrong: wrong, template: template))
        let located = KeyStepLocation(
            right: pair.right,
            wrong: pair.wrong,
            tokens: .student(codec.tokenizer),
            options: KeyStepOptions(beta: 0.5, gamma: 0.25)
        )
        for side in [located.right, located.wrong] {
            let tokens = codec.tokenizer.encode(side.text)
            #expect(side.tokens == tokens.count && side.weights.count == tokens.count)
            let bytes = Array(side.text.utf8)
            for span in side.spans {
                let text = codec.tokenizer.decode(Array(tokens[span.tokens]))
                // Bytes that cut a character are compared where they are whole.
                if !text.contains("\u{FFFD}") {
                    #expect(text == String(decoding: bytes[span.bytes], as: UTF8.self))
                }
            }
        }
        let keyText = Set(
            located.right.spans.map {
                String(decoding: Array(located.right.text.utf8)[$0.bytes], as: UTF8.self)
            }
        ).joined()
        #expect(keyText.contains("-") && !keyText.contains("apples") && !keyText.contains("Mind"))
        #expect(located.right.weights.allSatisfy { $0 == 1 || $0 == 0.25 })
        #expect(located.wrong.weights.allSatisfy { $0 == -0.5 || $0 == 0 })
        #expect(located.right.weights.contains(1) && located.wrong.weights.contains(-0.5))
        #expect(located.right.spans.map(\.step).max() ?? 0 <= 4)

        let examples = try SupervisedExamples.keySteps(
            right: pair.right,
            wrong: pair.wrong,
            question: "Q?",
            format: .hierarchicalThought,
            codec: codec,
            options: KeyStepOptions(beta: 0.5, gamma: 0.25)
        )
        let example = examples.right
        let plain = try SupervisedExamples.template(template, question: "Q?", codec: codec)
        #expect(example.tokens == plain.tokens, "key steps are weighed in the sequence that stage one trained on")
        let prompt = try codec.prompt(.hierarchicalThought, question: "Q?")
        #expect(Array(example.weights.dropFirst(prompt.count).dropLast()) == located.right.weights)
        #expect(example.weights.prefix(prompt.count).allSatisfy { $0 == 0 } && example.weights.last == 0.25)
        #expect(Array(examples.wrong.weights.dropFirst(prompt.count)) == located.wrong.weights + [0])
        #expect(examples.examples.allSatisfy { $0.responseLength == $0.tokens.count - prompt.count })
    }
}

@Suite("The student factory")
struct StudentFactoryTests {
    private let texts = try? ProblemGenerator(seed: 1, difficulty: .gentle).generate(count: 40, split: .train)
        .map(\.question)

    @Test("the same texts and seed give the same student, another seed another")
    func determinism() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "errata-factory-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        let texts = try #require(texts)
        let size = StudentFactory.Size(hidden: 16, layers: 1, heads: 2, intermediate: 24, vocabulary: 340)
        func create(_ seed: UInt64, _ folder: String) throws -> StudentFactory.Created {
            let folder = root.appending(path: folder)
            return try StudentFactory.create(texts: texts, size: size, seed: seed, in: ModelStore(root: folder))
        }
        let first = try create(1, "a")
        #expect(try create(1, "b").hash == first.hash)
        let other = try create(2, "a")
        #expect(other.hash != first.hash && other.tokenizerFingerprint == first.tokenizerFingerprint)

        let codec = try StudentCodec(try Tokenizer(folder: first.folder))
        for tag in StudentFormat.tags { #expect(codec.tokenizer.encode(tag).count == 1) }
        let text = "<Step1>a</Step1>\n<Answer>7</Answer>"
        #expect(codec.tokenizer.decode(codec.tokenizer.encode(text)) == text)
        let model = try CausalLanguageModel.load(folder: first.folder)
        #expect(model.parameters.reduce(0) { $0 + $1.tensor.count } == first.parameters)
        #expect(
            try StudentSolver(model: model, codec: codec).solve(
                [],
                format: .hierarchicalThought,
                parameters: .init(maximumNewTokens: 1)
            ).isEmpty
        )
    }
}
