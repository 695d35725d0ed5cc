import DataSupport
import Foundation
import PracticeDomain
import Schemas
import Testing

@testable import Reasoning

/// Texts with their near and far variants, made from words at random.
private struct Corpus {
    var random: ReasoningRandom
    /// Words of letters alone: a digit in a word would be a number of its own.
    static let vocabulary: [String] = {
        let letters = "abcdefgh".map(String.init)
        return letters.flatMap { first in letters.flatMap { second in letters.map { "v" + first + second + $0 } } }
    }()

    init(seed: UInt64) { random = ReasoningRandom(seed: seed) }

    mutating func text(_ count: Int) -> [String] {
        (0..<count).map { _ in random.chance(0.1) ? "\(random.integer(2...999))" : random.pick(Self.vocabulary) ?? "" }
    }

    /// The text with so many words replaced by others, numbers left as they are.
    mutating func changed(_ text: [String], words: Int) -> [String] {
        var text = text
        for _ in 0..<words {
            let place = random.integer(0...text.count - 1)
            if text[place].first?.isNumber == false { text[place] = random.pick(Self.vocabulary) ?? "" }
        }
        return text
    }
}

private func fingerprint(_ question: String, _ answer: String? = "1") -> ProblemFingerprint {
    ProblemFingerprint(question: question, answer: answer)
}

@Suite("Normalised texts")
struct NormalizedTextTests {
    @Test(
        "what does not change a question does not count",
        arguments: [
            ("Ann has 3 apples.", "ann  has\n3 APPLES"), ("It costs $1,200.50.", "it costs 1200.50"),
            ("Ben's three dogs", "Ben\u{2019}s 3 dogs"), ("caf\u{E9} au lait", "cafe\u{301} au lait"),
            ("a well-known 3-day trip", "a well known 3 day trip"), ("$x^2$ \u{2212} $4$", "x^2 - 4"),
            ("6 \u{D7} 4", "6 * 4"), ("\u{FF13} apples", "3 apples"), ("Who? Me, \u{201C}you\u{201D}.", "who me you"),
        ]
    )
    func same(first: String, second: String) { #expect(NormalizedText(first) == NormalizedText(second)) }

    @Test(
        "what changes the mathematics counts",
        arguments: [
            ("What is 3 + 4?", "What is 3 - 4?"), ("What is 3 - 4?", "What is 3 4?"), ("3-4", "3+4"),
            ("(2+3)*4", "2+(3*4)"), ("x^2", "x2"), ("10\u{B2}", "102"), ("3\u{BD}", "31/2"), ("5!", "5"),
            ("20% of 50", "20 of 50"), ("1.5", "15"), ("1.5", "1 5"), ("3:4", "3 4"), ("x < y", "x > y"),
            ("x-y", "xy"), ("5 - x", "5 x"), ("-5", "5"), ("\u{2264} 3", "< 3"), ("A has 3, B 4", "A has 4, B 3"),
            ("12,5", "125"), ("\u{6211}\u{6709}\u{4E09}", "\u{6211}\u{6709}\u{4E8C}"), ("6/3", "6 3"),
        ]
    )
    func different(first: String, second: String) {
        #expect(NormalizedText(first) != NormalizedText(second))
        #expect(NormalizedText(first).digest != NormalizedText(second).digest)
    }

    @Test("numbers are known by their places, whether digits or words, and their order does not count in their digest")
    func numbers() {
        let text = NormalizedText("Twelve of 1,000 boxes, 2.5 kg each, and one more")
        #expect(text.numberPlaces == [0, 2, 4])
        #expect(NormalizedText("3 and 4").numbersDigest == NormalizedText("4 or 3").numbersDigest)
        #expect(NormalizedText("3 and 4").numbersDigest != NormalizedText("3 and 3").numbersDigest)
    }

    @Test("digests are the same in every process, so that they can be stored")
    func stable() {
        #expect(NormalizedText("Ann has 3 apples.").digest == 6_783_374_193_642_961_322)
        #expect(fingerprint("Ann has 3 apples.").bands.first == 14_954_769_241_540_841_141)
        #expect(Decontamination.grams(of: NormalizedText("a b c d e f g h i j k l m")) == [10_299_665_504_532_954_000])
    }

    @Test("any text is read in linear time")
    func hostile() {
        var corpus = ReasoningRandom(seed: 9)
        let pieces = ["-", ",", ".", "'", "1", "a", " ", "\u{301}", "\u{1F1E9}", "\u{4E00}", "\r\n", "$", "\u{0}", "!"]
        for _ in 0..<300 {
            let text = (0..<corpus.integer(0...60)).map { _ in corpus.pick(pieces) ?? "" }.joined()
            let once = NormalizedText(text)
            #expect(once == NormalizedText(" " + text + " ") && once.numberPlaces.allSatisfy { $0 < once.words.count })
        }
        for piece in pieces {
            let half = processorTime { _ = NormalizedText(String(repeating: piece, count: 50_000)) }
            let whole = processorTime { _ = NormalizedText(String(repeating: piece, count: 200_000)) }
            #expect(whole < half * 12 + .milliseconds(200), "\(piece.debugDescription): \(half), \(whole)")
        }
    }
}

@Suite("Duplicates")
struct DuplicateTests {
    @Test("a question that is written otherwise is the same, and one with a few other words nearly so")
    func kinds() throws {
        let question =
            "A baker fills 14 trays with 12 rolls each. In the morning 95 rolls are sold, and in the afternoon 48 more. "
            + "How many rolls are left in the evening?"
        var index = DuplicateIndex()
        #expect(index.insert(fingerprint(question, "25"), id: "a") == nil)
        #expect(index.match(of: fingerprint(question.uppercased() + " ", "26")) == .init(id: "a", kind: .exact))
        let typo = question.replacingOccurrences(of: "evening", with: "evning")
        guard case .near(let similarity)? = index.match(of: fingerprint(typo, "(25)"))?.kind else {
            Issue.record("the typo was not found")
            return
        }
        #expect(similarity > 0.8 && similarity < 1)
        // The same words with another number, or with another answer, are another problem.
        #expect(index.match(of: fingerprint(typo.replacingOccurrences(of: "95", with: "96"), "25")) == nil)
        #expect(index.match(of: fingerprint(typo, "24")) == nil)
        #expect(index.match(of: fingerprint(typo, nil)) == nil)
        #expect(index.match(of: fingerprint("", "25")) == nil)
    }

    @Test(
        "the order of words counts, and how often they come",
        arguments: [
            ("not True or False is", "True or not False is"),
            ("turn left and turn left and turn left and turn left", "turn left and turn left and turn left"),
            ("a b c", "b c a"), ("a", "a a a"),
        ]
    )
    func bags(first: String, second: String) {
        #expect(fingerprint(first).relation(to: fingerprint(second)) == nil)
        #expect(fingerprint(first).relation(to: fingerprint(first)) == .exact)
    }

    @Test("questions of which no word is left are not taken for each other")
    func wordless() {
        var index = DuplicateIndex()
        var evaluation = Decontamination()
        evaluation.insert(NormalizedText("\u{2026}"), id: "a")
        #expect(index.insert(fingerprint("\u{2026}?"), id: "a") == nil)
        #expect(index.insert(fingerprint("...", nil), id: "b") == nil)
        #expect(index.insert(fingerprint("!"), id: "c") == nil)
        #expect(evaluation.match(of: NormalizedText("?")) == nil)
    }

    @Test(
        "what the index finds is what a comparison of all pairs finds, and of random pairs near the threshold nearly all"
    )
    func againstAllPairs() {
        var corpus = Corpus(seed: 4)
        var texts: [[String]] = []
        for _ in 0..<250 {
            let text = corpus.text(corpus.random.integer(5...80))
            texts.append(text)
            for words in 0...3 where corpus.random.chance(0.6) { texts.append(corpus.changed(text, words: words)) }
        }
        corpus.random.shuffle(&texts)
        let prints = texts.map { fingerprint($0.joined(separator: " ")) }
        var found = 0
        var wanted = 0
        for (number, print) in prints.enumerated() {
            for other in prints[..<number] {
                let relation = print.relation(to: other)
                // The definition, by the sets themselves.
                let first = Set(print.shingles)
                let second = Set(other.shingles)
                let union = first.union(second).count
                let similarity = union == 0 ? 1 : Double(first.intersection(second).count) / Double(union)
                let isDuplicate =
                    print.text == other.text
                    || similarity >= 0.8 && print.text.numbersDigest == other.text.numbersDigest
                #expect((relation != nil) == isDuplicate)
                guard isDuplicate else { continue }
                wanted += 1
                var index = DuplicateIndex()
                index.insert(other, id: "other")
                if index.match(of: print) != nil { found += 1 }
            }
        }
        #expect(wanted > 200)
        #expect(Double(found) >= 0.999 * Double(wanted), "\(found) of \(wanted)")
    }

    @Test("what is kept holds no duplicates, and what is left out has its like among what is kept")
    func greedy() {
        var corpus = Corpus(seed: 5)
        var kept: [ProblemFingerprint] = []
        var index = DuplicateIndex()
        for number in 0..<400 {
            let text = number % 3 == 0 || kept.isEmpty ? corpus.text(30) : corpus.text(4)
            let print = fingerprint(text.joined(separator: " "))
            for variant in [print, fingerprint(corpus.changed(text, words: 1).joined(separator: " "))] {
                let related = kept.contains { variant.relation(to: $0) != nil }
                let match = index.insert(variant, id: "\(kept.count)")
                #expect((match != nil) == related)
                if let match {
                    #expect(Int(match.id).flatMap { variant.relation(to: kept[$0]) } == match.kind)
                } else {
                    kept.append(variant)
                }
            }
        }
        #expect(index.count == kept.count && kept.count > 300)
    }

    @Test(
        "the problems of the built-in domain, which differ in numbers and names, are no duplicates and no contamination",
        arguments: [1, 2],
        [ProblemGenerator.Difficulty.gentle, .standard]
    )
    func generated(seed: UInt64, difficulty: ProblemGenerator.Difficulty) throws {
        let generator = ProblemGenerator(seed: seed, stepRange: 2...3, difficulty: difficulty)
        let learned =
            try generator.generate(count: 1_000, split: .train) + generator.generate(count: 1_000, split: .rollout)
        let scored = try generator.generate(count: 800, split: .test)
        var index = DuplicateIndex()
        for problem in learned {
            #expect(index.insert(fingerprint(problem.question, problem.answer), id: problem.id) == nil, "\(problem)")
        }
        var evaluation = Decontamination()
        for problem in scored {
            #expect(index.match(of: fingerprint(problem.question, problem.answer)) == nil)
            evaluation.insert(NormalizedText(problem.question), id: problem.id)
        }
        for problem in learned { #expect(evaluation.match(of: NormalizedText(problem.question)) == nil, "\(problem)") }
    }

    @Test("twenty thousand problems take seconds")
    func speed() {
        var corpus = Corpus(seed: 7)
        let texts = (0..<20_000).map { _ in corpus.text(45).joined(separator: " ") }
        var index = DuplicateIndex()
        var evaluation = Decontamination()
        for text in texts.prefix(2_000) { evaluation.insert(NormalizedText(text + " more"), id: text) }
        var contaminated = 0
        let time = processorTime {
            for text in texts {
                let print = fingerprint(text)
                index.insert(print, id: text)
                if evaluation.match(of: print.text) != nil { contaminated += 1 }
            }
        }
        #expect(index.count == 20_000 && contaminated == 2_000)
        #expect(time < .seconds(10), "\(time)")
    }

    @Test("texts that are made to collide do not make the work quadratic")
    func hostile() {
        var corpus = Corpus(seed: 6)
        let text = corpus.text(60)
        var index = DuplicateIndex()
        let time = processorTime {
            for number in 0..<4_000 {
                var text = text
                // No two of them are duplicates, all share most of their shingles.
                for step in 0..<5 { text[step * 11] = Corpus.vocabulary[(number >> (2 * step)) % 4 + 4 * (number % 3)] }
                index.insert(fingerprint(text.joined(separator: " ")), id: "\(number)")
            }
        }
        #expect(time < .seconds(10), "\(time)")
    }
}

@Suite("Decontamination")
struct DecontaminationTests {
    private static let question =
        "A baker fills 14 trays with 12 rolls each. In the morning 95 rolls are sold, and in the afternoon 48 more. "
        + "How many rolls are left in the evening?"

    private func match(_ text: String, rule: Decontamination.Rule = .standard) -> Decontamination.Match? {
        var index = Decontamination(rule: rule)
        index.insert(NormalizedText("Who was it?"), id: "short")
        index.insert(NormalizedText(Self.question), id: "baker")
        return index.match(of: NormalizedText(text))
    }

    @Test("a question that is quoted is found with whatever stands around it and however it is written")
    func quoted() throws {
        #expect(match(Self.question)?.id == "baker")
        #expect(match(Self.question)?.overlap.share == 1)
        let around = "Solve this. " + Self.question.uppercased() + " Think first, and then say it in one number."
        #expect(match(around)?.id == "baker")
        let most = String(Self.question.dropLast(" in the evening?".count)) + " by noon of the next day?"
        #expect(try #require(match(most)).overlap.share < 1)
    }

    @Test("a part of a question, or the same story with other numbers, is no contamination, but for the strict rule")
    func parts() {
        let start = "A baker fills 14 trays with 12 rolls each. In the morning 95 rolls are burnt. Why?"
        #expect(match(start) == nil)
        #expect(match(start, rule: .strict)?.id == "baker")
        let variant = Self.question.replacingOccurrences(of: "48", with: "47").replacingOccurrences(
            of: "14",
            with: "15"
        )
        #expect(match(variant) == nil)
        #expect(match(variant, rule: .strict)?.id == "baker")
        // Twelve words in a row are none.
        #expect(match("A baker fills 14 trays with 12 rolls each. In the morning he rests.", rule: .strict) == nil)
        #expect(match("A baker fills 14 trays with 12 rolls each. In the morning 95 rest.", rule: .strict) != nil)
    }

    @Test("a question shorter than a run is found only where it is the whole")
    func short() {
        #expect(match("who was it")?.id == "short")
        #expect(match("Ann asks her brother in the evening: who was it that ate the cake I baked for you?") == nil)
        #expect(match("") == nil)
    }

    @Test("what is found is what a search of all pairs finds")
    func againstAllPairs() {
        var corpus = Corpus(seed: 8)
        let questions = (0..<150).map { _ in corpus.text(corpus.random.integer(8...60)) }
        var index = Decontamination()
        for (number, question) in questions.enumerated() {
            index.insert(NormalizedText(question.joined(separator: " ")), id: "\(number)")
        }
        let questionRuns = questions.map(Self.runs)
        var hits = 0
        for number in 0..<600 {
            let question = questions[number % questions.count]
            let from = corpus.random.integer(0...question.count / 3)
            let upTo = corpus.random.integer(question.count / 2...question.count)
            let quote = corpus.changed(Array(question[from..<max(from + 1, upTo)]), words: number % 3)
            let text = corpus.text(corpus.random.integer(0...20)) + quote + corpus.text(corpus.random.integer(0...20))
            let runs = Set(Self.runs(of: text))
            let expected = questions.indices.map {
                text == questions[$0] || naiveIsContaminated(runs, by: questions[$0], questionRuns[$0])
            }
            let found = index.match(of: NormalizedText(text.joined(separator: " ")))
            #expect((found != nil) == expected.contains(true))
            if let found { #expect(Int(found.id).map { expected[$0] } == true) }
            hits += found == nil ? 0 : 1
        }
        #expect(hits > 50 && hits < 550, "\(hits)")
    }

    /// The thirteen words from each place on.
    private static func runs(of text: [String]) -> [String] {
        text.count < 13 ? [] : (0...text.count - 13).map { text[$0..<$0 + 13].joined(separator: " ") }
    }

    /// The definition, by the words themselves.
    private func naiveIsContaminated(_ runs: Set<String>, by question: [String], _ questionRuns: [String]) -> Bool {
        var shared: Set<Int> = []
        for (start, run) in questionRuns.enumerated() where runs.contains(run) { shared.formUnion(start..<start + 13) }
        let numbers = question.indices.filter { question[$0].allSatisfy(\.isNumber) }
        return !shared.isEmpty && Double(shared.count) >= 0.7 * Double(question.count)
            && Double(numbers.count { shared.contains($0) }) >= 0.7 * Double(numbers.count)
    }

    @Test("runs that most questions share lead to none of them and hide none")
    func boilerplate() {
        let preamble = "the statements are logically consistent within each of the paragraphs that follow here below "
        var corpus = Corpus(seed: 10)
        var index = Decontamination(rule: .strict)
        let questions = (0..<150).map { _ in preamble + corpus.text(20).joined(separator: " ") }
        for (number, question) in questions.enumerated() { index.insert(NormalizedText(question), id: "\(number)") }
        #expect(index.match(of: NormalizedText(preamble + corpus.text(20).joined(separator: " "))) == nil)
        #expect(index.match(of: NormalizedText("Look: " + questions[140]))?.id == "140")
    }
}

@Suite("Duplicates in GSM8K", .external)
struct ExternalDuplicateTests {
    @Test("few of the training questions are duplicates, none stands in the test set, and it takes seconds")
    func gsm8k() throws {
        func problems(_ file: String) throws -> [Problem] {
            try TestData.lines(TestData.external("gsm8k/\(file)")).map { try GSM8K.parse(line: $0) }
        }
        let training = try problems("train.jsonl")
        let test = try problems("test_a.jsonl")
        var index = DuplicateIndex()
        var matches: [(Problem, DuplicateIndex.Match)] = []
        var evaluation = Decontamination()
        var strict = Decontamination(rule: .strict)
        var contaminated = 0
        var shared = 0
        let time = processorTime {
            for problem in test {
                evaluation.insert(NormalizedText(problem.question), id: problem.id)
                strict.insert(NormalizedText(problem.question), id: problem.id)
            }
            for problem in training {
                let print = fingerprint(problem.question, problem.answer)
                if let match = index.insert(print, id: problem.id) { matches.append((problem, match)) }
                if evaluation.match(of: print.text) != nil { contaminated += 1 }
                if strict.match(of: print.text) != nil { shared += 1 }
            }
        }
        #expect(matches.count == 1 && contaminated == 0 && shared == 3, "\(matches.map(\.1))")
        #expect(time < .seconds(5), "\(time)")
    }
}
