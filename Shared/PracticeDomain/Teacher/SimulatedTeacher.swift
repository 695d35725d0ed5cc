public import Reasoning

/// A deterministic teacher: it recognises the project's prompts by their `Task:` line and answers from their text.
public struct SimulatedTeacher: Sendable {
    /// The share of chains of thought with a slip at temperature 1; at temperature 0 there is none.
    public var errorRate: Double
    /// The kinds of its slips, in wrong chains and in corrupted ones.
    public var slips: SlipMix
    /// The share of sums and products in right chains whose operands change places, at temperature 1; by default none
    /// do, so that a right chain is always told in the same way.
    public var rewording: Double
    private let seed: UInt64

    /// Makes a teacher.
    public init(seed: UInt64, errorRate: Double = 0.5, slips: SlipMix = SlipMix(), rewording: Double = 0) {
        self.seed = seed
        self.errorRate = errorRate
        self.slips = slips
        self.rewording = rewording
    }

    /// The reply to a chat; the same for the same arguments.
    public func reply(
        to messages: [PromptMessage],
        temperature: Double,
        sampleSeed: UInt64
    ) -> String {
        let text = messages.map(\.content).joined(separator: "\n")
        let hash = StableHash.value(of: text) ^ (temperature > 0 ? sampleSeed &* 0x9e37_79b9_7f4a_7c15 : 0)
        var random = ReasoningRandom(seed: seed ^ hash)
        let request = RequestText(messages.last { $0.role == "user" }?.content ?? text)
        switch RequestText.task(text) {
        case .chainOfThought?:
            return chain(request.problem, temperature: temperature, &random).text
        case .hierarchicalThought?:
            let chain = chain(request.problem, temperature: temperature, &random)
            return TemplateWriter.template(lines: chain.lines, answer: chain.answer).xml
        case .templateExtraction?:
            let solution = WorkedSolution.parse(request.reference)
            return TemplateWriter.template(
                lines: solution.steps.map(\.text),
                answer: solution.answer ?? ""
            ).xml
        case .inspectTemplate?: return Inspector.template(request).xml
        case .inspectCorrection?: return Inspector.correction(request).xml
        case .corrupt?: return corrupt(request, &random)
        case .rectify?: return rectify(request)
        case .classifyMistake?:
            return MistakeClassifier.classify(question: request.problem, right: request.chain, wrong: request.wrong).xml
        case .groundedCorrection?:
            return Corrector.trace(question: request.problem, reference: request.reference, attempt: request.attempt)
                .quoted
        case .correction?:
            let own = solve(request.problem)
            let reference = own.lines.joined(separator: "\n") + "\n#### " + own.answer
            return Corrector.trace(question: request.problem, reference: reference, attempt: request.attempt).xml
        case .studentChain?, nil:
            return chain(messages.last?.content ?? "", temperature: temperature, &random).text
        }
    }

    struct Chain {
        var lines: [String]
        var answer: String
        var text: String { (lines + ["The answer is \(answer)."]).joined(separator: "\n") }
    }

    private func chain(_ question: String, temperature: Double, _ random: inout ReasoningRandom) -> Chain {
        let right = solve(question)
        guard temperature > 0, random.chance(min(1, errorRate * temperature)),
            let slip = slip(question, right.lines, answer: right.answer, &random)
        else {
            guard rewording * temperature > 0 else { return right }
            let chance = min(1, rewording * temperature)
            return Chain(lines: Rewording.swapped(right.lines, chance: chance, &random), answer: right.answer)
        }
        return Chain(lines: slip.lines, answer: slip.answer)
    }

    /// A story of the built-in domain is solved; for anything else the question's numbers are put together.
    private func solve(_ question: String) -> Chain {
        if let reading = StoryReader.read(question) {
            let lines = reading.solution.steps.map { reading.system.world.sentence($0, marks: false) }
            return Chain(lines: lines, answer: String(reading.solution.value))
        }
        let numbers = AnswerExtraction.numbers(in: question).compactMap { Rational(decimal: $0) }.prefix(4)
        let lower = question.lowercased()
        let sign =
            ["each", "every", "per ", "times"].contains(where: lower.contains)
            ? "*" : lower.contains("left") ? "-" : "+"
        guard var value = numbers.first else { return Chain(lines: ["There is no number to work with."], answer: "0") }
        var lines: [String] = []
        for (index, number) in numbers.dropFirst().enumerated() {
            let step = index == 0 ? sign : "+"
            guard let next = NumberSearch.apply(value, step, number) else { continue }
            lines.append("\(value) \(step) \(number) = \(next).")
            value = next
        }
        if lines.isEmpty { lines = ["The only number is \(value)."] }
        return Chain(lines: lines, answer: value.rounded)
    }

    private func corrupt(_ request: RequestText, _ random: inout ReasoningRandom) -> String {
        let solution = WorkedSolution.parse(request.chain)
        let lines = solution.steps.map(\.text)
        guard let answer = solution.answer,
            let slip = slip(request.problem, lines, answer: answer, &random)
        else { return (lines + ["The answer is \(solution.answer ?? "")."]).joined(separator: "\n") }
        return Chain(lines: slip.lines, answer: slip.answer).text
    }

    private func slip(
        _ question: String,
        _ lines: [String],
        answer: String,
        _ random: inout ReasoningRandom
    ) -> ChainRewriter.Corruption? {
        let laws = LawLines.indices(question: question, lines: lines)
        return ChainRewriter(lines: lines, answer: answer, lawLines: laws)?.corrupt(mix: slips, random: &random)
    }

    private func rectify(_ request: RequestText) -> String {
        let own = solve(request.problem)
        guard let hint = request.hint, !AnswerEquivalence.equivalent(gold: hint, predicted: own.answer) else {
            return own.text
        }
        guard let value = Arithmetic.evaluate(hint),
            let lines = NumberSearch.chain(question: request.problem, result: value)
        else { return own.text }
        return Chain(lines: lines, answer: hint).text
    }
}

/// The parts of a request by their headings.
struct RequestText {
    private var sections: [String: String] = [:]

    init(_ text: String) {
        var name = ""
        var lines: [Substring] = []
        func heading(_ line: Substring) -> String? {
            guard line.hasPrefix("### ") else { return nil }
            let name = String(line.dropFirst(4)).trimmed
            let known = [
                "Problem", "Worked solution", "Remarks", "Candidate", "Right response", "Wrong response", "Hint",
                "Earlier attempt", "Attempt", "Response",
            ]
            return known.contains(name) ? name : nil
        }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if let next = heading(line) {
                // The last section of a name counts: demonstrations stand before the request.
                sections[name] = lines.joined(separator: "\n").trimmed
                name = next
                lines = []
            } else {
                lines.append(line)
            }
        }
        sections[name] = lines.joined(separator: "\n").trimmed
    }

    static func task(_ text: String) -> PromptID? {
        for line in text.split(separator: "\n") where line.hasPrefix("Task: ") {
            return PromptID(rawValue: String(line.dropFirst(6)).trimmed)
        }
        return nil
    }

    var problem: String { sections["Problem"] ?? "" }
    var reference: String { sections["Worked solution"] ?? "" }
    var candidate: String { sections["Candidate"] ?? "" }
    var chain: String { sections["Right response"] ?? "" }
    var wrong: String { sections["Wrong response"] ?? "" }
    /// The attempt's steps, without the numbers that they are shown with.
    var attempt: [String] {
        let lines = (sections["Attempt"] ?? "").split(separator: "\n").map { String($0).trimmed }.filter { !$0.isEmpty }
        return lines.enumerated().map { index, line in
            let number = "\(index + 1). "
            return line.hasPrefix(number) ? String(line.dropFirst(number.count)) : line
        }
    }
    var hint: String? {
        sections["Hint"].flatMap { AnswerExtraction.extract($0) }
    }
}
