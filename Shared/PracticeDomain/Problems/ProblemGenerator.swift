public import Reasoning
public import Schemas

/// Seeded arithmetic word problems with worked solutions in GSM8K's layout.
///
/// A story tells facts about people, often by comparison ("12 fewer than", "half as many as", in either direction),
/// in shuffled order and with distractors; what everybody knows of its world (distance = speed × hours) is left
/// unsaid. The split of a problem is a hash of its content, so that splits share no problem, not even one with
/// other names.
public struct ProblemGenerator: Sendable {
    /// The families that are drawn from.
    public let families: [ProblemFamily]
    /// The number of dependent calculations.
    public let stepRange: ClosedRange<Int>
    /// How hard the problems are.
    public let difficulty: Difficulty
    private let seed: UInt64

    /// Makes a generator.
    ///
    /// - Parameters:
    ///   - seed: of the random choices.
    ///   - families: those of the difficulty when nil or empty.
    ///   - stepRange: that of the difficulty when nil; clamped to 1...8.
    ///   - difficulty: what the problems are like.
    public init(
        seed: UInt64,
        families: [ProblemFamily]? = nil,
        stepRange: ClosedRange<Int>? = nil,
        difficulty: Difficulty = .standard
    ) {
        self.seed = seed
        self.difficulty = difficulty
        let wanted = families ?? difficulty.families
        self.families = wanted.isEmpty ? ProblemFamily.standard : wanted
        self.stepRange = (stepRange ?? difficulty.stepRange).clamped(to: 1...8)
    }

    /// Distinct problems of a split, the same for the same arguments.
    ///
    /// - Throws: ``ReasoningError`` of code `exhausted` when the families cannot yield so many.
    public func generate(count: Int, split: ProblemSplit) throws -> [Problem] {
        var random = ReasoningRandom(seed: seed ^ StableHash.value(of: split.rawValue))
        var problems: [Problem] = []
        var seen: Set<UInt64> = []
        var attempts = 0
        while problems.count < count {
            attempts += 1
            guard attempts < 20_000 + 2_000 * count else {
                let names = families.map(\.rawValue).joined(separator: ", ")
                throw ReasoningError(
                    .exhausted,
                    "only \(problems.count) of \(count) distinct problems in \(names): ask for fewer or widen stepRange"
                )
            }
            // Families and lengths take turns, so that their shares are equal.
            let family = families[problems.count % families.count]
            let lengths = stepRange.count
            let steps = stepRange.lowerBound + (problems.count / families.count) % lengths
            var builder = StoryBuilder(world: StoryWorld.world(family), difficulty: difficulty, random: random)
            let story = builder.build(steps: steps)
            random = builder.random
            guard let story, ProblemSplit.of(content: story.content) == split,
                seen.insert(StableHash.value(of: story.content)).inserted
            else { continue }
            problems.append(story.problem)
        }
        return problems
    }
}

/// A finished story.
struct Story {
    var problem: Problem
    /// The question with names replaced by their order of appearance.
    var content: String
}

/// Grows one story backwards from what is asked.
struct StoryBuilder {
    let world: StoryWorld
    let difficulty: ProblemGenerator.Difficulty
    var random: ReasoningRandom
    private var facts: [Relation] = []
    /// What each comparison was told for.
    private var derived: [Relation: Quantity] = [:]
    private var determined: Set<Quantity> = []
    private var freshNames: [String] = []
    private var object = ""

    init(world: StoryWorld, difficulty: ProblemGenerator.Difficulty = .standard, random: ReasoningRandom) {
        self.world = world
        self.difficulty = difficulty
        self.random = random
    }

    mutating func build(steps: Int) -> Story? {
        facts = []
        derived = [:]
        determined = []
        freshNames = Array(StoryWorld.names.prefix(difficulty.names))
        random.shuffle(&freshNames)
        object = random.pick(Array(world.objects.prefix(difficulty.objects))) ?? ""
        guard let kind = random.pick(world.kinds), let who = freshNames.popLast() else { return nil }
        let main = quantity(kind, who)
        guard let target = target(main, kind, steps: steps) else { return nil }
        let system = StorySystem(world: world, facts: facts)
        guard let solution = system.solve(target), solution.steps.count == steps,
            solution.value >= 1, solution.steps.allSatisfy({ $0.value <= difficulty.largestResult })
        else { return nil }
        return tell(target, solution, kind)
    }

    private func quantity(_ kind: QuantityKind, _ who: String) -> Quantity {
        Quantity(kind: kind.name, who: who, object: kind.countsThings ? object : "")
    }

    private mutating func target(_ main: Quantity, _ kind: QuantityKind, steps: Int) -> ProblemTarget? {
        let form = random.integer(0...9)
        guard steps >= 2, form >= 10 - difficulty.pairQuestions, let who = freshNames.popLast() else {
            return determine(main, steps) == nil ? nil : .value(main)
        }
        let other = quantity(kind, who)
        let linked = form < 9
        let first: Int?
        let second: Int?
        if linked {
            first = determine(main, steps - 2)
            determined.insert(other)
            second = first.flatMap { compare(other, main, base: $0) }
        } else {
            let share = random.integer(0...(steps - 1))
            first = determine(main, share)
            second = first == nil ? nil : determine(other, steps - 1 - share)
        }
        guard let first, let second else { return nil }
        if form == 5 || form == 6, first != second {
            return first > second ? .difference(main, other) : .difference(other, main)
        }
        return random.chance(0.5) ? .together(main, other) : .together(other, main)
    }

    /// Adds facts from which the quantity follows in exactly so many calculations; returns its value.
    private mutating func determine(_ quantity: Quantity, _ steps: Int) -> Int? {
        determined.insert(quantity)
        guard let kind = world.kind(quantity.kind) else { return nil }
        guard steps > 0 else {
            let value = random.integer(difficulty.range(of: kind))
            facts.append(.given(quantity, value))
            return value
        }
        let laws = world.laws.filter { law in
            guard [law.total, law.left, law.right].contains(quantity.kind) else { return false }
            guard difficulty.inversions || law.operation == "+" || law.total == quantity.kind else { return false }
            return [law.total, law.left, law.right].filter { $0 != quantity.kind }.allSatisfy {
                sibling(quantity, $0).map { !determined.contains($0) } ?? false
            }
        }
        if random.chance(0.55), let law = random.pick(laws) {
            return applyLaw(law, quantity, steps)
        }
        guard let who = freshNames.popLast() else { return nil }
        let other = self.quantity(kind, who)
        guard let base = determine(other, steps - 1) else { return nil }
        return compare(quantity, other, base: base)
    }

    /// Relates a new quantity to a known one; returns the new one's value.
    private mutating func compare(_ quantity: Quantity, _ other: Quantity, base: Int) -> Int? {
        switch random.integer(0...9) {
        case 0...2:
            let number = random.integer(2...max(3, min(base, difficulty.largestDifference)))
            relate(quantity, by: .more(quantity, other, number))
            return base + number
        case 3...5:
            guard base > 3 else { return nil }
            let number = random.integer(2...max(2, min(base - 1, difficulty.largestDecrease)))
            relate(quantity, by: .more(other, quantity, number))
            return base - number
        case 6...7:
            let number = random.integer(2...max(2, min(base > 100 ? 3 : 6, difficulty.largestFactor)))
            relate(quantity, by: .times(quantity, other, number))
            return base * number
        case 8:
            let divisors = (2...9).filter { base % $0 == 0 && base / $0 > 1 }
            guard let number = random.pick(divisors) else { return nil }
            relate(quantity, by: .times(other, quantity, number))
            return base / number
        default:
            guard difficulty.inversions else { return nil }
            let value = random.integer(2...max(3, min(base * 2, 300)))
            relate(
                quantity,
                by: random.chance(0.5)
                    ? .together(quantity, other, base + value) : .together(other, quantity, base + value)
            )
            return value
        }
    }

    private mutating func relate(_ quantity: Quantity, by fact: Relation) {
        facts.append(fact)
        derived[fact] = quantity
    }

    private func sibling(_ quantity: Quantity, _ kind: String) -> Quantity? {
        world.kind(kind).map { self.quantity($0, quantity.who) }
    }

    private mutating func applyLaw(_ law: WorldLaw, _ quantity: Quantity, _ steps: Int) -> Int? {
        let names = [law.total, law.left, law.right].filter { $0 != quantity.kind }
        guard let one = sibling(quantity, names[0]), let other = sibling(quantity, names[1]) else { return nil }
        determined.insert(one)
        determined.insert(other)
        let share = random.integer(0...(steps - 1))
        let isTotal = quantity.kind == law.total
        guard !isTotal else {
            guard let left = determine(one, share), let right = determine(other, steps - 1 - share) else { return nil }
            return law.operation == "+" ? left + right : left * right
        }
        // Here `one` is the total and `other` the second part.
        if steps - 1 - share == 0 {
            guard let total = determine(one, share), let otherKind = world.kind(other.kind), total > 3 else {
                return nil
            }
            let part: Int
            if law.operation == "+" {
                part = random.integer(2...(total - 1))
            } else {
                let divisors = (2...max(2, otherKind.range.upperBound)).filter { total % $0 == 0 && total / $0 > 1 }
                guard let divisor = random.pick(divisors) else { return nil }
                part = divisor
            }
            guard part <= max(999, otherKind.range.upperBound) else { return nil }
            facts.append(.given(other, part))
            return law.operation == "+" ? total - part : total / part
        }
        guard share == 0, let part = determine(other, steps - 1), let kind = world.kind(quantity.kind) else {
            return nil
        }
        let value = random.integer(difficulty.range(of: kind))
        let total = law.operation == "+" ? part + value : part * value
        guard total <= difficulty.largestNumber else { return nil }
        facts.append(.given(one, total))
        return value
    }

    // MARK: Telling

    private mutating func tell(
        _ target: ProblemTarget,
        _ solution: StorySystem.Solution,
        _ kind: QuantityKind
    ) -> Story? {
        var sentences: [String] = []
        for fact in facts {
            guard largest(fact) <= difficulty.largestNumber, let sentence = say(fact) else { return nil }
            sentences.append(sentence)
        }
        sentences += distractors(kind)
        if random.chance(difficulty.shuffled) { random.shuffle(&sentences) }
        guard let question = ask(target, kind) else { return nil }
        let text = (sentences + [question]).joined(separator: " ")
        let lines = solution.steps.map { world.sentence($0, marks: true) }
        let problem = Problem(
            question: text,
            solution: lines.joined(separator: "\n"),
            answer: String(solution.value),
            family: world.family.rawValue,
            steps: solution.steps.count
        )
        return Story(problem: problem, content: StoryBuilder.anonymous(text))
    }

    private func largest(_ fact: Relation) -> Int {
        switch fact {
        case .given(_, let number), .more(_, _, let number), .times(_, _, let number), .together(_, _, let number):
            number
        case .noise: 0
        }
    }

    private mutating func say(_ fact: Relation) -> String? {
        let meanings: [SentenceMeaning]
        let first: Quantity
        var second = ""
        let number: Int
        switch fact {
        case .given(let quantity, let value):
            (first, number, meanings) = (quantity, value, [.given])
        case .more(let quantity, let other, let value):
            (first, second, number, meanings) = (quantity, other.who, value, [.more])
        case .times(let quantity, let other, let value):
            (first, second, number, meanings) = (quantity, other.who, value, [.times, .timesFixed(value)])
        case .together(let quantity, let other, let value):
            (first, second, number, meanings) = (quantity, other.who, value, [.together])
        case .noise: return nil
        }
        var patterns = world.kind(first.kind)?.patterns.filter { meanings.contains($0.meaning) } ?? []
        if !difficulty.inversions, let sought = derived[fact] {
            let beginning = sought == first ? "{P} " : "{Q} "
            patterns.removeAll { !$0.text.hasPrefix(beginning) }
        }
        guard let pattern = random.pick(Array(patterns.prefix(difficulty.wordings))) else { return nil }
        return StoryWorld.fill(pattern.text, first.who, second, String(number), first.object)
    }

    private mutating func ask(_ target: ProblemTarget, _ kind: QuantityKind) -> String? {
        let meaning: SentenceMeaning
        let first: Quantity
        var second = ""
        switch target {
        case .value(let quantity): (first, meaning) = (quantity, .askValue)
        case .together(let one, let other): (first, second, meaning) = (one, other.who, .askTogether)
        case .difference(let one, let other): (first, second, meaning) = (one, other.who, .askDifference)
        }
        let wordings = Array(kind.patterns.filter { $0.meaning == meaning }.prefix(difficulty.wordings))
        guard let pattern = random.pick(wordings) else { return nil }
        return StoryWorld.fill(pattern.text, first.who, second, "", first.object)
    }

    /// Sentences that do not matter: side facts, and comparisons of somebody who is not asked about.
    private mutating func distractors(_ kind: QuantityKind) -> [String] {
        var sentences: [String] = []
        let people = Array(determined).map(\.who).sorted()
        if random.chance(difficulty.distractors), let who = random.pick(people), let pattern = random.pick(world.noise)
        {
            sentences.append(StoryWorld.fill(pattern.text, who, "", String(random.integer(3...40)), ""))
        }
        if random.chance(difficulty.distractors), let stranger = freshNames.popLast() {
            let candidates = determined.sorted { ($0.who, $0.kind) < ($1.who, $1.kind) }
            guard let known = random.pick(candidates), let kind = world.kind(known.kind) else { return sentences }
            let other = quantity(kind, stranger)
            let number = random.integer(2...60)
            let fact: Relation
            switch random.integer(0...2) {
            case 0: fact = .given(other, random.integer(difficulty.range(of: kind)))
            case 1: fact = .more(other, known, number)
            default: fact = .times(other, known, random.integer(2...5))
            }
            if let sentence = say(fact) { sentences.append(sentence) }
        }
        return sentences
    }

    /// The text with each name replaced by the order of its first appearance.
    static func anonymous(_ text: String) -> String {
        var order: [String: Int] = [:]
        let names = Set(StoryWorld.names)
        return SentencePattern.words(of: text).map { word in
            guard names.contains(word) else { return word }
            let index = order[word] ?? order.count
            order[word] = index
            return "#\(index)"
        }.joined(separator: " ")
    }
}
