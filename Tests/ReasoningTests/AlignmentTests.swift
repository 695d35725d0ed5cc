import DataSupport
import Foundation
import PracticeDomain
import Schemas
import Testing

@testable import Reasoning

/// A tie rule by the whole table.
///
/// The authors': strip the common prefix, walk back with delete, insert, diagonal. The
/// canonical one: strip the common suffix as well, walk back with diagonal, delete, insert.
private func plainScript(_ first: [Int32], _ second: [Int32], diagonalFirst: Bool = false) -> [EditScript.Operation] {
    var prefix = 0
    while prefix < min(first.count, second.count), first[prefix] == second[prefix] { prefix += 1 }
    var suffix = 0
    while diagonalFirst, suffix < min(first.count, second.count) - prefix,
        first[first.count - 1 - suffix] == second[second.count - 1 - suffix]
    {
        suffix += 1
    }
    let a = Array(first[prefix..<(first.count - suffix)])
    let b = Array(second[prefix..<(second.count - suffix)])
    var table = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
    for i in 0...a.count { table[i][0] = i }
    for j in 0...b.count { table[0][j] = j }
    for i in a.indices {
        for j in b.indices {
            let diagonal = table[i][j] + (a[i] == b[j] ? 0 : 1)
            table[i + 1][j + 1] = min(table[i][j + 1] + 1, table[i + 1][j] + 1, diagonal)
        }
    }
    var script: [EditScript.Operation] = (0..<suffix).map {
        .init(kind: .match, first: first.count - 1 - $0, second: second.count - 1 - $0)
    }
    var i = a.count
    var j = b.count
    while i > 0 || j > 0 {
        let isDiagonal =
            i > 0 && j > 0 && table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1) == table[i][j]
        if diagonalFirst, isDiagonal {
            i -= 1
            j -= 1
            script.append(.init(kind: a[i] == b[j] ? .match : .replace, first: i + prefix, second: j + prefix))
        } else if i > 0, table[i - 1][j] + 1 == table[i][j] {
            i -= 1
            script.append(.init(kind: .delete, first: i + prefix, second: j + prefix))
        } else if j > 0, table[i][j - 1] + 1 == table[i][j] {
            j -= 1
            script.append(.init(kind: .insert, first: i + prefix, second: j + prefix))
        } else {
            i -= 1
            j -= 1
            script.append(.init(kind: a[i] == b[j] ? .match : .replace, first: i + prefix, second: j + prefix))
        }
    }
    return (0..<prefix).map { .init(kind: .match, first: $0, second: $0) } + script.reversed()
}

/// A pair with the plain table's answers beside it.
private struct Expected {
    let right: [Int32]
    let wrong: [Int32]

    /// What ``KeyStepAlignment`` says otherwise than the plain table; nil where nothing.
    func difference() -> String? {
        let alignment = KeyStepAlignment.align(right: right, wrong: wrong)
        let forward = plainScript(right, wrong)
        let backward = plainScript(wrong, right)
        guard alignment.operations == forward.map(inverted) else { return "operations" }
        guard alignment.distance == forward.count(where: { $0.kind != .match }) else { return "distance" }
        let rightKinds = forward.filter { $0.kind != .insert }.map { $0.kind == .delete ? .insert : $0.kind }
        guard alignment.rightKinds == rightKinds else { return "kinds of the right chain" }
        let wrongKinds = backward.filter { $0.kind != .insert }.map(\.kind)
        guard alignment.wrongKinds == wrongKinds else { return "kinds of the wrong chain" }

        guard EditScript.diagonalFirst(right, wrong) == plainScript(right, wrong, diagonalFirst: true) else {
            return "canonical script"
        }
        let canonical = KeyStepAlignment.align(right: right, wrong: wrong, tieRule: .canonical)
        let swapped = KeyStepAlignment.align(right: wrong, wrong: right, tieRule: .canonical)
        guard canonical.distance == alignment.distance else { return "canonical distance" }
        guard canonical.rightKeys == swapped.wrongKeys, canonical.wrongKeys == swapped.rightKeys else {
            return "symmetry"
        }
        return nil
    }

    /// Pairs of chains, one JSON object a line.
    static func read(_ file: URL) throws -> [Self] {
        struct Pair: Decodable {
            let right: String
            let wrong: String
        }
        return try TestData.lines(file).map { line in
            let pair = try JSONDecoder().decode(Pair.self, from: Data(line.utf8))
            return Self(right: WordTokens.tokens(of: pair.right).ids, wrong: WordTokens.tokens(of: pair.wrong).ids)
        }
    }

    private func inverted(_ operation: EditScript.Operation) -> EditOperation {
        let kind: EditKind =
            operation.kind == .insert ? .delete : operation.kind == .delete ? .insert : operation.kind
        return EditOperation(kind: kind, right: operation.first, wrong: operation.second)
    }
}

@Suite("Key-step alignment")
struct AlignmentTests {
    private func random(_ count: Int, _ letters: Int, _ random: inout ReasoningRandom) -> [Int32] {
        (0..<count).map { _ in Int32(random.integer(0...(letters - 1))) }
    }

    private func edited(_ tokens: [Int32], _ edits: Int, _ letters: Int, _ random: inout ReasoningRandom) -> [Int32] {
        var tokens = tokens
        for _ in 0..<edits where !tokens.isEmpty {
            let place = random.integer(0...(tokens.count - 1))
            switch random.integer(0...2) {
            case 0: tokens[place] = Int32(random.integer(0...letters))
            case 1: tokens.remove(at: place)
            default: tokens.insert(Int32(random.integer(0...letters)), at: place)
            }
        }
        return tokens
    }

    @Test("the operations of both runs are those of the whole table, on random and on similar pairs")
    func property() {
        var source = ReasoningRandom(seed: 11)
        for round in 0..<1_200 {
            let letters = source.integer(1...8)
            let right = random(source.integer(0...90), letters, &source)
            let wrong =
                round % 2 == 0
                ? random(source.integer(0...90), letters, &source)
                : edited(right, source.integer(0...10), letters, &source)
            #expect(Expected(right: right, wrong: wrong).difference() == nil)
        }
    }

    @Test("so are they where the table is filled in bands, and where a first band is too narrow")
    func bands() {
        var source = ReasoningRandom(seed: 12)
        for round in 0..<60 {
            let letters = [2, 5, 40, 900][round % 4]
            let right = random(source.integer(257...700), letters, &source)
            let wrong =
                round % 3 == 0
                ? random(source.integer(1...700), letters, &source)
                : edited(right, [3, 40, 200][round / 3 % 3], letters, &source)
            #expect(Expected(right: right, wrong: wrong).difference() == nil)
            #expect(Expected(right: wrong, wrong: right).difference() == nil)
        }
    }

    @Test("a delete may be chosen inside the common suffix, which is therefore not stripped")
    func suffix() {
        let alignment = KeyStepAlignment.align(right: [1, 2, 3, 3], wrong: [1, 4, 3])
        #expect(Expected(right: [1, 2, 3, 3], wrong: [1, 4, 3]).difference() == nil)
        #expect(alignment.rightKinds.last == .insert)
    }

    @Test("lengths around the 64 cells of a word")
    func lengthsAroundAWord() {
        var source = ReasoningRandom(seed: 13)
        for count in [1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 319, 320, 321] {
            for letters in [4, 500] {
                let right = random(count, letters, &source)
                #expect(Expected(right: right, wrong: edited(right, 5, letters, &source)).difference() == nil)
                #expect(Expected(right: right, wrong: []).difference() == nil)
                #expect(Expected(right: right, wrong: right).difference() == nil)
            }
        }
    }

    @Test("similar pairs of 4,096 tokens cost a band, not the whole table")
    func long() {
        var source = ReasoningRandom(seed: 5)
        let right = random(4_096, 500, &source)
        var wrong = right
        // The first token too, so that no prefix is stripped.
        wrong[0] = -1
        for _ in 0..<19 { wrong[source.integer(1...4_095)] = -1 }
        right.withUnsafeBufferPointer { first in
            wrong.withUnsafeBufferPointer { second in
                let table = EditTable(first, second, kept: .stepsFromLeft)
                let (distance, words) = (table.distance, table.filledWords)
                #expect((2...20).contains(distance))
                // Of 64 words a column.
                #expect(words <= 3 * 4_096)
            }
        }
    }

    @Test("words are runs of letters, digits and marks stand alone, and each has the same number everywhere")
    func words() {
        let tokens = WordTokens.tokens(of: "Añ 77\nAñ")
        #expect(tokens.ranges == [0..<3, 4..<5, 5..<6, 6..<7, 7..<10])
        #expect(WordTokens.ranges(of: "Añ 77\nAñ") == tokens.ranges)
        // By another implementation of the hash: events hold what depends on them.
        #expect(tokens.ids == [795_818_130, 1_965_795_223, 1_965_795_223, 1_956_308_326, 795_818_130])
        #expect(WordTokens.tokens(of: "").ids.isEmpty)
    }

    @Test("weights carry EDIT's signs, spans and steps follow the key tokens")
    func weights() {
        let right = "Tom has 3+4=7 pens.\nAnn has 7*2=14 pens."
        let wrong = "Tom has 3+4=8 pens.\nAnn has 8*2=16 pens."
        let alignment = KeyStepAlignment.align(
            right: WordTokens.tokens(of: right).ids,
            wrong: WordTokens.tokens(of: wrong).ids
        )
        #expect(alignment.distance == 3)
        let weights = alignment.keyTokenWeights()
        #expect(weights.right.reduce(0, +) == 3)
        #expect(weights.wrong.allSatisfy { $0 == 0 || $0 == -0.025 })
        let steps = StepMap.stepOfTokens(WordTokens.ranges(of: right), steps: StepMap.steps(of: right))
        let spans = alignment.rightSpans(steps: steps)
        #expect(spans.map(\.step) == [0, 1, 1])
        #expect(spans.allSatisfy { $0.kind == .replace })
    }

    @Test("dual chains that people write, empty and equal ones among them, align as the plain table says")
    func written() throws {
        let pairs = try Expected.read(TestData.own("dual_chains.jsonl"))
        #expect(pairs.count == 16)
        for pair in pairs { #expect(pair.difference() == nil) }
    }

    @Test("1,000 generated pairs align as the plain table says")
    func generated() throws {
        let teacher = SimulatedTeacher(seed: 5)
        let problems = try ProblemGenerator(seed: 5).generate(count: 1_000, split: .train)
        var distances = 0
        for problem in problems {
            let right = (problem.solution ?? "") + "\nThe answer is \(problem.answer)."
            let request = TeacherRequest.corrupt(question: problem.question, chain: right)
            let wrong = teacher.reply(
                to: try request.messages(),
                temperature: 0.2,
                sampleSeed: 1
            )
            let pair = Expected(right: WordTokens.tokens(of: right).ids, wrong: WordTokens.tokens(of: wrong).ids)
            #expect(pair.difference() == nil)
            distances += KeyStepAlignment.align(right: pair.right, wrong: pair.wrong).distance
        }
        // Every chain was corrupted somewhere.
        #expect(distances >= 1_000)
    }
}

@Suite("Key-step alignment of others' dual chains", .external)
struct ExternalAlignmentTests {
    @Test("they align as the plain table says")
    func published() throws {
        let pairs = try Expected.read(TestData.external("dual_cots/cascod_ccp_81.jsonl"))
        #expect(pairs.count == 41)
        for pair in pairs { #expect(pair.difference() == nil) }
    }
}

@Suite("Statistics")
struct StatisticsTests {
    @Test("Wilson's interval has its known values")
    func wilson() {
        let interval = WilsonInterval(successes: 8, trials: 10)
        #expect(abs(interval.low - 0.4902) < 1e-3 && abs(interval.high - 0.9433) < 1e-3)
        #expect(WilsonInterval(successes: 0, trials: 0).high == 1)
        // At the ends the bound is the end itself, at every size.
        for trials in 1...500 {
            let none = WilsonInterval(successes: 0, trials: trials)
            let all = WilsonInterval(successes: trials, trials: trials)
            #expect(none.low == 0 && all.high == 1)
            #expect(abs(none.high - (1 - all.low)) < 1e-12)
        }
        #expect(abs(WilsonInterval(successes: 0, trials: 10).high - 0.2775) < 1e-4)
    }

    @Test("McNemar's exact p has its known values")
    func mcNemar() {
        #expect(abs(ExactMcNemar.pValue(onlyFirst: 1, onlySecond: 9) - 22.0 / 1_024) < 1e-9)
        #expect(ExactMcNemar.pValue(onlyFirst: 0, onlySecond: 0) == 1)
        #expect(ExactMcNemar.pValue(onlyFirst: 5, onlySecond: 5) == 1)
    }
}
