import Foundation

/// Finds LaTeX's `\boxed{…}`.
enum BoxedAnswer {
    /// Where a box stands, and what it holds.
    typealias Box = (range: Range<Int>, content: String)

    static let names = ["\\boxed", "\\fbox"].map { Array($0.utf8) }

    /// The most boxes that are looked at, from the end.
    private static let maximumBoxes = 20

    /// The content of the last box; of several that only commas and "and" part, the list.
    static func last(in bytes: [UInt8]) -> String? { last(of: boxes(in: bytes), in: bytes) }

    /// What the last of a text's boxes say; see ``last(in:)``.
    static func last(of boxes: [Box], in bytes: [UInt8]) -> String? {
        var boxes = boxes
        guard var (first, text) = boxes.popLast() else { return nil }
        while let (range, content) = boxes.popLast(), isList(bytes[range.upperBound..<first.lowerBound]),
            content != text
        {
            text = content + ", " + text
            first = range
        }
        return text
    }

    /// The last boxes that hold something, in order.
    static func boxes(in bytes: [UInt8]) -> [Box] {
        var boxes: [Box] = []
        var index = 0
        while let place = bytes.place(of: UInt8(ascii: "\\"), from: index) {
            index = place
            guard let box = box(bytes, at: index) else {
                index += 1
                continue
            }
            if !box.content.isEmpty { boxes.append(box) }
            if boxes.count > maximumBoxes { boxes.removeFirst() }
            index = box.range.upperBound
        }
        return boxes
    }

    private static func box(_ bytes: [UInt8], at start: Int) -> Box? {
        guard let name = names.first(where: { bytes[start...].starts(with: $0) }) else { return nil }
        var index = start + name.count
        while index < bytes.count, bytes[index] == UInt8(ascii: " ") { index += 1 }
        guard index < bytes.count, bytes[index] == UInt8(ascii: "{") else {
            // `\boxed 5`
            var content = bytes[index...].prefix { isWord($0) }
            while let last = content.last, "-.,/".utf8.contains(last) { content.removeLast() }
            let isNamed = index == start + name.count && content.first.map(isLetter) == true
            guard !content.isEmpty, !isNamed else { return (start..<(start + name.count), "") }
            return (start..<(index + content.count), String(decoding: content, as: UTF8.self))
        }
        let open = index + 1
        var depth = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\\"): index += 1
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "}"):
                depth -= 1
                if depth == 0 { return (start..<(index + 1), content(bytes[open..<index])) }
            default: break
            }
            index += 1
        }
        // Without an end it holds nothing, and nothing behind it is another box.
        return (start..<bytes.count, "")
    }

    /// A box in a box is one; a calculation in a box ends with its result.
    private static func content(_ bytes: ArraySlice<UInt8>) -> String {
        var text = String(decoding: bytes, as: UTF8.self).trimmed
        for _ in 0..<3 {
            let inner = Array(text.utf8)
            guard text.hasPrefix("\\boxed") || text.hasPrefix("\\fbox"), let box = box(inner, at: 0),
                box.range.upperBound == inner.count
            else { break }
            text = box.content
        }
        return option(text) ?? AnswerText.result(text)
    }

    /// The option of `\textbf{(B)}\ 12` and `\text{(B) Paris}`.
    private static func option(_ text: String) -> String? {
        var rest = text[...]
        for command in ["\\textbf{", "\\text{", "\\mathrm{", "\\mathbf{"] where rest.hasPrefix(command) {
            rest = rest.dropFirst(command.count)
        }
        guard rest.hasPrefix("(") else { return nil }
        return OptionLetter.leading(rest.replacingOccurrences(of: "}", with: " "))
    }

    /// Whether what stands between two boxes makes a list of them.
    private static func isList(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count <= 24 else { return false }
        let text = String(decoding: bytes, as: UTF8.self)
        let words = text.split { $0.isWhitespace || "$,;\\()".contains($0) }
        return !text.contains("\n\n") && words.allSatisfy { $0 == "and" || $0 == "or" }
            && (!words.isEmpty || text.contains(",") || text.contains(";"))
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-.,/".utf8.contains(byte)
    }
}
