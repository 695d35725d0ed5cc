/// Tells what a reasoning model thought from what it answered, where both stand in one text.
///
/// Servers without a reasoning parser leave the thoughts in the content, often without the opening mark, which the chat
/// template wrote. What stands before the last closing mark is a draft: markup in it is no part of the answer.
public enum Thoughts {
    /// Opening and closing marks as they stand in contents: `<think>` of DeepSeek, Qwen and many others, `[THINK]` of
    /// Magistral, and the marks of OpenThinker, Kimi, Seed, MedGemma and gpt-oss.
    private static let marks: [(text: [UInt8], opens: Bool, isWeak: Bool)] = {
        let pairs: [(String, String, Bool)] = [
            ("<think>", "</think>", false), ("<thinking>", "</thinking>", false),
            // Also a wrapper around a template, so that one at the very end closes no draft.
            ("<thought>", "</thought>", true), ("<thoughts>", "</thoughts>", true),
            ("[think]", "[/think]", false), ("<|begin_of_thought|>", "<|end_of_thought|>", false),
            ("\u{25C1}think\u{25B7}", "\u{25C1}/think\u{25B7}", false), ("<seed:think>", "</seed:think>", false),
            ("<unused94>", "<unused95>", false),
            ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>", false),
        ]
        return pairs.flatMap { open, close, isWeak in
            [(Array(open.utf8), true, isWeak), (Array(close.utf8), false, isWeak)]
        }
    }()

    /// Which bytes may follow a mark's first, blanks left out, so that a sign such as the `<` of a calculation is told by one
    /// byte.
    private static let seconds: [Bool] = {
        var seconds = [Bool](repeating: false, count: 256)
        for mark in marks { seconds[Int(mark.text[1])] = true }
        return seconds
    }()

    /// Marks that tell the end of a turn and are no text; all of them end with a bracket.
    private static let turnEnds = ["<|im_end|>", "<|eot_id|>", "<|end|>", "<|return|>", "<|endoftext|>", "</s>"]

    /// What is the answer of a text, and whether the text ends within thoughts.
    public struct Split: Sendable, Hashable {
        /// The text without its thoughts.
        public var answer: String
        /// The last thoughts before it, or those that never end; nil where there are none.
        public var thoughts: String?
        /// Whether thoughts are opened at the end and not closed: the answer never came.
        public var endsInThoughts: Bool
    }

    /// The answer in a text: what stands behind the last closing mark, up to an opening one that is never closed.
    ///
    /// A text without marks comes back as it is. Marks are read in any case, with blanks inside the brackets or not.
    /// Linear in the text's length.
    public static func split(_ text: String) -> Split {
        var text = text
        let found = text.withUTF8 { bytes in
            var search = ByteSearch(bytes, for: [UInt8(ascii: "<"), UInt8(ascii: "["), 0xE2, 0xE2])
            return split(bytes) { search.next(from: $0) }
        }
        return found ?? Split(answer: withoutTurnEnd(text), thoughts: nil, endsInThoughts: false)
    }

    /// Nil where there are no thoughts, so that most texts are not copied.
    ///
    /// `next` gives the first byte from a place on with which a mark may begin; it may give others, too.
    static func split(_ bytes: UnsafeBufferPointer<UInt8>, next: (Int) -> Int?) -> Split? {
        var start = 0
        // An opening mark that was not closed yet: where it starts, and where what is thought does.
        var open: (mark: Int, content: Int)?
        var draft: Range<Int>?
        var index = 0
        while let place = next(index) {
            index = place
            guard let found = mark(bytes, at: index) else {
                index += 1
                continue
            }
            if found.opens {
                // A weak one that is never closed is a wrapper that the model forgot to close.
                if open == nil, !found.isWeak { open = (index, found.end) }
            } else if !found.isWeak || bytes[found.end...].contains(where: { !isBlank($0) }) {
                draft = (open?.content ?? start)..<index
                start = found.end
                open = nil
            } else {
                open = nil
            }
            index = found.end
        }
        if let open { draft = open.content..<bytes.count }
        guard let draft else { return nil }
        func string(_ range: Range<Int>) -> String {
            String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
        }
        return Split(
            answer: withoutTurnEnd(string(start..<(open?.mark ?? bytes.count))),
            thoughts: string(draft).trimmed,
            endsInThoughts: open != nil
        )
    }

    /// What of a text is meant to be read: its answer, or, where nothing stands behind closed thoughts, what they hold, since
    /// it is all there is.
    static func visible(_ text: String) -> (text: String, isDraft: Bool) {
        let said = split(text)
        guard !said.endsInThoughts, let draft = said.thoughts, !draft.isEmpty, said.answer.trimmed.isEmpty else {
            return (said.answer, false)
        }
        return (draft, true)
    }

    /// Blanks inside a mark are passed over this far from its start.
    private static let longestBlank = 48

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// The mark that starts here; blanks inside `<think >` and its like are passed over.
    private static func mark(
        _ bytes: UnsafeBufferPointer<UInt8>,
        at start: Int
    ) -> (opens: Bool, isWeak: Bool, end: Int)? {
        var second = start + 1
        while second < bytes.count, bytes[second] == UInt8(ascii: " "), second - start < longestBlank { second += 1 }
        guard second < bytes.count, seconds[Int(lower(bytes[second]))] else { return nil }
        for mark in marks {
            var index = start
            var place = 0
            while place < mark.text.count, index < bytes.count {
                let byte = bytes[index]
                if byte == UInt8(ascii: " "), place > 0, index - start < longestBlank {
                    index += 1
                    continue
                }
                guard lower(byte) == mark.text[place] else { break }
                index += 1
                place += 1
            }
            if place == mark.text.count { return (mark.opens, mark.isWeak, index) }
        }
        return nil
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    private static func withoutTurnEnd(_ text: String) -> String {
        guard text.utf8.last == UInt8(ascii: ">") else { return text }
        var result = text[...]
        while let last = turnEnds.first(where: { result.utf8.suffix($0.utf8.count).elementsEqual($0.utf8) }),
            result.hasSuffix(last)
        {
            result = result.dropLast(last.count)
        }
        return result.utf8.count == text.utf8.count ? text : String(result)
    }
}
