/// Numbers that are written in words.
enum NumberWords {
    private static let small: [String: Int] = {
        let words = [
            "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
            "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
        ]
        return Dictionary(uniqueKeysWithValues: words.enumerated().map { ($1, $0) })
    }()
    private static let tens = [
        "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
        "ninety": 90,
    ]
    private static let scales = ["thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000]
    private static let parts = [
        "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fourths": 4,
        "fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6, "seventh": 7, "sevenths": 7, "eighth": 8, "eighths": 8,
        "ninth": 9, "ninths": 9, "tenth": 10, "tenths": 10,
    ]

    /// `twenty-one`, `two thirds`, `half`, `seven hours` in figures; nil for what is anything but a number and one word of a
    /// unit behind it.
    static func inFigures(_ text: String) -> String? {
        guard text.utf8.count <= 80, text.utf8.first.map({ $0 >= 0x41 && $0 < 0x80 }) ?? false else { return nil }
        // `one thousand, two hundred`
        let text = text.replacing("thousand, ", with: "thousand ").replacing("million, ", with: "million ")
        var words = text.lowercased().split { $0 == " " || $0 == "-" }[...]
        if let last = words.last, last.hasSuffix(".") { words = words.dropLast() + [last.dropLast()] }
        var sign = ""
        if words.first == "minus" || words.first == "negative" {
            sign = "-"
            words.removeFirst()
        }
        guard let number = number(&words) else { return nil }
        guard words.count <= 1 else { return nil }
        guard let unit = words.first else { return sign + number }
        // Behind a number a name is a title's: "Seven Samurai".
        guard text.hasSuffix(unit), unit.count > 1, unit.allSatisfy({ $0.isLetter }), parts[String(unit)] == nil else {
            return nil
        }
        return "\(sign)\(number) \(unit)"
    }

    private static func number(_ words: inout ArraySlice<Substring>) -> String? {
        guard let first = words.first else { return nil }
        if first == "half" {
            words.removeFirst()
            if words.count >= 1, words.first == "a" || words.first == "an" || words.first == "of" { return nil }
            return "1/2"
        }
        guard let whole = whole(&words) else { return nil }
        if let word = words.first, let bottom = parts[String(word)], whole > 0 {
            words.removeFirst()
            return "\(whole)/\(bottom)"
        }
        // `two and a half`
        if words.count >= 3, words.first == "and" {
            let after = words.dropFirst()
            guard let top = after.first, let bottom = after.dropFirst().first.flatMap({ parts[String($0)] }) else {
                return nil
            }
            guard let count = top == "a" || top == "an" ? 1 : small[String(top)], count < bottom else { return nil }
            words = words.dropFirst(3)
            return "\(whole) \(count)/\(bottom)"
        }
        return String(whole)
    }

    private static func whole(_ words: inout ArraySlice<Substring>) -> Int? {
        var total = 0
        var group: Int?
        var lastScale = Int.max
        // `a third`, `a hundred`
        if words.first == "a", let next = words.dropFirst().first.map(String.init),
            next == "hundred" || next == "dozen" || scales[next] != nil || parts[next] != nil
        {
            words.removeFirst()
            group = 1
        }
        while let word = words.first.map(String.init) {
            if let value = small[word] {
                guard group.map({ $0 % 100 == 0 || $0 % 10 == 0 && $0 % 100 >= 20 && value < 10 && value > 0 }) ?? true
                else {
                    return nil
                }
                group = (group ?? 0) + value
            } else if let value = tens[word] {
                guard group.map({ $0 % 100 == 0 }) ?? true else { return nil }
                group = (group ?? 0) + value
            } else if word == "hundred" {
                guard let value = group, (1...9).contains(value) else { return nil }
                group = value * 100
            } else if word == "dozen" {
                guard let value = group, total == 0, value <= 99 else { return nil }
                group = value * 12
            } else if let scale = scales[word] {
                guard let value = group, scale < lastScale else { return nil }
                total += value * scale
                lastScale = scale
                group = nil
                words.removeFirst()
                continue
            } else if word == "and", let value = group ?? (total > 0 ? 0 : nil), value % 100 == 0,
                value > 0 || total > 0,
                let next = words.dropFirst().first.map(String.init), small[next] != nil || tens[next] != nil,
                words.count < 3 || parts[String(words[words.startIndex + 2])] == nil
            {
                // `one hundred and five`
            } else {
                break
            }
            words.removeFirst()
        }
        guard group != nil || total > 0 else { return nil }
        return total + (group ?? 0)
    }
}
