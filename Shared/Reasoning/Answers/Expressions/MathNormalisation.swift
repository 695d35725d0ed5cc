/// Brings the spellings of signs together before an answer is scanned.
enum MathNormalisation {
    /// The text in ASCII where there is an ASCII or LaTeX spelling, backslashes that were escaped twice made single.
    static func scalars(of text: String) -> [Unicode.Scalar] {
        text.utf8.allSatisfy { $0 < 0x80 } ? withSingleBackslashes(text.scalarArray) : scalarsOfAny(text)
    }

    /// The general path of ``scalars(of:)``; ASCII has no other spellings.
    static func scalarsOfAny(_ text: String) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(text.utf8.count)
        var raised = ""
        var lowered = ""
        func flush() {
            if !raised.isEmpty { result.append(contentsOf: "^{\(raised)}".unicodeScalars) }
            if !lowered.isEmpty { result.append(contentsOf: "_{\(lowered)}".unicodeScalars) }
            raised = ""
            lowered = ""
        }
        for scalar in text.unicodeScalars {
            if scalar.isASCII {
                flush()
                result.append(scalar)
            } else if let digit = MathCommands.superscript(scalar) {
                raised.append(digit)
            } else if let digit = MathCommands.subscripted(scalar) {
                lowered.append(digit)
            } else {
                flush()
                if let plain = MathCommands.plain(scalar) {
                    result.append(contentsOf: plain.unicodeScalars)
                } else {
                    result.append(scalar)
                }
            }
        }
        flush()
        return withSingleBackslashes(result)
    }

    /// `\\frac{1}{2}`: a source that escaped its backslashes once too often.
    ///
    /// Where every command has two, all are halved; where some have, those before a letter are, unless there are rows that
    /// two backslashes could end.
    private static func withSingleBackslashes(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var doubled = false
        var single = false
        var index = 0
        while index < scalars.count {
            guard scalars[index] == "\\" else {
                index += 1
                continue
            }
            var run = 0
            while index < scalars.count, scalars[index] == "\\" {
                run += 1
                index += 1
            }
            guard index < scalars.count, MathScanner.isLetter(scalars[index]) else { continue }
            if run >= 2 { doubled = true }
            if run == 1 || run == 3 { single = true }
        }
        guard doubled else { return scalars }
        let hasRows = !single ? false : hasEnvironment(scalars)
        guard !hasRows else { return scalars }
        var result: [Unicode.Scalar] = []
        index = 0
        while index < scalars.count {
            if scalars[index] == "\\", index + 1 < scalars.count, scalars[index + 1] == "\\" {
                let next = index + 2 < scalars.count ? scalars[index + 2] : " "
                if !single || MathScanner.isLetter(next) {
                    result.append("\\")
                    index += 2
                    continue
                }
            }
            result.append(scalars[index])
            index += 1
        }
        return result
    }

    private static func hasEnvironment(_ scalars: [Unicode.Scalar]) -> Bool {
        let begin = Array("\\begin".unicodeScalars)
        return scalars.indices.contains { scalars[$0] == "\\" && scalars[$0...].starts(with: begin) }
    }
}
