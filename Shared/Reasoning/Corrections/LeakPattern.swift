/// Words in a row that tell of a reference: at each place one of some words, or none where it is optional.
struct LeakPattern: Sendable {
    /// What the words may mean beside a reference; see ``LeakSentence/isAboutSomethingElse(_:_:)``.
    enum Context: Sendable {
        case plain
        /// A solution can be one of salt.
        case solution
        /// People in problems give answers, too.
        case answer
        /// References are also books and points.
        case reference
        /// A hint of vanilla.
        case hint
        /// What is known at the end was worked out.
        case conclusion
    }

    /// The word that stands for digits.
    static let number = "#"

    private struct Slot: Sendable {
        let words: Set<String>
        let isOptional: Bool
    }

    private let slots: [Slot]
    let context: Context

    var isPlain: Bool { context == .plain }

    /// Reads a pattern: places between blanks, words between bars, `?` behind an optional place.
    private init(_ text: String, _ context: Context) {
        slots = text.split(separator: " ").map { place in
            let isOptional = place.hasSuffix("?")
            let words = (isOptional ? place.dropLast() : place).split(separator: "|").map(String.init)
            return Slot(words: Set(words), isOptional: isOptional)
        }
        self.context = context
    }

    /// Where the pattern ends that begins at a word; nil where it does not fit.
    ///
    /// Optional places take what they can.
    func end(in words: [String], from start: Int) -> Int? {
        var index = start
        for slot in slots {
            if index < words.count, slot.words.contains(words[index]) {
                index += 1
            } else if !slot.isOptional {
                return nil
            }
        }
        return index
    }

    /// The patterns by each word that they can begin with.
    static let byFirstWord: [String: [LeakPattern]] = {
        var found: [String: [LeakPattern]] = [:]
        for pattern in all {
            for slot in pattern.slots {
                for word in slot.words { found[word, default: []].append(pattern) }
                if !slot.isOptional { break }
            }
        }
        return found
    }()

    /// Short names for lists of words that many patterns have.
    private static let right = "correct|right|true|actual|expected"
    private static let the = "the|this|that|your|our|my|its"
    private static let between = "correct|right|final|worked|known|expected|numerical|full|complete|detailed|official"
    private static let given = "given|provided|supplied|attached|stated|official|reference|gold|known"

    private static let all: [LeakPattern] = [
        // What reference solutions are called.
        .init("reference|references \(between)? solution|solutions|answer|answers|text|response|value|result", .plain),
        .init("gold|golden \(between)? solution|solutions|answer|answers|label|standard", .plain),
        .init("ground truth|truths", .plain),
        .init("groundtruth", .plain),
        .init("worked solution|solutions", .plain),
        .init("expected|target answer", .plain),
        .init("given|provided|supplied|attached|official|known|sample|model \(between)? solution|solutions", .solution),
        .init("given|provided|supplied|attached|official|known \(between)? answer|answers", .answer),
        .init("given|provided|supplied|attached hint|hints", .plain),
        .init("model|sample \(between)? answer", .answer),
        // A solution that somebody else made.
        .init(
            "according|per|refer|referring|refers to? \(the) \(given)? \(between)? solution|answer|reference",
            .plain
        ),
        .init("based|relying on \(the) \(given)? \(between)? solution", .solution),
        .init("based|relying on \(the) \(given) \(between)? solution|answer", .plain),
        .init(
            "as given|shown|stated|seen|described|written|mentioned|explained|indicated in|by \(the) \(given)? "
                + "\(between)? solution|answer|reference|hint|key",
            .plain
        ),
        .init("as? \(the) \(given)? solution says|states|tells|indicates|mentions", .plain),
        .init("as \(the) \(given)? solution|answer shows|suggests|explains", .plain),
        .init("\(the) \(between)? solution|answer provided|supplied|above", .solution),
        .init("solution|answer that? is|was|we|i? are|were|was|am? given|provided|supplied to us|me|you", .plain),
        .init("in|from|by|to|with|per|on|matches|match|following|using|under \(the) reference", .reference),
        .init("\(the) reference says|states|shows|tells|gives|indicates|uses", .plain),
        .init("according|per|from|in|matches to? \(the) answer key", .plain),
        // Hints.
        .init(
            "according|thanks|due|per|from|by|using|with|following|consider|considering|given|on|use to? "
                + "the|this|your|our hint|hints",
            .hint
        ),
        .init("as? \(the) hint|hints says|said|states|tells|told|gives|gave|suggests|indicates|shows|mentions", .plain),
        .init(
            "we|i are|were|was|have|had|am been? given|told|provided|shown with? that? \(the) \(between)? "
                + "answer|hint",
            .answer
        ),
        .init(
            "we|i are|were|was|have|had|am been? given|told|provided|shown with? that? \(the) \(between)? solution",
            .solution
        ),
        .init(
            "you|prompt|user gave|give|gives|provided|told|mentioned|stated me|us? that? \(the) \(between)? "
                + "answer|result|solution",
            .plain
        ),
        // The right answer as a premise.
        .init("we|i already? know|knew that? the? \(right) answer|result|solution", .plain),
        .init("we|i already? know|knew that? the final? answer|result is|must|should|equals be? #", .conclusion),
        .init("since|because|as|knowing|given that? the \(right) answer|result is|was|must|should|equals", .plain),
        .init("since|because|as|knowing|given that? the final? answer is|must|should|equals be? #", .conclusion),
        .init("knowing|knows the \(right)? answer", .answer),
        .init(
            "match|matches|matching|matched the \(right)|given|provided|official|stated|known \(between)? "
                + "answer|result|solution",
            .plain
        ),
        .init(
            "reach|reaches|obtain|get|to|at|with the expected|given|provided|official|stated|known \(between)? "
                + "answer|result",
            .answer
        ),
        .init("answer|result is|was given|provided|known as|to|already|beforehand be? #", .plain),
    ]
}
