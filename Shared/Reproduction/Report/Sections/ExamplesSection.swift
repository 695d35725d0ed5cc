import Schemas

extension ReportDocument {
    /// Dual pairs, templates, corrections and solutions to look at.
    var examplesSection: Markup? {
        let examples = results.examples
        let parts: [(title: String, note: String, cards: [Markup])] = [
            (
                "Dual pairs",
                "Key tokens, those without a partner in the alignment of both chains, are underlined.",
                examples.duals.enumerated().map { card($0 + 1, $1) }
            ),
            (
                "Thought templates", "Steps with their key notes, the general method and the answer.",
                examples.templates.enumerated().map { card($0 + 1, $1) }
            ),
            (
                "Corrections",
                "The teacher sees the reference solution, the student does not. The first wrong step is the teacher's.",
                examples.corrections.enumerated().map { card($0 + 1, $1) }
            ),
            (
                "Solutions of held-out problems", "What students wrote, right and wrong.",
                examples.solutions.enumerated().map { card($0 + 1, $1) }
            ),
        ]
        let shown = parts.filter { !$0.cards.isEmpty }.map { part in
            "<h3>\(part.title)</h3>\n<p class=\"note\">\(part.note)</p>\n\(part.cards)" as Markup
        }
        return shown.isEmpty ? nil : "\(shown)"
    }

    private func card(_ number: Int, _ dual: Examples.Dual) -> Markup {
        """
        <article class="card">
        <h4>Pair \(number) <span class="note">\(dual.origin)</span></h4>
        \(Self.outside("Problem", dual.question))
        <div class="sides">
        <div class="side"><p class="label">Right chain</p><p class="outside">\(Self.pieces(dual.right, "right"))</p></div>
        <div class="side"><p class="label">Wrong chain</p><p class="outside">\(Self.pieces(dual.wrong, "wrong"))</p></div>
        </div>
        </article>
        """
    }

    private static func pieces(_ pieces: [Examples.Piece], _ side: String) -> Markup {
        let marked = pieces.map { piece -> Markup in
            piece.isKey ? "<mark class=\"\(side)\">\(piece.text)</mark>" : "\(piece.text)"
        }
        // No line breaks between the pieces: white space counts here.
        return marked.reduce("") { "\($0)\($1)" }
    }

    private func card(_ number: Int, _ template: Examples.Template) -> Markup {
        let body = template.body
        let steps = body.steps.enumerated().map { index, step in
            let notes = step.keyNotes.map {
                "<li><p class=\"outside\"><span class=\"tag key\">Key</span>\($0)</p></li>" as Markup
            }
            let list: Markup = notes.isEmpty ? "" : "\n<ul>\n\(notes)\n</ul>"
            return """
                <li><p class="outside"><span class="tag">Step \(index + 1)</span>\(step.text)</p>\(list)</li>
                """ as Markup
        }
        let general: Markup =
            body.generalization.isEmpty
            ? ""
            : "<li><p class=\"outside\"><span class=\"tag\">In general</span>\(body.generalization)</p></li>"
        return """
            <article class="card">
            <h4>Template \(number)</h4>
            \(Self.outside("Problem", template.question))
            <ul class="tree">
            \(steps)
            \(general)
            <li><p class="outside"><span class="tag">Answer</span>\(body.answer)</p></li>
            </ul>
            </article>
            """
    }

    private func card(_ number: Int, _ correction: Examples.Correction) -> Markup {
        let faulty = correction.teacher.firstWrongStep
        let steps = correction.steps.enumerated().map { index, step -> Markup in
            index == faulty
                ? "<li class=\"faulty\"><span class=\"flag\">\u{2717} first wrong step:</span> \(step)</li>"
                : "<li>\(step)</li>"
        }
        return """
            <article class="card">
            <h4>Correction \(number)</h4>
            \(Self.outside("Problem", correction.question))
            <p class="label">The attempt</p>
            <ol class="steps">
            \(steps)
            </ol>
            <div class="sides">
            <div class="side">
            \(Self.outside("The teacher", Self.named(faulty)))
            \(Self.outside("Cause", correction.teacher.cause))
            \(Self.outside("Correction", correction.teacher.correction))
            \(Self.outside("Answer", correction.teacher.answer))
            </div>
            <div class="side">
            \(student(correction.student, teacher: faulty))
            </div>
            </div>
            </article>
            """
    }

    private func student(_ own: SelfCorrection?, teacher: Int?) -> Markup {
        guard let own else { return Self.outside("The student", "wrote no correction") }
        let agrees = own.firstWrongStep == teacher ? "the teacher\u{2019}s step" : "not the teacher\u{2019}s step"
        let step = own.firstWrongStep == nil ? Self.named(nil) : "\(Self.named(own.firstWrongStep)) (\(agrees))"
        let cause = own.cause.map { Self.outside("Cause", $0) } ?? ""
        let correction = own.correction.map { Self.outside("Correction", $0) } ?? ""
        let output: Markup =
            own.cause == nil && own.correction == nil ? Self.outside("What it wrote", own.output) : ""
        let answer = Self.outside("Answer", own.answer ?? "none that can be read")
        return """
            \(Self.outside("The student", step))
            \(cause)
            \(correction)
            \(output)
            \(answer)
            <p>\(Self.flag(own.correct))</p>
            """
    }

    private func card(_ number: Int, _ solution: Examples.Solution) -> Markup {
        """
        <article class="card">
        <h4>Solution \(number) <span class="note">\(title(solution.arm))</span></h4>
        \(Self.outside("Problem", solution.question))
        \(Self.outside("The student", solution.output))
        <p>\(Self.flag(solution.isCorrect)) <span class="note">The gold answer is \(solution.gold).</span></p>
        </article>
        """
    }

    /// Text from outside under a label, with its line breaks.
    private static func outside(_ label: String, _ text: String) -> Markup {
        "<p class=\"label\">\(label)</p><p class=\"outside\">\(text)</p>"
    }

    private static func named(_ step: Int?) -> String {
        step.map { "names step \($0 + 1)" } ?? "names no step"
    }

    private static func flag(_ isRight: Bool) -> Markup {
        isRight
            ? "<span class=\"flag right\">\u{2713} right answer</span>"
            : "<span class=\"flag\">\u{2717} wrong answer</span>"
    }
}
