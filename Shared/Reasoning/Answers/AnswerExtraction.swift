import Foundation

/// Finds the final answer in a model's output.
///
/// First it is settled what of a text counts: nothing of a reasoning model's thoughts where something follows them, nothing
/// behind the question that a base model asks itself once it has answered, and only the end of a long text. Then the rules of
/// ``ExtractionRule`` are tried in their order; the first that finds something decides.
///
/// Linear in the text's length.
public enum AnswerExtraction {
    /// Only this much of the end of what counts is looked at, in UTF-8 bytes.
    public static let window = 20_000

    /// The answer's text; see ``found(in:isTruncated:)``.
    public static func extract(_ text: String, isTruncated: Bool = false) -> String? {
        found(in: text, isTruncated: isTruncated)?.text
    }

    /// The answer and the rule that found it; nil where there is none.
    ///
    /// Arguments:
    ///   - isTruncated: whether the text was cut off. Then only an answer that it names to the end counts: its last number
    ///     is where the text happened to end, and so is an answer that nothing stands behind.
    public static func found(in text: String, isTruncated: Bool = false) -> ExtractedAnswer? {
        let visible = Thoughts.visible(text)
        var counted = visible.text
        let bytes = counted.withUTF8 { Array($0.suffix(window)) }
        let asked = RunOn.asked(bytes)
        // What a run-on follows is complete.
        let isCut = isTruncated && asked.count == bytes.count
        if let named = named(in: asked, isTruncated: isCut) { return named }
        return isCut || visible.isDraft ? nil : unnamed(in: asked)
    }

    /// What an answer's element, field or line states: `Albert eats 48 pieces.` and `847 / 7 = 121` state one number, `**18**`
    /// is 18, `(B) Paris` is option (B).
    ///
    /// What states no single number is given back without its emphasis and closing stop.
    public static func bare(_ answer: String) -> String { AnswerText.bare(answer) }

    /// By the rules that want an answer to be named as one.
    static func named(in bytes: [UInt8], isTruncated: Bool = false) -> ExtractedAnswer? {
        guard isTruncated else { return named(closed: bytes, lines: bytes) }
        return named(closed: Array(bytes[..<closedEnd(of: bytes)]), lines: Array(bytes[..<lineEnd(of: bytes)]))
    }

    /// Where the last element, box or line of a text that was cut off ends.
    static func closedEnd(of bytes: [UInt8]) -> Int {
        let end = bytes.lastIndex { $0 == UInt8(ascii: ">") || $0 == UInt8(ascii: "}") }
        return max(end.map { $0 + 1 } ?? 0, lineEnd(of: bytes))
    }

    /// Where the last line of a text that was cut off ends.
    private static func lineEnd(of bytes: [UInt8]) -> Int {
        bytes.lastIndex { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.map { $0 + 1 } ?? 0
    }

    /// By elements and boxes in `closed`, and by what lines say in `lines`, both of them the start of one text.
    private static func named(closed: [UInt8], lines: [UInt8]) -> ExtractedAnswer? {
        func answer(_ rule: ExtractionRule, _ text: String?) -> ExtractedAnswer? {
            text.flatMap { $0.isEmpty ? nil : ExtractedAnswer(text: $0, rule: rule) }
        }
        if let found = answer(.answerTag, AnswerTags.last(in: closed)) { return found }
        if let found = answer(.marker, AnswerMarker.last(in: lines)) { return found }
        let boxes = BoxedAnswer.boxes(in: closed)
        if let found = answer(.announced, Announcement.final(in: lines, behind: boxes.last?.range.upperBound)) {
            return found
        }
        if let found = answer(.boxed, BoxedAnswer.last(of: boxes, in: closed)) { return found }
        return answer(.announced, Announcement.last(in: lines))
    }

    /// By what a text without a named answer ends with.
    private static func unnamed(in bytes: [UInt8]) -> ExtractedAnswer? {
        let text = AnswerText.withoutCalculations(String(decoding: bytes, as: UTF8.self))
        let last = AnswerText.lastLine(of: text)
        guard !last.isEmpty else { return nil }
        if let option = OptionLetter.closing(last) { return ExtractedAnswer(text: option, rule: .option) }
        if let word = AnswerText.verdict(last, alone: true) ?? AnswerText.closingVerdict(last) {
            return ExtractedAnswer(text: word, rule: .word)
        }
        if let math = MathSegment.closing(last) { return ExtractedAnswer(text: AnswerText.bare(math), rule: .lastMath) }
        return Quantity.last(in: text).map { ExtractedAnswer(text: $0, rule: .lastNumber) }
    }
}
