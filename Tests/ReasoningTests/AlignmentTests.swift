import Foundation
import Testing

@testable import Reasoning

/// The authors' rule by the whole table: strip the common prefix, walk back with delete, insert, diagonal.
private func plainScript(_ first: [Int32], _ second: [Int32]) -> [BandedEditScript.Operation] {
    var prefix = 0
    while prefix < min(first.count, second.count), first[prefix] == second[prefix] { prefix += 1 }
    let a = Array(first[prefix...])
    let b = Array(second[prefix...])
    var table = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
    for i in 0...a.count { table[i][0] = i }
    for j in 0...b.count { table[0][j] = j }
    for i in a.indices {
        for j in b.indices {
            let diagonal = table[i][j] + (a[i] == b[j] ? 0 : 1)
            table[i + 1][j + 1] = min(table[i][j + 1] + 1, table[i + 1][j] + 1, diagonal)
        }
    }
    var script: [BandedEditScript.Operation] = []
    var i = a.count
    var j = b.count
    while i > 0 || j > 0 {
        if i > 0, table[i - 1][j] + 1 == table[i][j] {
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

@Suite("Key-step alignment")
struct AlignmentTests {
    private func random(_ count: Int, _ letters: Int, _ random: inout ReasoningRandom) -> [Int32] {
        (0..<count).map { _ in Int32(random.integer(0...(letters - 1))) }
    }

    @Test("the band gives the operations of the whole table on random and on similar pairs")
    func property() {
        var source = ReasoningRandom(seed: 11)
        for round in 0..<1_200 {
            let right = random(source.integer(0...60), source.integer(1...6), &source)
            var wrong = right
            if round % 2 == 0 {
                wrong = random(source.integer(0...60), 3, &source)
            } else {
                for _ in 0..<source.integer(0...8) where !wrong.isEmpty {
                    let place = source.integer(0...(wrong.count - 1))
                    switch source.integer(0...2) {
                    case 0: wrong[place] = Int32(source.integer(0...5))
                    case 1: wrong.remove(at: place)
                    default: wrong.insert(Int32(source.integer(0...5)), at: place)
                    }
                }
            }
            #expect(BandedEditScript.run(right, wrong, preference: .deleteFirst) == plainScript(right, wrong))
            let alignment = KeyStepAlignment.align(right: right, wrong: wrong)
            #expect(alignment.distance == plainScript(right, wrong).count { $0.kind != .match })
            let backward = plainScript(wrong, right)
            for operation in backward where operation.kind != .insert {
                #expect(alignment.wrongKeys[operation.first] == (operation.kind != .match))
            }
            let canonical = KeyStepAlignment.align(right: right, wrong: wrong, tieRule: .canonical)
            let swapped = KeyStepAlignment.align(right: wrong, wrong: right, tieRule: .canonical)
            #expect(canonical.distance == alignment.distance)
            #expect(canonical.rightKeys == swapped.wrongKeys && canonical.wrongKeys == swapped.rightKeys)
        }
    }

    @Test("a long distance widens the band until the result is exact")
    func wide() {
        var source = ReasoningRandom(seed: 4)
        let right = random(300, 40, &source)
        let wrong = random(170, 40, &source)
        #expect(BandedEditScript.run(right, wrong, preference: .deleteFirst) == plainScript(right, wrong))
    }

    @Test("similar pairs of 4,096 tokens are quick")
    func long() {
        var source = ReasoningRandom(seed: 5)
        let right = random(4_096, 500, &source)
        var wrong = right
        for _ in 0..<20 { wrong[source.integer(0...4_095)] = -1 }
        let clock = ContinuousClock()
        let time = clock.measure { #expect(KeyStepAlignment.align(right: right, wrong: wrong).distance <= 20) }
        #expect(time < .seconds(2))
    }

    @Test("weights carry EDIT's signs, spans and steps follow the key tokens")
    func weights() {
        let right = "Tom has 3+4=7 pens.\nAnn has 7*2=14 pens."
        let wrong = "Tom has 3+4=8 pens.\nAnn has 8*2=16 pens."
        let alignment = KeyStepAlignment.align(
            right: WordTokens.identifiers(of: right),
            wrong: WordTokens.identifiers(of: wrong)
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

    @Test("the real dual chains align as the plain table says")
    func real() throws {
        struct Pair: Decodable {
            let right: String
            let wrong: String
        }
        for line in try TestData.lines("dual_cots/cascod_ccp_81.jsonl").prefix(12) {
            let pair = try JSONDecoder().decode(Pair.self, from: Data(line.utf8))
            let right = WordTokens.identifiers(of: pair.right)
            let wrong = WordTokens.identifiers(of: pair.wrong)
            #expect(BandedEditScript.run(right, wrong, preference: .deleteFirst) == plainScript(right, wrong))
        }
    }
}

@Suite("Statistics")
struct StatisticsTests {
    @Test("Wilson's interval has its known values")
    func wilson() {
        let interval = WilsonInterval(successes: 8, trials: 10)
        #expect(abs(interval.low - 0.4902) < 1e-3 && abs(interval.high - 0.9433) < 1e-3)
        #expect(WilsonInterval(successes: 0, trials: 0).high == 1)
    }

    @Test("McNemar's exact p has its known values")
    func mcNemar() {
        #expect(abs(ExactMcNemar.pValue(onlyFirst: 1, onlySecond: 9) - 22.0 / 1_024) < 1e-9)
        #expect(ExactMcNemar.pValue(onlyFirst: 0, onlySecond: 0) == 1)
        #expect(ExactMcNemar.pValue(onlyFirst: 5, onlySecond: 5) == 1)
    }
}
