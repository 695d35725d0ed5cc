import Synchronization

/// Figures that are read when somebody asks for them, each source by itself: one that fails or hangs takes its own
/// series away and nothing else.
final class MetricSources: Sendable {
    private struct Source: Sendable {
        let name: String
        let freshFor: Duration
        let call: BoundedCall<[MetricSample]>
        var last: (samples: [MetricSample], readAt: ContinuousClock.Instant)?
    }

    private let sources = Mutex<[Source]>([])

    /// Adds a source, in place of one with the same name.
    ///
    /// `freshFor`: for how long what was read is given again without another reading.
    func register(
        _ name: String,
        freshFor: Duration,
        read: @escaping @Sendable () async throws -> [MetricSample]
    ) {
        sources.withLock { sources in
            sources.removeAll { $0.name == name }
            sources.append(Source(name: name, freshFor: freshFor, call: BoundedCall(read)))
        }
    }

    /// What all sources say, each waited for no longer than the limit; with ``MetricName/sourceUp`` of each.
    func samples(within limit: Duration) async -> [MetricSample] {
        let sources = sources.withLock { $0 }
        return await withTaskGroup(of: [MetricSample].self) { group in
            for source in sources {
                group.addTask { await self.samples(of: source, within: limit) }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func samples(of source: Source, within limit: Duration) async -> [MetricSample] {
        let up = MetricSample(.sourceUp, 1, ["source": source.name])
        if let last = source.last, last.readAt.duration(to: .now) < source.freshFor { return last.samples + [up] }
        guard case .value(let samples) = await source.call.outcome(within: limit) else {
            return [MetricSample(.sourceUp, 0, ["source": source.name])]
        }
        let readAt = ContinuousClock.now
        sources.withLock { sources in
            guard let index = sources.firstIndex(where: { $0.name == source.name && $0.call === source.call }) else {
                return
            }
            sources[index].last = (samples: samples, readAt: readAt)
        }
        return samples + [up]
    }
}
