/// Canonical composition (NFC, UAX #15) of text in UTF-8.
///
/// Foundation's composes across scalars that Unicode keeps apart (U+E0041 U+0301 becomes "Á"), so it is not used.
enum CanonicalComposition {
    /// The parts of `bytes` that composition changes, each with what it becomes.
    ///
    /// A part begins and ends between scalars that nothing can pass, so that the parts may be composed one by one. Text
    /// that is composed already is looked at once and costs no memory.
    static func changes(in bytes: UnsafeBufferPointer<UInt8>) -> [(range: Range<Int>, composed: [UInt8])] {
        // The scalars below U+0300, whose first bytes are below 0xCC, are composed already.
        guard let first = bytes.firstIndex(where: { $0 >= 0xCC }) else { return [] }
        let data = CanonicalData.shared
        let cursor = ScalarCursor(bytes: bytes)
        var changes: [(range: Range<Int>, composed: [UInt8])] = []
        var position = first
        // The last scalar before the first high one is a boundary.
        var boundary = lastScalar(bytes, before: first)
        var previousClass: UInt8 = 0
        while position < bytes.count {
            let scalar = cursor.scalar(at: position)
            let properties = data.of(scalar.code)
            let combiningClass = properties.combiningClass
            if properties.isBoundary {
                boundary = position
            } else if properties.isSuspect || combiningClass != 0 && combiningClass < previousClass {
                var end = position + scalar.length
                while end < bytes.count, case let next = cursor.scalar(at: end), !data.of(next.code).isBoundary {
                    end += next.length
                }
                let composed = compose(cursor, boundary..<end, data)
                let kept = commonScalars(bytes[boundary..<end], composed)
                if boundary + kept < end || kept < composed.count {
                    changes.append((boundary + kept..<end, Array(composed[kept...])))
                }
                position = end
                boundary = end
                previousClass = 0
                continue
            }
            previousClass = combiningClass
            position += scalar.length
        }
        return changes
    }

    private static func lastScalar(_ bytes: UnsafeBufferPointer<UInt8>, before end: Int) -> Int {
        var start = max(0, end - 1)
        while start > 0, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }

    /// The length of the whole scalars that two texts begin with alike.
    private static func commonScalars(_ first: Slice<UnsafeBufferPointer<UInt8>>, _ second: [UInt8]) -> Int {
        var count = zip(first, second).prefix { $0 == $1 }.count
        while count > 0, count < second.count, second[count] & 0xC0 == 0x80 { count -= 1 }
        return count
    }

    private static func compose(_ cursor: ScalarCursor, _ range: Range<Int>, _ data: CanonicalData) -> [UInt8] {
        var scalars: [UInt32] = []
        var position = range.lowerBound
        while position < range.upperBound {
            let scalar = cursor.scalar(at: position)
            data.appendDecomposition(of: scalar.code, to: &scalars)
            position += scalar.length
        }
        order(&scalars, data)
        compose(&scalars, data)
        return scalars.flatMap {
            Array(UTF8.encode(Unicode.Scalar($0) ?? "\u{FFFD}") ?? UTF8.encodedReplacementCharacter)
        }
    }

    /// Sorts each run of marks by their classes; those of one class keep their order.
    private static func order(_ scalars: inout [UInt32], _ data: CanonicalData) {
        var start = 0
        while start < scalars.count {
            guard data.of(scalars[start]).combiningClass != 0 else {
                start += 1
                continue
            }
            var end = start
            while end < scalars.count, data.of(scalars[end]).combiningClass != 0 { end += 1 }
            if end - start > 1 {
                let marks = scalars[start..<end].enumerated().map { index, code in
                    (class: data.of(code).combiningClass, index: index, code: code)
                }
                let sorted = marks.sorted { ($0.class, $0.index) < ($1.class, $1.index) }
                scalars.replaceSubrange(start..<end, with: sorted.map(\.code))
            }
            start = end
        }
    }

    /// Composes each scalar with the last starter where nothing of its class or a higher one stands between.
    private static func compose(_ scalars: inout [UInt32], _ data: CanonicalData) {
        var count = 0
        var starter: Int?
        var previousClass: UInt8 = 0
        for code in scalars {
            let combiningClass = data.of(code).combiningClass
            if let place = starter, count == place + 1 || previousClass < combiningClass && previousClass != 0,
                let composed = data.composition(scalars[place], code)
            {
                scalars[place] = composed
                continue
            }
            scalars[count] = code
            if combiningClass == 0 { starter = count }
            previousClass = combiningClass
            count += 1
        }
        scalars.removeLast(scalars.count - count)
    }
}
