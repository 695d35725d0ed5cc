/// Work in pieces that wait for one another, a few at a time.
struct JobGraph {
    /// One piece.
    struct Job: Sendable {
        /// Its name.
        var id: String
        /// The names of what must be done before.
        var needs: [String]
        /// What is done; it computes for minutes on the thread that it is given.
        var body: @Sendable () async throws -> Void
    }

    private(set) var jobs: [Job] = []

    /// Adds a piece of work behind those that it needs.
    mutating func add(_ id: String, needs: [String] = [], _ body: @escaping @Sendable () async throws -> Void) {
        jobs.append(Job(id: id, needs: needs, body: body))
    }

    /// Does all of it, `workers` pieces at a time, each as soon as what it needs is there and in the order given.
    ///
    /// - Throws: what the first piece that fails throws; those in progress are cancelled. ``ReproductionError`` for pieces
    ///   that need what is not among them.
    func run(workers: Int) async throws {
        try await withThrowingTaskGroup(of: String.self) { group in
            var done: Set<String> = []
            var left = jobs
            var running = 0
            func startReady() {
                while running < max(1, workers), let next = left.firstIndex(where: { done.isSuperset(of: $0.needs) }) {
                    let job = left.remove(at: next)
                    running += 1
                    group.addTask {
                        try Task.checkCancellation()
                        try await job.body()
                        return job.id
                    }
                }
            }
            startReady()
            while let finished = try await group.next() {
                running -= 1
                done.insert(finished)
                startReady()
            }
            guard left.isEmpty else {
                throw ReproductionError("nobody does what these need: \(left.map(\.id).joined(separator: ", "))")
            }
        }
    }
}
