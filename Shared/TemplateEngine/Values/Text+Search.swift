extension Text {
    /// Where `part` first stands at or after the byte `start`.
    func range(of part: Text, from start: Int = 0) -> Range<Int>? {
        bytes.firstRange(of: part.bytes, from: start)
    }

    func hasPrefix(_ prefix: Text) -> Bool { bytes.starts(with: prefix.bytes) }

    func hasSuffix(_ suffix: Text) -> Bool {
        bytes.count >= suffix.bytes.count && bytes[(bytes.count - suffix.bytes.count)...].elementsEqual(suffix.bytes)
    }

    /// How often `part` stands in the text, without overlap; the empty text stands around every scalar.
    func occurrences(of part: Text) -> Int {
        if part.isEmpty { return count + 1 }
        var occurrences = 0
        var start = 0
        while let range = range(of: part, from: start) {
            occurrences += 1
            start = range.upperBound
        }
        return occurrences
    }

    /// The pieces between the first `limit` places where `separator`, which is not empty, stands.
    func split(at separator: Text, limit: Int?) -> [Text] {
        var pieces: [Text] = []
        var start = 0
        while limit.map({ pieces.count < $0 }) ?? true, let range = range(of: separator, from: start) {
            pieces.append(Text(bytes[start..<range.lowerBound], isMarkup: isMarkup))
            start = range.upperBound
        }
        pieces.append(Text(bytes[start...], isMarkup: isMarkup))
        return pieces
    }

    /// As ``split(at:limit:)``, but the last places count.
    func splitBackwards(at separator: Text, limit: Int) -> [Text] {
        let reversed = Text(bytes.reversed()).split(at: Text(separator.bytes.reversed()), limit: limit)
        return reversed.reversed().map { Text($0.bytes.reversed(), isMarkup: isMarkup) }
    }

    /// The words between runs of white space, after `limit` of them the rest.
    func splitAtSpace(limit: Int?) -> [Text] {
        var words: [Text] = []
        var position = end(from: 0) { $0.isPythonSpace }
        while position < bytes.count {
            if let limit, words.count >= limit {
                words.append(Text(bytes[position...], isMarkup: isMarkup))
                return words
            }
            let wordEnd = end(from: position) { !$0.isPythonSpace }
            words.append(Text(bytes[position..<wordEnd], isMarkup: isMarkup))
            position = end(from: wordEnd) { $0.isPythonSpace }
        }
        return words
    }

    /// Where the run of scalars with a property ends that begins at `start`.
    private func end(from start: Int, where holds: (Unicode.Scalar) -> Bool) -> Int {
        var position = start
        while position < bytes.count {
            let (scalar, length) = bytes[...].scalar(at: position)
            guard holds(scalar) else { break }
            position += length
        }
        return position
    }

    /// Without the scalars at the ends for which `isStripped` holds.
    func stripped(leading: Bool, trailing: Bool, where isStripped: (Unicode.Scalar) -> Bool) -> Text {
        var start = 0
        var end = bytes.count
        while leading, start < end {
            let (scalar, length) = bytes[...].scalar(at: start)
            guard isStripped(scalar) else { break }
            start += length
        }
        while trailing, end > start {
            let (scalar, length) = bytes[...].scalar(before: end)
            guard isStripped(scalar) else { break }
            end -= length
        }
        return start == 0 && end == bytes.count ? self : Text(bytes[start..<end], isMarkup: isMarkup)
    }

    /// The lines, split at every line break that Python knows.
    func lines(keepingEnds: Bool) -> [Text] {
        var lines: [Text] = []
        var start = 0
        var position = 0
        while position < bytes.count {
            let (scalar, length) = bytes[...].scalar(at: position)
            let end = position
            position += length
            guard scalar.isPythonLineBreak else { continue }
            if scalar == "\r", position < bytes.count, bytes[position] == 0x0A { position += 1 }
            lines.append(Text(bytes[start..<(keepingEnds ? position : end)], isMarkup: isMarkup))
            start = position
        }
        if start < bytes.count { lines.append(Text(bytes[start...], isMarkup: isMarkup)) }
        return lines
    }
}

extension [UInt8] {
    /// Longer parts are searched with a table, so that the time stays linear whatever the text.
    private static let plainSearchLength = 24

    /// Where `part` first stands at or after `start`.
    func firstRange(of part: [UInt8], from start: Int = 0) -> Range<Int>? {
        guard start + part.count <= count else { return nil }
        if part.isEmpty { return start..<start }
        let found = withUnsafeBufferPointer { whole in
            part.withUnsafeBufferPointer { part in
                part.count <= Self.plainSearchLength
                    ? Self.plainSearch(whole, part, start) : Self.tableSearch(whole, part, start)
            }
        }
        return found.map { $0..<$0 + part.count }
    }

    private static func plainSearch(
        _ whole: UnsafeBufferPointer<UInt8>,
        _ part: UnsafeBufferPointer<UInt8>,
        _ start: Int
    ) -> Int? {
        let first = part[0]
        var position = start
        while position + part.count <= whole.count {
            if whole[position] == first {
                var length = 1
                while length < part.count, whole[position + length] == part[length] { length += 1 }
                if length == part.count { return position }
            }
            position += 1
        }
        return nil
    }

    /// The search of Knuth, Morris and Pratt.
    private static func tableSearch(
        _ whole: UnsafeBufferPointer<UInt8>,
        _ part: UnsafeBufferPointer<UInt8>,
        _ start: Int
    ) -> Int? {
        // For each prefix, the length of the longest shorter one that it ends with.
        var borders = [Int](repeating: 0, count: part.count)
        var length = 0
        for position in 1..<part.count {
            while length > 0, part[position] != part[length] { length = borders[length - 1] }
            if part[position] == part[length] { length += 1 }
            borders[position] = length
        }
        length = 0
        for position in start..<whole.count {
            while length > 0, whole[position] != part[length] { length = borders[length - 1] }
            if whole[position] == part[length] { length += 1 }
            if length == part.count { return position + 1 - part.count }
        }
        return nil
    }

    /// Where `part` last stands.
    func lastRange(of part: [UInt8]) -> Range<Int>? {
        guard let range = Array(reversed()).firstRange(of: Array(part.reversed())) else { return nil }
        return count - range.upperBound..<count - range.lowerBound
    }
}
