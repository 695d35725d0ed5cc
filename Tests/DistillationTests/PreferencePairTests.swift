import Distillation
import Reasoning
import Testing
import Tokenization
import Training

@Suite("Preference pairs")
struct PreferencePairTests {
    private static let question = "Tom has 12 apples. How many are left after 5?"
    private static let output = """
         <Step1>Tom has 12+0=12 apples.</Step1>
        <Step2>Tom keeps 12+5=17 apples.<Key>Mind the sign.</Key></Step2>
        <Answer>17</Answer>
        """

    private func source(
        correction: String = "Tom keeps 12-5=7 apples.",
        step: Int = 1,
        own: CorrectionTrace? = nil
    ) -> PreferencePairs.Source {
        PreferencePairs.Source(
            id: "a",
            question: Self.question,
            output: Self.output,
            correction: CorrectionTrace(
                steps: StudentFormat.steps(of: Self.output),
                firstWrongStep: step,
                cause: "The wrong operation is used.",
                correction: correction,
                answer: "7"
            ),
            selfCorrection: own
        )
    }

    @Test("both sides read on from the student's own text", arguments: TokenizerKind.allCases)
    func texts(kind: TokenizerKind) throws {
        let codec = try kind.codec()
        let pair = try PreferencePairs.pair(source(), codec: codec)
        let context =
            StudentFormat.hierarchicalThought.prompt(question: Self.question)
            + " <Step1>Tom has 12+0=12 apples.</Step1>\n<Step2>"
        let chosen = codec.tokenizer.decode(pair.prompt + pair.chosen)
        let rejected = codec.tokenizer.decode(pair.prompt + pair.rejected)
        // A last token may reach into the closing tag.
        let ends: Set = ["", "</", "</Step"]
        for (text, step) in [(chosen, "Tom keeps 12-5=7 apples."), (rejected, "Tom keeps 12+5=17 apples.")] {
            #expect(text.hasPrefix(context + step))
            #expect(ends.contains(String(text.dropFirst((context + step).count))))
        }
        if kind != .glued { #expect(rejected == context + "Tom keeps 12+5=17 apples.") }
        #expect(context.hasPrefix(codec.tokenizer.decode(pair.prompt)))
        #expect(pair.id == "a")
    }

    @Test("the tokens are those of training, wherever the tag's end belongs", arguments: TokenizerKind.allCases)
    func boundaries(kind: TokenizerKind) throws {
        let codec = try kind.codec()
        let pair = try PreferencePairs.pair(source(), codec: codec)
        let prompt = try codec.prompt(.hierarchicalThought, question: Self.question)
        let context = " <Step1>Tom has 12+0=12 apples.</Step1>\n<Step2>"
        for (completion, step) in [
            (pair.chosen, "Tom keeps 12-5=7 apples."), (pair.rejected, "Tom keeps 12+5=17 apples."),
        ] {
            let whole = prompt + codec.tokenizer.encode(context + step + "</Step2>\n")
            #expect(whole.starts(with: pair.prompt + completion))
        }
        switch kind {
        case .tags: #expect(codec.tokenizer.decode(pair.chosen).hasPrefix("Tom"))
        case .glued: #expect(codec.tokenizer.decode(pair.chosen).hasPrefix(">Tom"))
        case .bytes: #expect(codec.tokenizer.decode(pair.chosen).hasPrefix("Tom"))
        }
    }

    @Test("the student's own correction of the step is what is rejected")
    func ownCorrection() throws {
        let codec = try TokenizerKind.tags.codec()
        var own = source().correction
        own.correction = "Tom keeps 12-4=8 apples."
        own.answer = "8"
        let pair = try PreferencePairs.pair(source(own: own), codec: codec)
        #expect(codec.tokenizer.decode(pair.rejected) == "Tom keeps 12-4=8 apples.")
        let trace = try PreferencePairs.pair(source(own: own), options: .init(layout: .trace), codec: codec)
        #expect(codec.tokenizer.decode(trace.chosen).hasPrefix(" 2<Cause>The wrong operation"))
        #expect(trace.rejected.last == codec.endOfText)
    }

    @Test("token weights leave the preference to what the two sides do not share")
    func tokenWeights() throws {
        let codec = try TokenizerKind.bytes.codec()
        let whole = try PreferencePairs.pair(source(), codec: codec)
        #expect(whole.chosenWeights == nil && whole.rejectedWeights == nil)
        let pair = try PreferencePairs.pair(source(), options: .init(tokenWeighted: true), codec: codec)
        #expect(pair.chosen == whole.chosen && pair.rejected == whole.rejected)
        func marked(_ tokens: [TokenID], _ weights: [Float]?) throws -> String {
            let weights = try #require(weights)
            try #require(weights.count == tokens.count)
            #expect(Set(weights).isSubset(of: [0, 1]))
            return codec.tokenizer.decode(zip(tokens, weights).filter { $0.1 == 1 }.map(\.0))
        }
        // "12-5=7" against "12+5=17".
        #expect(try marked(pair.chosen, pair.chosenWeights) == "-")
        #expect(try marked(pair.rejected, pair.rejectedWeights) == "+1")
    }

    @Test("marks in a correction stand as they would in training")
    func escaping() throws {
        let codec = try TokenizerKind.tags.codec()
        let pair = try PreferencePairs.pair(source(correction: "5 < 12 & so 7 é."), codec: codec)
        let template = ThoughtTemplate(steps: [TemplateStep(text: "5 < 12 & so 7 é.")], generalization: "", answer: "7")
        let inner = template.xml.split(separator: "\n")[0].dropFirst("<Step1>".count).dropLast("</Step1>".count)
        #expect(codec.tokenizer.decode(pair.chosen) == String(inner))
    }
}

/// The ways in which a tag meets the text after it.
enum TokenizerKind: CaseIterable {
    /// Tags are tokens of their own.
    case tags
    /// A tag's ">" begins the token of the next word.
    case glued
    /// Every byte is a token.
    case bytes

    func codec() throws -> StudentCodec {
        let text = "Q: Tom has 12 apples.\nT: <Step1>Tom has 12+0=12 apples.</Step1>\n<Step2>Tom keeps 12-5=7.</Step2>"
        let texts = Array(repeating: text, count: 10)
        let trainer = BytePairTrainer(eosToken: "<|endoftext|>")
        let tokenizer =
            switch self {
            case .tags: try trainer.train(texts, vocabularySize: 340, addedTokens: StudentFormat.tags)
            case .glued: try trainer.train(texts, vocabularySize: 340)
            case .bytes: try trainer.train(texts, vocabularySize: 257)
            }
        return try StudentCodec(tokenizer)
    }
}
