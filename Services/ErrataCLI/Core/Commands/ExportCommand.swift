import ArgumentParser
import Distillation
import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime

/// `errata export`: what the teacher gave, as JSON lines.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write verified traces as JSON lines, for `errata import` or in TRL's layouts.",
        discussion: """
            The layout errata has a trace a line, with its problem and where it comes from; it can be imported again. The \
            layout trl has what a student learns: {"prompt", "completion"} of chains and templates, {"prompt", "chosen", \
            "rejected"} of dual pairs, and of corrections the student's prompt for one with the teacher's as "completion". \
            The field "errata" names the trace, the problem and the teacher.
            """
    )

    /// How a line is written.
    enum Layout: String, CaseIterable, ExpressibleByArgument {
        case errata, trl
    }

    @OptionGroup var system: SystemOptions

    @OptionGroup var selection: TraceSelection

    @Option(help: "errata or trl.")
    var layout = Layout.errata

    @Flag(help: "Refused traces too; only in the layout errata.")
    var refused = false

    func validate() throws {
        if refused, layout == .trl {
            throw ValidationError("--refused with --layout trl would train on refused traces; leave one of them out")
        }
        try selection.check()
    }

    func run() async throws {
        let count = try await system.withDatabase { pool in
            var count = 0
            try await selection.forEach(refused: refused, from: pool) { trace, problem in
                let line = layout == .errata ? ExportLine.errata(trace, problem) : ExportLine.trl(trace, problem)
                guard let line else { return }
                Terminal.out(String(decoding: try EventCoding.encodeJSON(line), as: UTF8.self))
                count += 1
            }
            return count
        }
        Terminal.error("wrote \(count) traces")
    }
}

/// Which traces are meant.
struct TraceSelection: ParsableArguments {
    @Option(help: "chain-of-thought, dual, template or correction; all of them unless given.")
    var kind: String?

    @Option(help: "Only problems of this data set.")
    var dataset: String?

    @Option(help: "Only problems of this split.")
    var split: String?

    @Option(
        help: """
            Only what a run's stages learn from: traces of the kinds that they need, of problems that they do not leave out, \
            and corrections of its students' attempts.
            """
    )
    var run: String?

    /// The kinds that a student can learn from.
    static let kinds: [TraceKind] = [.chainOfThought, .dual, .template, .correction]

    func check() throws {
        if let kind, !Self.kinds.map(\.rawValue).contains(kind) {
            let known = Self.kinds.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--kind must be one of \(known), not '\(kind)'")
        }
        if let split, ProblemSplit(rawValue: split) == nil {
            throw ValidationError("--split must be train, rollout, development or test, not '\(split)'")
        }
    }

    /// Hands each trace with its problem to `body`, in order of the problem's id.
    func forEach(
        refused: Bool,
        from pool: PostgresPool,
        _ body: (TraceEvent, ProblemEvent) throws -> Void
    ) async throws {
        let learner: RunEvent?
        if let run { learner = try await RunReference.find(run, from: pool) } else { learner = nil }
        try await TraceStore.forEachWithProblem(
            kinds: kind.flatMap(TraceKind.init(rawValue:)).map { [$0] } ?? Self.kinds,
            dataset: dataset,
            split: split.flatMap(ProblemSplit.init(rawValue:)),
            run: learner,
            refused: refused,
            from: pool,
            body
        )
    }
}

/// A trace as a line of `errata export`.
enum ExportLine {
    /// A line that `errata import` reads; nil of a kind that it does not.
    static func errata(_ trace: TraceEvent, _ problem: ProblemEvent) -> JSONValue? {
        var fields: [String: JSONValue] = [
            "id": .string(trace.id), "problemId": .string(problem.id), "kind": .string(trace.kind.rawValue),
            "verified": .bool(trace.verified), "model": .string(trace.teacher.model),
        ]
        if let failure = trace.failure { fields["failure"] = .string(failure) }
        if let kind = trace.failureKind { fields["failureKind"] = .string(kind) }
        if let attempt = trace.attemptId { fields["attemptId"] = .string(attempt) }
        if let run = trace.runId { fields["runId"] = .string(run) }
        switch trace.body {
        case .chainOfThought(let body): fields["text"] = .string(body.text)
        case .dual(let body):
            fields["right"] = .string(body.right)
            fields["wrong"] = .string(body.wrong)
            fields["method"] = .string(body.method.rawValue)
            if body.mistakeSource == .teacher, let mistake = body.mistake { fields["mistake"] = .string(mistake) }
        case .template(let body): fields["template"] = json(body)
        case .correction(let body): fields["correction"] = json(body)
        case .inspectorVerdict: return nil
        }
        fields["problem"] = json(problem)
        fields["teacher"] = json(trace.teacher)
        return .object(fields)
    }

    /// What a student learns from it, as TRL lays it out; nil where it learns nothing.
    static func trl(_ trace: TraceEvent, _ problem: ProblemEvent) -> JSONValue? {
        var fields: [String: JSONValue]
        switch trace.body {
        case .chainOfThought(let body):
            fields = [
                "prompt": .string(StudentFormat.chainOfThought.prompt(question: problem.question)),
                "completion": .string(StudentFormat.response(chain: body.text, answer: problem.answer)),
            ]
        case .dual(let body):
            guard let wrong = body.wrongAnswer else { return nil }
            fields = [
                "prompt": .string(StudentFormat.chainOfThought.prompt(question: problem.question)),
                "chosen": .string(StudentFormat.response(chain: body.right, answer: problem.answer)),
                "rejected": .string(StudentFormat.response(chain: body.wrong, answer: wrong)),
            ]
        case .template(let body):
            fields = [
                "prompt": .string(StudentFormat.hierarchicalThought.prompt(question: problem.question)),
                "completion": .string(StudentFormat.response(template: ThoughtTemplate(body))),
            ]
        case .correction(let body):
            guard body.firstWrongStep != nil else { return nil }
            fields = [
                "prompt": .string(StudentFormat.correctionPrompt(question: problem.question, attempt: body.steps)),
                "completion": .string(StudentFormat.response(correction: CorrectionTrace(body))),
            ]
        case .inspectorVerdict: return nil
        }
        fields["errata"] = .object([
            "trace": .string(trace.id), "kind": .string(trace.kind.rawValue), "problem": .string(problem.id),
            "dataset": .string(problem.dataset), "split": .string(problem.split.rawValue),
            "teacher": .string(trace.teacher.model),
        ])
        return .object(fields)
    }

    private static func json(_ value: some Encodable) -> JSONValue {
        guard let data = try? EventCoding.encodeJSON(value) else { return .null }
        return (try? EventCoding.decodeJSON(JSONValue.self, from: data)) ?? .null
    }
}
