/// Finds the step of an attempt that a teacher quotes.
enum StepMatch {
    /// How alike a copy with other words must be to its step, and by how much more than to the next.
    static let leastOverlap = 0.75
    static let leastOverlapWithoutNumbers = 0.85
    static let leastLead = 0.1
    /// The fewest tokens that a part of a step is recognised by.
    static let leastPart = 4

    /// The index of the step that is quoted.
    ///
    /// A quote that is a step to the word is that step, whatever number the teacher gives it; where several steps are the
    /// same, the number decides. Else the one step counts that has the same numbers and signs and nearly the same
    /// words, or that holds the quote as a part, if the number, where there is one, names it too. What a teacher merged
    /// has the numbers of two steps and is none.
    ///
    /// - Parameters:
    ///   - quote: the step as the teacher repeats it.
    ///   - number: the number that it gives, from 1.
    ///   - attempt: the steps of the attempt.
    /// - Returns: the index, or why there is none.
    static func find(_ quote: String, number: Int?, in attempt: [String]) -> Result<Int, Refusal> {
        let said = StepTokens(quote)
        let named = number.map { $0 - 1 }
        let place = number.map { "step \($0)" } ?? "the step that is named as wrong"
        func refused(_ reason: String) -> Result<Int, Refusal> {
            .failure(Refusal(.unmatchedStep, "\(place) \(reason)"))
        }
        let same = attempt.indices.filter { attempt[$0].trimmed == quote.trimmed }
        if same.count == 1 { return .success(same[0]) }
        guard !attempt.isEmpty else { return refused("is not a step of the attempt, which has none") }
        guard !said.tokens.isEmpty else { return refused("is not quoted; repeat it word for word") }
        let steps = attempt.map { StepTokens($0) }
        let exact = steps.indices.filter { steps[$0].tokens == said.tokens }
        if exact.count == 1 { return .success(exact[0]) }
        if exact.count > 1 {
            guard let named, exact.contains(named) else {
                let numbers = exact.map { String($0 + 1) }.joined(separator: " and ")
                return refused("is said more than once in the attempt (steps \(numbers)); give its number")
            }
            return .success(named)
        }
        guard let found = close(said, steps) ?? part(said, steps) else {
            return refused("is not a step of the attempt: \"\(quote.trimmed.prefix(80))\"; repeat one word for word")
        }
        guard named == nil || named == found else {
            return refused("is quoted as step \(found + 1) of the attempt, with other words; repeat it word for word")
        }
        return .success(found)
    }

    /// The one step with the same numbers and signs and nearly the same words.
    private static func close(_ said: StepTokens, _ steps: [StepTokens]) -> Int? {
        let (numbers, signs) = (said.numbers, said.signs)
        var ranked: [(index: Int, overlap: Double)] = []
        for (index, step) in steps.enumerated() where step.numbers == numbers && step.signs == signs {
            ranked.append((index, said.overlap(step)))
        }
        ranked.sort { ($1.overlap, $0.index) < ($0.overlap, $1.index) }
        let least = numbers.isEmpty ? leastOverlapWithoutNumbers : leastOverlap
        guard let best = ranked.first, best.overlap >= least else { return nil }
        if ranked.count > 1, best.overlap - ranked[1].overlap < leastLead { return nil }
        return best.index
    }

    /// The one step that holds the quote in one piece.
    private static func part(_ said: StepTokens, _ steps: [StepTokens]) -> Int? {
        guard said.tokens.count >= leastPart, !said.numbers.isEmpty else { return nil }
        let holding = steps.indices.filter { holds(steps[$0].tokens, said.tokens) }
        return holding.count == 1 ? holding[0] : nil
    }

    /// Whether a row of tokens holds another in one piece; linear by Knuth, Morris and Pratt.
    private static func holds(_ row: [StepTokens.Token], _ part: [StepTokens.Token]) -> Bool {
        guard part.count <= row.count else { return false }
        var fallback = Array(repeating: 0, count: part.count)
        var length = 0
        for index in part.indices.dropFirst() {
            while length > 0, part[index] != part[length] { length = fallback[length - 1] }
            if part[index] == part[length] { length += 1 }
            fallback[index] = length
        }
        length = 0
        for token in row {
            while length > 0, length == part.count || token != part[length] { length = fallback[length - 1] }
            if token == part[length] { length += 1 }
            if length == part.count { return true }
        }
        return false
    }
}
