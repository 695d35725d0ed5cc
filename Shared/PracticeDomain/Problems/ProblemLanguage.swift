import Reasoning

/// One quantity of a story: what is counted, whose it is.
package struct Quantity: Hashable, Sendable {
    package var kind: String
    package var who: String
    /// The counted thing where the kind counts things, else empty.
    package var object: String

    package init(kind: String, who: String, object: String) {
        self.kind = kind
        self.who = who
        self.object = object
    }
}

/// What a sentence of a story says.
package enum Relation: Hashable, Sendable {
    /// The quantity is the number.
    case given(Quantity, Int)
    /// first = second + number
    case more(Quantity, Quantity, Int)
    /// first = second × number
    case times(Quantity, Quantity, Int)
    /// first + second = number
    case together(Quantity, Quantity, Int)
    /// Nothing of use.
    case noise
}

/// What a question asks for.
package enum ProblemTarget: Hashable, Sendable {
    case value(Quantity)
    case together(Quantity, Quantity)
    /// first − second
    case difference(Quantity, Quantity)
}

/// One calculation of a worked solution.
package struct DerivationStep: Hashable, Sendable {
    package var subject: ProblemTarget
    package var left: Int
    package var operation: Character
    package var right: Int
    package var value: Int
    /// Whether it uses a law of the world, which the story leaves unsaid.
    package var isByLaw = false
}

/// What the pattern of a sentence means; `{P}` and `{Q}` are names, `{n}` a number, `{o}` things.
package enum SentenceMeaning: Hashable, Sendable {
    case given
    /// P = Q + n
    case more
    /// P = Q × n, where the sentence says the number
    case times
    /// P = Q × k, where the wording says it
    case timesFixed(Int)
    case together
    case askValue
    case askTogether
    /// P − Q
    case askDifference
    case noise
}

/// A wording and what it means.
package struct SentencePattern: Sendable {
    package var text: String
    package var meaning: SentenceMeaning
    package var words: [String]

    package init(_ text: String, _ meaning: SentenceMeaning) {
        self.text = text
        self.meaning = meaning
        words = SentencePattern.words(of: text)
    }

    /// The words of a sentence without its punctuation.
    package static func words(of sentence: String) -> [String] {
        sentence.split(whereSeparator: { $0 == " " || $0 == "\n" || $0 == "\t" || $0 == "\r" }).map { word in
            String(word.filter { !",.?!;".contains($0) })
        }.filter { !$0.isEmpty }
    }
}

/// One kind of quantity of a family with its wordings.
package struct QuantityKind: Sendable {
    package var name: String
    /// Usual values where the text gives them.
    package var range: ClosedRange<Int>
    package var countsThings: Bool
    package var patterns: [SentencePattern]
    /// How a worked step states the quantity, the sum and the difference; `{c}` is the calculation.
    package var stateValue: String
    package var stateTogether: String
    package var stateDifference: String

    /// A kind with regular wordings: `Tom saves 5 dollars each week`.
    package init(
        _ name: String,
        _ third: String,
        _ plain: String,
        _ unit: String,
        _ tail: String,
        _ range: ClosedRange<Int>
    ) {
        let end = tail.isEmpty ? "" : " " + tail
        let thing = unit + end
        self.name = name
        self.range = range
        countsThings = unit == "{o}"
        stateValue = "{P} \(third) {c} \(thing)."
        stateTogether = "{P} and {Q} \(plain) {c} \(thing) together."
        stateDifference = "{P} \(third) {c} more \(thing) than {Q}."
        var patterns = [
            SentencePattern("{P} \(third) {n} \(thing).", .given),
            SentencePattern("{P} \(third) exactly {n} \(thing).", .given),
            SentencePattern("{P} \(third) {n} more \(thing) than {Q}.", .more),
            SentencePattern("{Q} \(third) {n} fewer \(thing) than {P}.", .more),
            SentencePattern("Compared with {Q}, {P} \(third) {n} more \(thing).", .more),
            SentencePattern("Compared with {P}, {Q} \(third) {n} fewer \(thing).", .more),
            SentencePattern("With {n} more \(thing), {Q} would \(plain) as many as {P}.", .more),
            SentencePattern("With {n} fewer \(thing), {P} would \(plain) as many as {Q}.", .more),
            SentencePattern("{P} \(third) {n} times as many \(thing) as {Q}.", .times),
            SentencePattern("Compared with {Q}, {P} \(third) {n} times as many \(thing).", .times),
            SentencePattern("{P} \(third) twice as many \(thing) as {Q}.", .timesFixed(2)),
            SentencePattern("{P} and {Q} \(plain) {n} \(thing) together.", .together),
            SentencePattern("Together, {P} and {Q} \(plain) {n} \(thing).", .together),
            SentencePattern("How many \(unit) does {P} \(plain)\(end)?", .askValue),
            SentencePattern("What number of \(unit) does {P} \(plain)\(end)?", .askValue),
            SentencePattern("How many \(unit) do {P} and {Q} \(plain)\(end) together?", .askTogether),
            SentencePattern("How many more \(unit) does {P} \(plain)\(end) than {Q}?", .askDifference),
            SentencePattern("How many fewer \(unit) does {Q} \(plain)\(end) than {P}?", .askDifference),
        ]
        for (factor, word) in [(2, "half"), (3, "a third"), (4, "a quarter"), (5, "a fifth")] {
            patterns.append(.init("{Q} \(third) \(word) as many \(thing) as {P}.", .timesFixed(factor)))
            patterns.append(.init("Compared with {P}, {Q} \(third) \(word) as many \(thing).", .timesFixed(factor)))
        }
        self.patterns = patterns
    }

    /// A kind with wordings of its own.
    package init(
        name: String,
        range: ClosedRange<Int>,
        patterns: [SentencePattern],
        stateValue: String,
        stateTogether: String,
        stateDifference: String
    ) {
        self.name = name
        self.range = range
        countsThings = false
        self.patterns = patterns
        self.stateValue = stateValue
        self.stateTogether = stateTogether
        self.stateDifference = stateDifference
    }
}

/// What everybody knows about a family's world: total = left + right, or total = left × right, for one person.
package struct WorldLaw: Sendable {
    package var total: String
    package var operation: Character
    package var left: String
    package var right: String

    package init(_ total: String, _ left: String, _ operation: Character, _ right: String) {
        self.total = total
        self.left = left
        self.operation = operation
        self.right = right
    }
}

/// A world that stories are told of.
package struct StoryWorld: Sendable {
    package var family: ProblemFamily
    package var objects: [String]
    package var kinds: [QuantityKind]
    package var laws: [WorldLaw]
    package var noise: [SentencePattern]

    package func kind(_ name: String) -> QuantityKind? { kinds.first { $0.name == name } }

    /// A worked step as a sentence, with or without calculator marks.
    package func sentence(_ step: DerivationStep, marks: Bool) -> String {
        let expression = "\(step.left)\(step.operation)\(step.right)"
        let calculation = expression + "=" + (marks ? "<<\(expression)=\(step.value)>>" : "") + String(step.value)
        let first: Quantity
        var second: Quantity?
        let form: (QuantityKind) -> String
        switch step.subject {
        case .value(let quantity):
            first = quantity
            form = { $0.stateValue }
        case .together(let one, let other):
            first = one
            second = other
            form = { $0.stateTogether }
        case .difference(let one, let other):
            first = one
            second = other
            form = { $0.stateDifference }
        }
        guard let kind = kind(first.kind) else { return calculation }
        return StoryWorld.fill(form(kind), first.who, second?.who ?? "", calculation, first.object)
    }

    /// Puts names, number and things into a wording.
    package static func fill(_ text: String, _ p: String, _ q: String, _ number: String, _ object: String) -> String {
        text.split(separator: " ", omittingEmptySubsequences: false).map { word in
            guard word.first == "{", let close = word.firstIndex(of: "}") else { return String(word) }
            let end = word[word.index(after: close)...]
            switch word[...close] {
            case "{P}": return p + end
            case "{Q}": return q + end
            case "{n}", "{c}": return number + end
            case "{o}": return object + end
            default: return String(word)
            }
        }.joined(separator: " ")
    }
}
