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

    // MARK: The patterns

    /// Short names for lists of words that many patterns have.
    private static let right = "correct|right|true|actual|expected"
    private static let the = "the|this|that|your|our|my|its"
    private static let between = "correct|right|final|worked|known|expected|numerical|full|complete|detailed|official"
    private static let given = "given|provided|supplied|attached|stated|official|reference|gold|known"
    private static let found = "solution|solutions|answer|answers"
    private static let told = "are|were|was|have|had|am been? given|told|provided|shown with? that?"
    private static let premise =
        "that? the \(right) answer|solution is|was|must|should|equals be? #|b|c|d|e|given|known"

    /// The patterns by context, one a line.
    private static let lists: [(Context, String)] = [
        (
            .plain,
            """
            reference|references \(between)? \(found)|text|response|value|result
            gold|golden \(between)? \(found)|label|standard
            ground truth|truths
            groundtruth
            worked solution|solutions
            expected|target answer
            given|provided|supplied|attached hint|hints
            according|per|refer|referring|refers to? \(the) \(given)? \(between)? solution|answer|reference
            based|relying on \(the) \(given) \(between)? solution|answer
            as given|shown|stated|seen|described|written in|by \(the) \(given)? \(between)? solution|answer|reference
            as mentioned|explained|indicated in|by \(the) \(given)? \(between)? solution|answer|reference|hint|key
            as? \(the) \(given)? solution says|states|tells|indicates|mentions
            as \(the) \(given)? solution|answer shows|suggests|explains
            solution|answer that? is|was|we|i? are|were|was|am? given|provided|supplied to us|me|you
            \(the) reference says|states|shows|tells|gives|indicates|uses
            according|per|from|in|matches to? \(the) answer key
            as? \(the) hint|hints says|said|states|tells|told|gives|gave|suggests|indicates|shows|mentions
            you|prompt|user gave|give|gives|provided|told|mentioned me|us? that? \(the) \(between)? answer|solution
            we|i already? know|knew that? the? \(right) answer|result|solution
            since|because|as|knowing|given \(premise)
            to|at|reach|reaches|obtain|get the correct|right|desired answer|result of|which|that? is? #
            see|seen|know|follows|read from|in \(the) solution|reference
            \(the) hint is|was #
            answer|result should|must be # as given|stated|provided
            match|matches|matching|matched the \(right) \(between)? answer|result|solution
            match|matches|matching|matched the given|provided|official|stated|known \(between)? answer|result
            answer|result is|was given|provided|known as|to|already|beforehand be? #
            """
        ),
        (
            .solution,
            """
            given|provided|supplied|attached|official|known|sample|model \(between)? solution|solutions
            based|relying on \(the) \(between)? solution
            \(the) \(between)? solution|answer provided|supplied|above
            we|i \(told) \(the) \(between)? solution
            """
        ),
        (
            .answer,
            """
            given|provided|supplied|attached|stated|official|known \(between)? answer|answers
            model|sample \(between)? answer
            we|i \(told) \(the) \(between)? answer|hint
            knowing|knows the \(right)? answer
            reach|reaches|obtain|get|to|at|with the expected|given|provided|official|stated|known answer|result
            """
        ),
        (.reference, "in|from|by|to|with|per|on|matches|match|following|using|under \(the) reference"),
        (
            .hint,
            """
            according|thanks|due|consider|considering to? the|this|your|our hint|hints
            per|from|by|using|with|following|given|on|use the|this|your|our hint|hints
            """
        ),
        (
            .conclusion,
            """
            we|i already? know|knew that? the final? answer|result is|must|should|equals be? #
            since|because|as|knowing|given that? the final? answer is|must|should|equals be? #
            """
        ),
    ]

    private static let all: [LeakPattern] = lists.flatMap { context, text in
        text.split(separator: "\n").map { LeakPattern(String($0), context) }
    }
}
