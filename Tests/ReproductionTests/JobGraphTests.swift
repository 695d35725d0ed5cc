import Synchronization
import Testing

@testable import Reproduction

@Suite("Work in pieces that wait for one another")
struct JobGraphTests {
    private struct Failure: Error {}

    @Test("a piece comes after all that it needs, and so many run at a time", arguments: [1, 2, 3])
    func order(workers: Int) async throws {
        let log = Mutex<(running: Int, most: Int, done: [String])>((0, 0, []))
        var graph = JobGraph()
        func add(_ id: String, _ needs: [String]) {
            graph.add(id, needs: needs) {
                log.withLock {
                    $0.running += 1
                    $0.most = max($0.most, $0.running)
                }
                try await Task.sleep(for: .milliseconds(20))
                log.withLock {
                    $0.running -= 1
                    $0.done.append(id)
                }
            }
        }
        for index in 0..<4 { add("leaf \(index)", []) }
        add("middle", ["leaf 0", "leaf 3"])
        add("end", ["middle", "leaf 1"])
        try await graph.run(workers: workers)
        let (_, most, done) = log.withLock { $0 }
        #expect(Set(done).count == 6)
        #expect(most == workers)
        let place = Dictionary(uniqueKeysWithValues: done.enumerated().map { ($1, $0) })
        for (later, earlier) in [("middle", "leaf 0"), ("middle", "leaf 3"), ("end", "middle"), ("end", "leaf 1")] {
            let (after, before) = (try #require(place[later]), try #require(place[earlier]))
            #expect(after > before)
        }
    }

    @Test("the first failure ends the work, and nothing that needs it begins")
    func failure() async throws {
        let started = Mutex<[String]>([])
        var graph = JobGraph()
        graph.add("bad") { throw Failure() }
        graph.add("after", needs: ["bad"]) { started.withLock { $0.append("after") } }
        await #expect(throws: Failure.self) { try await graph.run(workers: 2) }
        #expect(started.withLock { $0.isEmpty })
    }
}
