/// The tree that templates, corrections and students' answers share, read leniently.
struct TaggedSteps {
    struct Step {
        var text = ""
        var keys: [String] = []
        var cause: String?
        var correction: String?
        /// The number in the step's tag or heading.
        var number: Int?
        /// What the tag or heading says beside it.
        var title = ""
    }

    /// How much beside tags is read.
    enum Reading: Sendable {
        /// Tags alone: what a student writes, who was taught to write them.
        case tags
        /// Also headings and labels, square brackets and escaped tags, where there are no tags of steps; and labels
        /// behind the steps in place of the tags of the method and the answer.
        case anyForm
    }

    static let maximumSteps = 64
    static let maximumKeys = 16

    /// Whether steps or key notes above the most that are kept were left out.
    private(set) var isCut = false
    private(set) var steps: [Step] = []
    private(set) var generalization: String?
    private(set) var answer: String?
    /// What stands outside of all elements, between the steps and behind them.
    private(set) var between = ""
    private(set) var tail = ""
    /// Whether steps stand in elements of their own; else they are read from headings.
    private(set) var hasTags = true

    /// Where a note or a remark was opened, and what goes on behind it.
    private var enclosing = Place.outside

    private enum Place {
        case outside
        case step
        case key
        case generalized
        case answer
        case cause
        case correction
        case remark
    }

    init(_ text: String, reading: Reading = .tags) {
        let events = TagScanner.scan(text)
        guard reading == .anyForm else {
            read(events[...])
            return
        }
        let form = TaggedForm(text, events)
        hasTags = form.hasTags
        for (index, version) in form.versions.enumerated() {
            var tree = TaggedSteps(hasTags: form.hasTags)
            tree.read(version)
            // A model that begins again means the last whole template; without a whole one, the last.
            if index == 0 || tree.answer != nil || answer == nil { self = tree }
        }
    }

    private init(hasTags: Bool) { self.hasTags = hasTags }

    private mutating func read(_ events: ArraySlice<TagEvent>) {
        var place = Place.outside
        var buffer = ""
        for index in events.indices {
            switch events[index] {
            case .text(let text):
                switch place {
                case .step: append(text)
                case .outside: note(text)
                default: buffer += text
                }
            case .title(let title):
                if place == .step, !steps.isEmpty { steps[steps.count - 1].title = title }
            case .open(let name, let number):
                // A second opening tag of the same kind is a closing tag without its slash.
                let reopened =
                    TaggedSteps.place(name) == place && place != .outside
                    && (place != .step || isCurrent(number, before: events[index...].dropFirst()))
                let outer = settle(place, &buffer)
                if reopened {
                    place = place == .step ? .outside : outer
                } else {
                    place = enter(name, number, from: outer)
                }
            case .close(let name, _):
                let outer = settle(place, &buffer)
                place = name == .step ? .outside : outer
            }
        }
        if place == .answer {
            // Of an answer that nothing closes, a line.
            let lines = buffer.split(whereSeparator: \.isNewline).map { String($0).trimmed }
            buffer = lines.first { !$0.isEmpty } ?? ""
        }
        _ = settle(place, &buffer)
    }

    private static func place(_ name: TagName) -> Place {
        switch name {
        case .step: .step
        case .key: .key
        case .generalized: .generalized
        case .answer: .answer
        case .cause: .cause
        case .correction: .correction
        case .remark: .remark
        case .verdict, .part, .reason, .other: .outside
        }
    }

    /// Whether a step's opening tag within a step closes that one.
    private func isCurrent(_ number: Int?, before rest: ArraySlice<TagEvent>) -> Bool {
        if let number { return number == steps.last?.number ?? steps.count }
        // `<Step>a<Step>b`: with text behind it, it opens the next one.
        for event in rest {
            guard case .text(let text) = event else { return true }
            if !text.trimmed.isEmpty { return false }
        }
        return true
    }

    private mutating func append(_ text: String) {
        guard !steps.isEmpty, !text.trimmed.isEmpty else { return }
        let piece = text.trimmed
        steps[steps.count - 1].text += steps[steps.count - 1].text.isEmpty ? piece : " " + piece
    }

    private mutating func note(_ text: String) {
        guard !steps.isEmpty else { return }
        tail += text + "\n"
    }

    private mutating func enter(_ name: TagName, _ number: Int?, from outer: Place) -> Place {
        let place = TaggedSteps.place(name)
        switch place {
        case .key, .cause, .correction, .remark: enclosing = outer == .step ? .step : .outside
        default: break
        }
        if place == .step {
            guard steps.count < TaggedSteps.maximumSteps else {
                isCut = true
                return .outside
            }
            steps.append(Step(number: number))
            between += tail
            tail = ""
        }
        return place
    }

    /// Stores what an element held; returns the place around it.
    private mutating func settle(_ place: Place, _ buffer: inout String) -> Place {
        let content = buffer.trimmed
        buffer = ""
        let last = steps.count - 1
        switch place {
        case .outside, .step: return place
        case .key:
            guard last >= 0, !content.isEmpty else { return enclosing }
            guard steps[last].keys.count < TaggedSteps.maximumKeys else {
                isCut = true
                return enclosing
            }
            steps[last].keys.append(content)
            return enclosing
        case .cause:
            if last >= 0, steps[last].cause == nil, !content.isEmpty { steps[last].cause = content }
            return enclosing
        case .correction:
            if last >= 0, steps[last].correction == nil, !content.isEmpty { steps[last].correction = content }
            return enclosing
        case .remark: return enclosing
        case .generalized:
            if !content.isEmpty { generalization = content }
            return .outside
        case .answer:
            if !content.isEmpty { answer = content }
            return .outside
        }
    }
}

extension TaggedSteps {
    /// The steps with their titles; a heading that stands alone before the same step in another form is part of it.
    var wholeSteps: [Step] {
        var whole: [Step] = []
        var title = ""
        for (index, step) in steps.enumerated() {
            var step = step
            if !title.isEmpty { step.title = title }
            title = ""
            let next = steps.indices.contains(index + 1) ? steps[index + 1] : nil
            if step.text.isEmpty, step.keys.isEmpty, let next, next.number == step.number, step.number != nil {
                title = step.title
                continue
            }
            if step.text.isEmpty {
                step.text = step.title
            } else if !step.title.isEmpty, !hasTags {
                let end = step.title.last.map { ".:!?".contains($0) } ?? true
                step.text = "\(step.title)\(end ? "" : ".") \(step.text)"
            }
            whole.append(step)
        }
        return whole
    }

    /// What is wrong with the order of steps; nil where they count up, or have no numbers, or all the same.
    func orderFault(of steps: [Step]) -> String? {
        let numbers = steps.compactMap(\.number)
        if let first = numbers.first, first > 1, Set(numbers).count == numbers.count {
            return "the first step is numbered \(first); those before it are missing"
        }
        let counts = numbers.map(String.init).joined(separator: ", ")
        if Set(numbers).count <= 1 { return nil }
        for (before, after) in zip(numbers, numbers.dropFirst()) where after <= before {
            return "the steps are numbered \(counts.prefix(80)); number them 1, 2, 3 in their order, once"
        }
        let isWhole = numbers.count == steps.count && zip(numbers, numbers.dropFirst()).allSatisfy { $0 + 1 == $1 }
        // With a number left out, what stands between the elements may have been a step.
        if !isWhole, !between.trimmed.isEmpty {
            return "the steps are numbered \(counts.prefix(80)), and text stands between them"
        }
        return nil
    }

    /// The bare answer, or what is announced behind the steps or in the last one.
    var finalAnswer: String? {
        if let answer { return AnswerElement.bare(answer) }
        return AnswerElement.announced(in: tail) ?? steps.last.flatMap { AnswerElement.announced(in: $0.text) }
            ?? generalization.flatMap { AnswerElement.announced(in: $0) }
    }
}
