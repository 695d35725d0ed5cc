extension MemoryEstimate {
    /// The need in words: `about 2.1 GB (weights 0.5, gradients 0.5, optimizer 1.1, activations 0.3, …)`.
    public var text: String {
        let parts: [(String, Int)] = [
            ("weights", weights), ("reference", reference), ("gradients", gradients), ("optimizer", optimizer),
            ("activations", activations), ("the rest", base),
        ]
        let list = parts.filter { $0.1 > 0 }.map { "\($0.0) \(Self.gigabytes($0.1))" }.joined(separator: ", ")
        return "about \(Self.gigabytes(total)) GB (\(list))"
    }

    /// Checks the need against what there is.
    ///
    /// - Parameters:
    ///   - available: Bytes that there are; nil where that is not known, and nothing is refused.
    ///   - cures: What would make it fit, as the caller's user would say it, with the need that would be left; those that
    ///     fit are named.
    /// - Throws: ``TrainingError/insufficientMemory(_:)`` with the need, what there is, and the cures.
    public func check(available: Int?, cures: [(name: String, need: MemoryEstimate)]) throws {
        guard let available, total > available else { return }
        let fitting = cures.filter { $0.need.total <= available }
        let list = (fitting.isEmpty ? cures.filter { $0.need.total < total } : fitting)
            .map { "\($0.name) (\(Self.gigabytes($0.need.total)) GB)" }
        let cure =
            list.isEmpty
            ? "use a machine with more memory"
            : (fitting.isEmpty ? "none of these alone is enough: " : "it would fit with ")
                + list.joined(separator: ", ")
        throw TrainingError.insufficientMemory(
            "the training needs \(text), there are \(Self.gigabytes(available)) GB; \(cure)"
        )
    }

    private static func gigabytes(_ bytes: Int) -> String {
        let tenths = (Double(bytes) / 1e8).rounded(.up)
        return tenths < 1 ? "0.1" : "\(tenths / 10)"
    }
}
