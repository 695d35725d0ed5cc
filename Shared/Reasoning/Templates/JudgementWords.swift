/// Tells what the words of a verdict mean.
enum JudgementWords {
    private static let accepting: Set<String> = [
        "ok", "okay", "correct", "correctly", "right", "valid", "accept", "accepted", "acceptable", "pass", "passed",
        "passes", "good", "fine", "sound", "approved", "approve", "perfect", "accurate", "flawless",
    ]
    private static let refusing: Set<String> = [
        "faulty", "wrong", "incorrect", "incorrectly", "invalid", "error", "errors", "fail", "failed", "fails",
        "reject", "rejected", "fault", "faults", "mistake", "mistakes", "mistaken", "flawed", "flaw", "flaws", "bad",
        "inaccurate", "issue", "issues", "inconsistent", "missing", "unacceptable", "misread", "misreads", "erroneous",
    ]
    private static let negations: Set<String> = [
        "not", "no", "never", "without", "nothing", "none", "isn", "aren", "doesn", "neither", "nor", "cannot",
    ]
    /// Words that take back a part of what is said.
    private static let reservations: Set<String> = [
        "but", "except", "however", "although", "though", "partially", "partly", "mostly", "almost", "nearly", "hardly",
        "barely", "unless", "if", "should", "or", "somewhat",
    ]

    /// Whether a verdict accepts; nil where it is not clear.
    ///
    /// A verdict that begins with a refusal refuses, whatever it goes on to say; one accepts only if nothing in it
    /// refuses or takes back.
    static func judgement(_ text: String) -> Bool? {
        let words = words(text)
        if let first = words.first, refusing.contains(first), !startsChoice(text) { return false }
        var (accepts, refuses) = (false, false)
        for (index, word) in words.enumerated() {
            let isAccepting = accepting.contains(word)
            guard isAccepting || refusing.contains(word) else { continue }
            let isNegated = words[..<index].suffix(3).count(where: negations.contains) % 2 == 1
            if isAccepting != isNegated { accepts = true } else { refuses = true }
        }
        // A "no" that denies nothing of it, as in "ok? no".
        let denies = words.indices.contains { index in
            negations.contains(words[index])
                && !words[(index + 1)...].prefix(3).contains { accepting.contains($0) || refusing.contains($0) }
        }
        if accepts, denies { return nil }
        if words.contains(where: reservations.contains) {
            // "not ok, since it should be 5" refuses all the same.
            return refuses && !accepts ? false : nil
        }
        return accepts == refuses ? nil : accepts
    }

    /// Whether a reason beside an `ok` finds a fault all the same.
    static func findsFault(_ text: String) -> Bool {
        let words = words(text)
        if words.isEmpty { return false }
        return words.enumerated().contains { index, word in
            if accepting.contains(word) { return words[..<index].suffix(2).contains(where: negations.contains) }
            return refusing.contains(word) && !words[..<index].suffix(4).contains(where: negations.contains)
        }
    }

    /// What a refusing verdict says beside its word: `faulty: Step2 adds` has a reason in it.
    static func remark(_ text: String) -> String? {
        guard let first = words(text).first else { return nil }
        if !refusing.contains(first) { return words(text).count >= 4 ? text.trimmed : nil }
        let behind = text.drop { !$0.isLetter }.drop { $0.isLetter }
        let rest = behind.drop { !$0.isLetter && !$0.isNumber }
        let words = rest.split { $0.isWhitespace }
        return words.count >= 2 ? String(rest).trimmed : nil
    }

    /// Whether a text repeats the choice that it was given: `faulty|ok`, `faulty or ok`.
    private static func startsChoice(_ text: String) -> Bool {
        let words = words(text)
        guard words.count >= 2 else { return false }
        return accepting.contains(words[1]) || words.count >= 3 && words[1] == "or" && accepting.contains(words[2])
    }

    private static func words(_ text: String) -> [String] { text.lowercased().split { !$0.isLetter }.map(String.init) }
}
