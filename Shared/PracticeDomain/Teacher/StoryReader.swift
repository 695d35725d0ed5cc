import Reasoning

/// Reads the stories of the built-in domain from their text alone.
enum StoryReader {
    struct Reading {
        var system: StorySystem
        var target: ProblemTarget
        var solution: StorySystem.Solution
    }

    private struct Bindings {
        var first = ""
        var second = ""
        var object = ""
        var number = 0
    }

    /// The story, what it asks and its solution; nil where the text is no such story.
    static func read(_ question: String) -> Reading? {
        guard question.utf8.count <= 8_000 else { return nil }
        let sentences = split(question)
        guard sentences.count <= 64 else { return nil }
        for world in StoryWorld.all {
            if let reading = read(sentences, in: world) { return reading }
        }
        return nil
    }

    private static func split(_ text: String) -> [[String]] {
        var sentences: [[String]] = []
        var current = ""
        for character in text {
            current.append(character)
            if ".?!".contains(character) {
                let words = SentencePattern.words(of: current)
                if !words.isEmpty { sentences.append(words) }
                current = ""
            }
        }
        let words = SentencePattern.words(of: current)
        if !words.isEmpty { sentences.append(words) }
        return sentences
    }

    private static func read(_ sentences: [[String]], in world: StoryWorld) -> Reading? {
        var facts: [Relation] = []
        var target: ProblemTarget?
        for sentence in sentences {
            guard let meaning = meaning(sentence, in: world) else { return nil }
            switch meaning {
            case .fact(let fact): facts.append(fact)
            case .question(let asked): target = asked
            }
        }
        let system = StorySystem(world: world, facts: facts)
        guard let target, let solution = system.solve(target) else { return nil }
        return Reading(system: system, target: target, solution: solution)
    }

    private enum Said {
        case fact(Relation)
        case question(ProblemTarget)
    }

    private static func meaning(_ words: [String], in world: StoryWorld) -> Said? {
        for kind in world.kinds {
            for pattern in kind.patterns {
                guard let found = match(words, pattern, world) else { continue }
                let first = Quantity(kind: kind.name, who: found.first, object: kind.countsThings ? found.object : "")
                let second = Quantity(kind: kind.name, who: found.second, object: first.object)
                switch pattern.meaning {
                case .given: return .fact(.given(first, found.number))
                case .more: return .fact(.more(first, second, found.number))
                case .times: return .fact(.times(first, second, found.number))
                case .timesFixed(let factor): return .fact(.times(first, second, factor))
                case .together: return .fact(.together(first, second, found.number))
                case .askValue: return .question(.value(first))
                case .askTogether: return .question(.together(first, second))
                case .askDifference: return .question(.difference(first, second))
                case .noise: continue
                }
            }
        }
        return world.noise.contains { match(words, $0, world) != nil } ? .fact(.noise) : nil
    }

    private static func match(_ words: [String], _ pattern: SentencePattern, _ world: StoryWorld) -> Bindings? {
        guard words.count == pattern.words.count else { return nil }
        var found = Bindings()
        for (word, slot) in zip(words, pattern.words) {
            switch slot {
            case "{P}":
                guard word.first?.isUppercase == true else { return nil }
                found.first = word
            case "{Q}":
                guard word.first?.isUppercase == true else { return nil }
                found.second = word
            case "{n}":
                guard let number = Int(word), (0...999_999).contains(number) else { return nil }
                found.number = number
            case "{o}":
                guard world.objects.contains(word) else { return nil }
                found.object = word
            default:
                guard word == slot else { return nil }
            }
        }
        return found
    }
}
