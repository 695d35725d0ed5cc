import Foundation

/// Whether two answers are the same.
///
/// Numbers, expressions, lists, intervals, equations and the like are read from LaTeX or plain text into expression trees and
/// compared by value: fractions exactly, all else as ``ValueComparison`` tells, never by doubles alone. What is no
/// mathematics is compared by its words. A policy says where tastes differ; see ``GradingPolicy``.
///
/// Everything is bounded: answers of ``maximumLength`` bytes, 600 tokens, 48 levels of brackets, 64 members of a list, numbers
/// of 4,096 bits, 12,000 steps of computing to 512 bits. Beyond them an answer is compared as text, or not found equal. It is
/// linear in the answers' lengths but for lists without order, which take the square of their 64 members at most.
public enum AnswerEquivalence {
    /// Longer answers, in UTF-8 bytes, are compared as plain text only.
    public static let maximumLength = 2_000

    /// Compares a gold and a predicted answer.
    ///
    /// Both are answers, which may be in a box, between dollar signs, or behind "the answer is"; of a longer text,
    /// ``AnswerExtraction`` finds the answer first.
    public static func equivalent(gold: String, predicted: String, policy: GradingPolicy = .standard) -> Bool {
        rule(gold: gold, predicted: predicted, policy: policy).isEqual
    }

    /// Whether they are the same, and the rule that decided.
    static func rule(gold: String, predicted: String, policy: GradingPolicy) -> (isEqual: Bool, rule: GradingRule) {
        if let first = PlainNumber(gold), let second = PlainNumber(predicted) {
            if first.isSame(as: second) { return (true, .number) }
            if policy != .qwen { return (false, .number) }
        }
        if let isSame = shortWords(gold, predicted, policy) { return (isSame, .text) }
        let first = gold.trimmed
        let second = predicted.trimmed
        guard !first.isEmpty, !second.isEmpty else { return (false, .missing) }
        if first == second { return (true, .identical) }
        guard first.utf8.count <= maximumLength, second.utf8.count <= maximumLength else { return (false, .length) }
        return compared(first, second, policy)
    }

    /// Words of ASCII letters, byte by byte; nil where it takes more to decide.
    private static func shortWords(_ gold: String, _ predicted: String, _ policy: GradingPolicy) -> Bool? {
        let a = gold.utf8
        let b = predicted.utf8
        guard a.count == b.count, a.count > 1, a.count <= 64 else { return nil }
        for (left, right) in zip(a, b) {
            let folded = left | 0x20
            guard (0x61...0x7A).contains(folded) || left == 0x20 else { return nil }
            guard left == right || policy.foldsText && left != 0x20 && folded == right | 0x20 else { return nil }
        }
        return true
    }

    private static func compared(
        _ gold: String,
        _ predicted: String,
        _ policy: GradingPolicy
    ) -> (isEqual: Bool, rule: GradingRule) {
        let bareGold = AnswerReading.unwrapped(gold)
        let barePredicted = AnswerReading.unwrapped(predicted)
        guard !bareGold.isEmpty, !barePredicted.isEmpty else { return (false, .missing) }
        if bareGold == barePredicted { return (true, .identical) }
        // The same sentence: "The answer is 42!" ends with a mark, not with a factorial.
        if policy.foldsText, AnswerPhrases.announces(gold), AnswerPhrases.announces(predicted),
            AnswerWords.areSame(gold, predicted, folded: true, exactly: false)
        {
            return (true, .text)
        }
        if let isSame = options(bareGold, barePredicted, policy) { return (isSame, .option) }
        if policy != .strict, let a = LetterSet.read(bareGold), let b = LetterSet.read(barePredicted) {
            if a.isRun != b.isRun { return (a.letters == b.letters, .option) }
            if !a.isRun, !policy.listsAreOrdered, a.letters == b.letters { return (true, .option) }
        }
        let first = AnswerReading(bareGold)
        let second = AnswerReading(barePredicted)
        var comparison = AnswerComparison(policy)
        if let a = first.form, let b = second.form, let rule = comparison.rule(a, b) { return (true, rule) }
        if first.alternative != nil || second.alternative != nil, let a = first.alternative ?? first.form,
            let b = second.alternative ?? second.form, let rule = comparison.rule(a, b)
        {
            return (true, rule)
        }
        if policy != .strict, let rule = decimalCommas(first, second, &comparison) ?? words(first, second, &comparison)
        {
            return (true, rule)
        }
        return texts(first, second, policy)
    }

    /// Whether the letters of options are the same; nil where one of the answers is no option.
    private static func options(_ gold: String, _ predicted: String, _ policy: GradingPolicy) -> Bool? {
        let first = OptionAnswer.read(gold)
        let second = OptionAnswer.read(predicted)
        let isFirstOne = first?.isJoinedOrRejected != true
        let isSecondOne = second?.isJoinedOrRejected != true
        guard isFirstOne, isSecondOne else {
            // One option beside several, or beside none.
            return first != nil && second != nil && isFirstOne != isSecondOne ? false : nil
        }
        guard let a = first, let b = second else {
            return first.flatMap { optionText($0, predicted, policy) }
                ?? second.flatMap { optionText($0, gold, policy) }
        }
        // Two letters alone may be variables.
        guard a.isMarked || b.isMarked || a.letter == b.letter || "ABCDEFGHIJ".contains(a.letter.uppercased()) else {
            return nil
        }
        let isSame = policy.foldsText ? a.letter.lowercased() == b.letter.lowercased() : a.letter == b.letter
        guard isSame, !a.text.isEmpty, !b.text.isEmpty else { return isSame }
        return haveSameValue(a.text, b.text, policy)
    }

    /// Whether the texts of two options with one letter leave them the same: the same letter before another value is a slip
    /// that nobody can judge for right, while words may say the same in other words.
    private static func haveSameValue(_ gold: String, _ predicted: String, _ policy: GradingPolicy) -> Bool {
        if let one = PlainNumber(gold), let other = PlainNumber(predicted) { return one.isSame(as: other) }
        func form(_ text: String) -> AnswerForm? { AnswerReading(AnswerReading.unwrapped(text)).form }
        /// Of `12, since 3 times 4 is 12`, 12.
        func stated(_ text: String) -> AnswerForm? {
            guard let first = text.unicodeScalars.first, !first.isAlphabetic else { return nil }
            return form(AnswerText.bare(text))
        }
        let first = form(gold)
        let second = form(predicted)
        var comparison = AnswerComparison(policy)
        if let a = first, let b = second {
            if comparison.rule(a, b) != nil { return true }
            // In other units the numbers alone say nothing.
            if a.rule == b.rule { return false }
        }
        guard let a = stated(gold) ?? first, let b = stated(predicted) ?? second else { return true }
        return comparison.rule(a, b) != nil
    }

    /// An option given by its text alone, the other by letter and text.
    private static func optionText(_ option: OptionAnswer, _ other: String, _ policy: GradingPolicy) -> Bool? {
        guard option.isMarked, !option.text.isEmpty else { return nil }
        let exactly = AnswerWords.hasDigit(option.text)
        let isSame = [option.text, "\(option.letter) \(option.text)"].contains {
            AnswerWords.areSame($0, other, folded: policy.foldsText, exactly: exactly)
        }
        if isSame { return true }
        guard exactly, "ABCDEFGHIJ".contains(option.letter), let a = AnswerReading(option.text).form,
            let b = AnswerReading(other).form
        else { return nil }
        var comparison = AnswerComparison(policy)
        return comparison.rule(a, b) == nil ? nil : true
    }

    private static func decimalCommas(
        _ gold: AnswerReading,
        _ predicted: AnswerReading,
        _ comparison: inout AnswerComparison
    ) -> GradingRule? {
        if let text = DecimalComma.withPoint(gold.text), let b = predicted.form,
            let a = AnswerReading(AnswerReading.unwrapped(text)).form
        {
            return comparison.rule(a, b)
        }
        if let text = DecimalComma.withPoint(predicted.text), let a = gold.form,
            let b = AnswerReading(AnswerReading.unwrapped(text)).form
        {
            return comparison.rule(a, b)
        }
        return nil
    }

    /// By numbers in words, `seven` and 7.
    private static func words(
        _ gold: AnswerReading,
        _ predicted: AnswerReading,
        _ comparison: inout AnswerComparison
    ) -> GradingRule? {
        func figures(_ reading: AnswerReading) -> AnswerForm? {
            NumberWords.inFigures(reading.text).flatMap { AnswerReading($0).form }
        }
        let first = figures(gold)
        let second = figures(predicted)
        guard first != nil || second != nil, let a = first ?? gold.form, let b = second ?? predicted.form else {
            return nil
        }
        return comparison.rule(a, b)
    }

    /// By words, where at least one of the answers is no mathematics.
    private static func texts(
        _ gold: AnswerReading,
        _ predicted: AnswerReading,
        _ policy: GradingPolicy
    ) -> (isEqual: Bool, rule: GradingRule) {
        // Two of mathematics of which one has a figure, so that they have words.
        if gold.form != nil, predicted.form != nil,
            AnswerWords.keepsDigit(gold.text) || AnswerWords.keepsDigit(predicted.text)
        {
            return (false, rule(gold, predicted))
        }
        let a = AnswerWords.normalised(gold.text, folded: policy.foldsText)
        let b = AnswerWords.normalised(predicted.text, folded: policy.foldsText)
        let hasWords = (a + b).unicodeScalars.contains { $0.isAlphabetic || MathScanner.isDigit($0) }
        guard hasWords else {
            // `] } )` is nothing but its signs.
            let isSame = AnswerWords.signs(gold.text) == AnswerWords.signs(predicted.text)
            return (isSame, isSame ? .text : rule(gold, predicted))
        }
        if gold.form != nil, predicted.form != nil { return (false, rule(gold, predicted)) }
        let isMathematics = gold.form != nil || predicted.form != nil
        let exactly = isMathematics && (AnswerWords.hasDigit(gold.text) || AnswerWords.hasDigit(predicted.text))
        let isSame =
            policy.foldsText && exactly
            ? AnswerWords.areSame(gold.text, predicted.text, folded: true, exactly: true) : a == b
        if isSame { return (true, .text) }
        // `n!` is no `no`, and `f'` not `false`.
        let acceptsLetter = ![gold.text, predicted.text].contains { $0.contains("!") || $0.contains("'") }
        if policy.foldsText, let one = AnswerWords.truth(a, acceptsLetter: acceptsLetter),
            let other = AnswerWords.truth(firstClause(predicted.text), acceptsLetter: acceptsLetter)
                ?? AnswerWords.truth(b, acceptsLetter: acceptsLetter)
        {
            return (one == other, .text)
        }
        return (false, rule(gold, predicted))
    }

    /// `Yes, it is`: what stands before the first comma or stop.
    private static func firstClause(_ text: String) -> String {
        AnswerWords.normalised(String(text.prefix { !",.;:!\n".contains($0) }), folded: true)
    }

    /// What told two answers apart.
    private static func rule(_ gold: AnswerReading, _ predicted: AnswerReading) -> GradingRule {
        guard let a = gold.form?.rule, let b = predicted.form?.rule else {
            return gold.form == nil && predicted.form == nil ? .text : .kind
        }
        return a == b ? a : .kind
    }
}

extension AnswerForm {
    /// The rule that decides over two answers of this form.
    var rule: GradingRule {
        switch self {
        case .scalar(let scalar): scalar.expression.exact == nil ? .expression : .number
        case .text: .text
        case .sequence(let sequence): sequence.isTuple ? .tuple : sequence.open == .brace ? .set : .list
        case .assignment(_, let value): value.rule
        case .equation: .equation
        case .inequality: .inequality
        case .realSet: .interval
        case .matrix: .matrix
        case .ratio: .ratio
        case .time: .time
        }
    }
}
