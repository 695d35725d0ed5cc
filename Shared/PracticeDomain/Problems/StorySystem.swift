import Reasoning

/// The facts of one story and what follows from them.
package struct StorySystem: Sendable {
    /// A solved story: its calculations in order and the value that was asked for.
    package struct Solution: Hashable, Sendable {
        package var steps: [DerivationStep]
        package var value: Int
    }

    package var world: StoryWorld
    package var facts: [Relation]

    package init(world: StoryWorld, facts: [Relation]) {
        self.world = world
        self.facts = facts
    }

    /// Solves for the target by backward chaining; nil where the facts do not determine it in whole numbers.
    package func solve(_ target: ProblemTarget) -> Solution? {
        var search = Search(system: self)
        switch target {
        case .value(let quantity):
            guard let value = search.value(of: quantity, depth: 0) else { return nil }
            return Solution(steps: search.steps, value: value)
        case .together(let first, let second):
            guard let left = search.value(of: first, depth: 0), let right = search.value(of: second, depth: 0) else {
                return nil
            }
            let step = DerivationStep(subject: target, left: left, operation: "+", right: right, value: left + right)
            return Solution(steps: search.steps + [step], value: left + right)
        case .difference(let first, let second):
            guard let left = search.value(of: first, depth: 0), let right = search.value(of: second, depth: 0) else {
                return nil
            }
            let step = DerivationStep(subject: target, left: left, operation: "-", right: right, value: left - right)
            return Solution(steps: search.steps + [step], value: left - right)
        }
    }

    private struct Search {
        let system: StorySystem
        var known: [Quantity: Int] = [:]
        var open: Set<Quantity> = []
        var steps: [DerivationStep] = []
        var budget = 4_000

        init(system: StorySystem) { self.system = system }

        mutating func value(of quantity: Quantity, depth: Int) -> Int? {
            if let value = known[quantity] { return value }
            guard depth < 12, budget > 0, open.insert(quantity).inserted else { return nil }
            budget -= 1
            defer { open.remove(quantity) }
            for case .given(quantity, let number) in system.facts {
                known[quantity] = number
                return number
            }
            for fact in system.facts {
                if let value = fromComparison(quantity, fact, depth: depth) { return value }
            }
            for law in system.world.laws {
                if let value = fromLaw(quantity, law, depth: depth) { return value }
            }
            return nil
        }

        private mutating func fromComparison(_ quantity: Quantity, _ fact: Relation, depth: Int) -> Int? {
            switch fact {
            case .more(quantity, let other, let number):
                derive(quantity, from: other, "+", number, depth)
            case .more(let other, quantity, let number):
                derive(quantity, from: other, "-", number, depth)
            case .times(quantity, let other, let number):
                derive(quantity, from: other, "*", number, depth)
            case .times(let other, quantity, let number):
                derive(quantity, from: other, "/", number, depth)
            case .together(quantity, let other, let number), .together(let other, quantity, let number):
                derive(quantity, from: other, "complement", number, depth)
            default: nil
            }
        }

        private mutating func derive(
            _ quantity: Quantity,
            from other: Quantity,
            _ operation: String,
            _ number: Int,
            _ depth: Int
        ) -> Int? {
            let mark = steps.count
            guard let value = value(of: other, depth: depth + 1) else { return nil }
            let step =
                operation == "complement"
                ? make(quantity, number, "-", value) : make(quantity, value, operation.first ?? "+", number)
            return settle(step, quantity, mark)
        }

        private mutating func fromLaw(_ quantity: Quantity, _ law: WorldLaw, depth: Int) -> Int? {
            let (first, second, operation): (String, String, Character)
            switch quantity.kind {
            case law.total: (first, second, operation) = (law.left, law.right, law.operation)
            case law.left: (first, second, operation) = (law.total, law.right, law.operation == "+" ? "-" : "/")
            case law.right: (first, second, operation) = (law.total, law.left, law.operation == "+" ? "-" : "/")
            default: return nil
            }
            let mark = steps.count
            guard let one = system.sibling(of: quantity, kind: first),
                let other = system.sibling(of: quantity, kind: second),
                let left = value(of: one, depth: depth + 1), let right = value(of: other, depth: depth + 1)
            else {
                steps.removeSubrange(min(mark, steps.count)...)
                forget()
                return nil
            }
            return settle(make(quantity, left, operation, right, isByLaw: true), quantity, mark)
        }

        private mutating func settle(_ step: DerivationStep?, _ quantity: Quantity, _ mark: Int) -> Int? {
            guard let step else {
                steps.removeSubrange(min(mark, steps.count)...)
                forget()
                return nil
            }
            steps.append(step)
            known[quantity] = step.value
            return step.value
        }

        /// Values whose steps were taken back are no longer known.
        private mutating func forget() {
            known = [:]
            for step in steps {
                if case .value(let quantity) = step.subject { known[quantity] = step.value }
            }
        }

        private func make(
            _ quantity: Quantity,
            _ left: Int,
            _ operation: Character,
            _ right: Int,
            isByLaw: Bool = false
        ) -> DerivationStep? {
            StorySystem.calculate(left, operation, right).map {
                DerivationStep(
                    subject: .value(quantity),
                    left: left,
                    operation: operation,
                    right: right,
                    value: $0,
                    isByLaw: isByLaw
                )
            }
        }
    }

    /// A whole, positive result of up to six digits, or nil.
    package static func calculate(_ left: Int, _ operation: Character, _ right: Int) -> Int? {
        let value: Int
        switch operation {
        case "+": value = left + right
        case "-": value = left - right
        case "*": value = left * right
        default:
            guard right > 0, left % right == 0 else { return nil }
            value = left / right
        }
        return (1...999_999).contains(value) ? value : nil
    }

    /// The same person's quantity of another kind, with the story's things where that kind counts them.
    package func sibling(of quantity: Quantity, kind name: String) -> Quantity? {
        guard let kind = world.kind(name) else { return nil }
        guard kind.countsThings else { return Quantity(kind: name, who: quantity.who, object: "") }
        let object = quantity.object.isEmpty ? mainObject : quantity.object
        return Quantity(kind: name, who: quantity.who, object: object)
    }

    private var mainObject: String {
        for fact in facts {
            switch fact {
            case .given(let quantity, _), .more(let quantity, _, _), .times(let quantity, _, _),
                .together(let quantity, _, _):
                if !quantity.object.isEmpty { return quantity.object }
            case .noise: continue
            }
        }
        return world.objects.first ?? ""
    }
}
