import Foundation
import PostgresClient
import Schemas
import ServiceRuntime
import TestSupport
import Testing

@testable import ErrataCLICore

@Suite("errata traces")
struct TracesCommandTests {
    /// Two problems of one data set and one of another, with traces of several kinds.
    private func withTraces(_ body: (PostgresPool) async throws -> Void) async throws {
        try await TestDatabase.withPool { pool in
            for (id, dataset) in [("p-1", "d"), ("p-2", "d"), ("p-3", "other")] {
                try await StoredTraces.insert(problem: id, answer: "2", dataset: dataset, in: pool)
            }
            try await StoredTraces.insert("t-1", of: "p-1", StoredTraces.chain("2", correct: true), in: pool)
            for (id, problem) in [("t-2", "p-2"), ("t-3", "p-3")] {
                try await StoredTraces.insert(
                    id,
                    of: problem,
                    StoredTraces.chain("3", correct: false),
                    failure: "the answer 3 is not 2",
                    failureKind: "wrong-answer",
                    in: pool
                )
            }
            // One of before the kind was told.
            try await StoredTraces.insert(
                "t-4",
                of: "p-1",
                .template(TemplateBody(steps: [], generalization: "", answer: "")),
                failure: "there is no\n<Answer> element",
                in: pool
            )
            try await body(pool)
        }
    }

    @Test("what was refused is counted by trace and reason, the most frequent first, old traces without a kind as -")
    func refused() async throws {
        try await withTraces { pool in
            let all = try await TraceStore.refusals(TraceFilter(), from: pool)
            #expect(all.map(\.kind) == ["chain-of-thought", "template"])
            #expect(all.map(\.failureKind) == ["wrong-answer", "-"] && all.map(\.count) == [2, 1])
            #expect(all.first?.example == "the answer 3 is not 2")
            let lines = TracesCommand.rendered(all).split(separator: "\n").map {
                $0.split(separator: " ").map(String.init)
            }
            try #require(lines.count == 4)
            #expect(lines[2].prefix(4) == ["chain-of-thought", "wrong-answer", "2", "the"])
            #expect(lines[3] == ["template", "-", "1", "there", "is", "no", "<Answer>", "element"], "a line is a line")

            let some = try await TraceStore.refusals(TraceFilter(dataset: "other"), from: pool)
            #expect(some.map(\.count) == [1])
            #expect(try await TraceStore.refusals(TraceFilter(kind: .template), from: pool).map(\.failureKind) == ["-"])
            #expect(try await TraceStore.refusals(TraceFilter(), limit: 1, from: pool).count == 1)
            #expect(try await TraceStore.refusals(TraceFilter(run: "no"), from: pool).isEmpty)
            #expect(TracesCommand.rendered([TraceStore.Refusals]()) == "nothing was refused")
        }
    }

    @Test("traces are listed page by page, by problem, data set, kind and verdict")
    func listed() async throws {
        try await withTraces { pool in
            func ids(_ filter: TraceFilter, after last: String = "", limit: Int = 10) async throws -> [String] {
                try await TraceStore.traces(filter, after: last, limit: limit, from: pool).map(\.id)
            }
            #expect(try await ids(TraceFilter()) == ["t-1", "t-2", "t-3", "t-4"])
            #expect(try await ids(TraceFilter(), after: "t-1", limit: 2) == ["t-2", "t-3"])
            #expect(try await ids(TraceFilter(problem: "p-1")) == ["t-1", "t-4"])
            #expect(try await ids(TraceFilter(dataset: "other")) == ["t-3"])
            #expect(try await ids(TraceFilter(kind: .chainOfThought, onlyRefused: true)) == ["t-2", "t-3"])
            let traces = try await TraceStore.traces(TraceFilter(problem: "p-1"), limit: 9, from: pool)
            let table = TracesCommand.rendered(traces)
            #expect(table.contains("t-1") && table.contains("there is no <Answer> element"))
            #expect(TracesCommand.rendered([TraceEvent]()) == "no trace")
            let first = try #require(traces.first)
            let line = try TracesCommand.line(of: first)
            #expect(try EventCoding.decode(TraceEvent.self, from: Data(line.utf8)) == first)
        }
    }
}
