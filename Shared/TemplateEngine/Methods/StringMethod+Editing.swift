extension Interpreter {
    /// The methods that take something away or put something else in its place.
    func edited(_ method: StringMethod, _ text: Text, _ arguments: Bound) throws -> Text {
        switch method {
        case .removeprefix:
            let prefix = try arguments.text(0)
            return text.hasPrefix(prefix) ? Text(text.bytes[prefix.bytes.count...], isMarkup: text.isMarkup) : text
        case .removesuffix:
            let suffix = try arguments.text(0)
            guard text.hasSuffix(suffix) else { return text }
            return Text(text.bytes[..<(text.bytes.count - suffix.bytes.count)], isMarkup: text.isMarkup)
        case .replace:
            let new = try arguments.text(1)
            return try replaced(
                text,
                try arguments.text(0),
                with: text.isMarkup ? escaped(new) : new,
                limit: try arguments.integer(2, default: -1)
            )
        default:
            return try stripped(
                text,
                try arguments.optionalText(0),
                leading: method != .rstrip,
                trailing: method != .lstrip
            )
        }
    }

    /// Python's `text.strip(characters)`; white space where none are given.
    func stripped(_ text: Text, _ characters: Text?, leading: Bool, trailing: Bool) throws -> Text {
        guard let characters else {
            return text.stripped(leading: leading, trailing: trailing) { $0.isPythonSpace }
        }
        let set = Set(characters.scalars)
        return text.stripped(leading: leading, trailing: trailing) { set.contains($0) }
    }

    /// Python's `text.replace(old, new, limit)`; a negative limit is none.
    func replaced(_ text: Text, _ old: Text, with new: Text, limit: Int) throws -> Text {
        try work(bytes: text.bytes.count)
        let count = limit < 0 ? text.occurrences(of: old) : min(text.occurrences(of: old), limit)
        if count == 0 { return text }
        try charge(bytes: new.bytes.count, times: count)
        try charge(bytes: text.bytes.count + new.bytes.count * count - old.bytes.count * count)
        guard !old.isEmpty else { return interleaved(text, with: new, count: count) }
        var bytes: [UInt8] = []
        var start = 0
        for _ in 0..<count {
            guard let range = text.range(of: old, from: start) else { break }
            bytes += text.bytes[start..<range.lowerBound]
            bytes += new.bytes
            start = range.upperBound
        }
        return Text(bytes + text.bytes[start...], isMarkup: text.isMarkup)
    }

    /// `text` with `new` before each of its first `count` scalars, the end counting as one.
    private func interleaved(_ text: Text, with new: Text, count: Int) -> Text {
        var bytes: [UInt8] = []
        var left = count
        for scalar in text.scalars {
            if left > 0 {
                bytes += new.bytes
                left -= 1
            }
            bytes.append(scalar)
        }
        return Text(left > 0 ? bytes + new.bytes : bytes, isMarkup: text.isMarkup)
    }

    /// The methods that fill up to a width.
    func padded(_ method: StringMethod, _ text: Text, _ arguments: Bound) throws -> Text {
        if method == .expandtabs { return try expandTabs(text, try arguments.integer(0, default: 8)) }
        let (padding, overflow) = try arguments.integer(0).subtractingReportingOverflow(text.count)
        let isWide = overflow || padding <= 0
        if method == .zfill {
            if isWide { return text }
            let signLength = [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(text.bytes.first) ? 1 : 0
            let zeros = try filling("0", padding)
            return Text(
                text.bytes[..<signLength] + zeros + text.bytes[signLength...],
                isMarkup: text.isMarkup
            )
        }
        let fill = try arguments.text(1, default: " ")
        guard fill.count == 1 else {
            throw TemplateError(.type, "The fill character must be exactly one character long")
        }
        if isWide { return text }
        switch method {
        case .ljust: return Text(text.bytes + (try filling(fill, padding)), isMarkup: text.isMarkup)
        case .rjust: return Text(try filling(fill, padding) + text.bytes, isMarkup: text.isMarkup)
        default: return try centered(text, padding, fill)
        }
    }

    /// `text` with so many characters around it, as `str.center` shares them out.
    private func centered(_ text: Text, _ padding: Int, _ fill: Text) throws -> Text {
        let width = text.count + padding
        let left = padding / 2 + (padding & width & 1)
        let before = try filling(fill, left)
        return Text(before + text.bytes + (try filling(fill, padding - left)), isMarkup: text.isMarkup)
    }

    /// `str.center` with spaces.
    func centered(_ text: Text, width: Int) throws -> Text {
        let (padding, overflow) = width.subtractingReportingOverflow(text.count)
        return overflow || padding <= 0 ? text : try centered(text, padding, " ")
    }

    /// `fill` so many times.
    func filling(_ fill: Text, _ count: Int) throws -> [UInt8] {
        try charge(bytes: fill.bytes.count, times: max(0, count))
        return Array(repeatElement(fill.bytes, count: max(0, count)).joined())
    }

    private func expandTabs(_ text: Text, _ width: Int) throws -> Text {
        var bytes: [UInt8] = []
        var column = 0
        for scalar in text.scalars {
            if scalar == "\t" {
                guard width > 0 else { continue }
                let spaces = width - column % width
                bytes += try filling(" ", spaces)
                column += spaces
            } else {
                bytes.append(scalar)
                column = scalar == "\n" || scalar == "\r" ? 0 : column + 1
            }
            if bytes.count > limits.valueBytes { try charge(bytes: bytes.count) }
        }
        return Text(bytes, isMarkup: text.isMarkup)
    }
}
