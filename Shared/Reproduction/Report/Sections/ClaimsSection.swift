extension ReportDocument {
    /// The claims with what was measured.
    var claimsSection: Markup? {
        guard !results.claims.isEmpty else { return nil }
        let marks = IntervalMark(for: results.claims.map(\.measured))
        let rows = results.claims.map { result in
            let measured = result.measured
            let claim = result.claim
            return """
                <tr><th scope="row">\(claim.text)<br/><span class="note">\(comparison(of: claim))</span></th>
                <td>\(claim.source)</td>
                <td class="measured">\(marks.svg(measured, expected: claim.direction))\
                \(Figures.points(measured.difference)) \(Figures.interval(measured.low, measured.high))<br/>\
                \(Figures.pValue(measured.pValue))</td>
                <td class="seeds">\(Self.bySeed(measured))</td>
                <td><span class="verdict \(result.verdict.rawValue)">\(Self.sign(of: result.verdict)) \
                \(Self.words(for: result.verdict))</span></td></tr>
                """ as Markup
        }
        return """
            <p>\(verdictCounts) Only the direction of a difference can be compared: the papers' students are far \
            larger and solve other problems, so that the sizes of differences say nothing about each other.</p>
            \(Markup.table(
                "What the paper claims and what was measured: differences in points with 95 % interval and p value",
                class: "claims",
                """
                \(Markup.head(words: ["Claim", "Paper", "Measured here", "By seed", "Verdict"]))
                <tbody>
                \(rows)
                </tbody>
                """
            ))
            <p class="note">The shaded side of 0 is the one that the paper claims. \u{201C}Shown\u{201D}: the paper\u{2019}s \
            direction in every seed, and the interval leaves out 0. \u{201C}In the paper\u{2019}s direction, within \
            noise\u{201D}: its direction on average, but a seed goes the other way or the interval holds 0. \
            \u{201C}Not shown\u{201D}: no difference, or the other direction within noise. \u{201C}Reversed\u{201D}: the \
            other direction in every seed, and the interval leaves out 0. The interval is over problems (a normal \
            approximation of the paired differences within each seed), and p is that of the exact McNemar test over the \
            problems of all seeds: neither holds the variation from one training to the next, which the differences by \
            seed show.</p>
            """
    }

    /// How many claims came to what.
    var verdictCounts: String {
        let counts = ClaimResult.Verdict.inOrder.compactMap { verdict -> String? in
            let count = results.claims.count { $0.verdict == verdict }
            return count > 0 ? "\(count) \(Self.phrase(for: verdict))" : nil
        }
        return "Of \(Figures.count(results.claims.count, "claim", "claims")): \(counts.joined(separator: "; "))."
    }

    /// What a claim compares.
    func comparison(of claim: Claim) -> String {
        let suite = Self.name(ofSuite: claim.suite)
        let relation = claim.direction == .above ? "above" : "below"
        switch claim.measure {
        case .accuracy: return "\(title(claim.arm)) \(relation) \(title(claim.against)); \(suite)"
        case .locate:
            return "\(title(claim.arm)) \(relation) \(title(claim.against)); share of first wrong steps named"
        case .correct:
            return "\(title(claim.arm)) \(relation) \(title(claim.against)); share of wrong steps corrected"
        case .selfCorrectionGain: return "\(title(claim.arm)): second pass \(relation) the first; \(suite)"
        }
    }

    /// The differences of a comparison by seed, in points.
    static func bySeed(_ comparison: Comparison) -> String {
        comparison.bySeed.isEmpty ? Figures.none : comparison.bySeed.map(Figures.points).joined(separator: ", ")
    }

    /// A verdict in words.
    static func words(for verdict: ClaimResult.Verdict) -> String {
        switch verdict {
        case .shown: "Shown"
        case .inDirection: "In the paper\u{2019}s direction, within noise"
        case .notShown: "Not shown"
        case .reversed: "Reversed"
        }
    }

    /// A verdict's sign, so that colour is not all that tells it.
    static func sign(of verdict: ClaimResult.Verdict) -> String {
        switch verdict {
        case .shown: "\u{2713}"
        case .inDirection: "\u{223C}"
        case .notShown: "\u{25CB}"
        case .reversed: "\u{2717}"
        }
    }

    private static func phrase(for verdict: ClaimResult.Verdict) -> String {
        switch verdict {
        case .shown: "shown"
        case .inDirection: "in the paper\u{2019}s direction but within noise"
        case .notShown: "not shown"
        case .reversed: "reversed"
        }
    }
}

extension ClaimResult.Verdict {
    /// From the paper's direction to the other one.
    static let inOrder: [Self] = [.shown, .inDirection, .notShown, .reversed]
}
