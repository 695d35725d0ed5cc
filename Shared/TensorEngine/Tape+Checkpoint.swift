extension Tape {
    /// Computes `body(x)` without keeping what it computes on the way; going backwards it is computed again.
    ///
    /// The values and gradients are bit for bit those of calling `body` on this tape, for the same kernels run twice on
    /// the same numbers. `body` must depend on nothing that changes in between, must use the tape that it is given, and
    /// must not add gradients while it computes.
    /// - Parameters:
    ///   - x: What the result is computed from, beside weights.
    ///   - body: The computation.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func checkpoint(_ x: Tensor, _ body: @escaping (Tape, Tensor) throws -> Tensor) throws -> Tensor {
        guard isRecording else { return try body(self, x) }
        // A recording tape, for a tape that does not record may compute something else (dropout is left out); dropping
        // it frees what it kept.
        let y = try body(Tape(context: context), x)
        guard y.requiresGradient else { return y }
        x.isKept = true
        record { [context] in
            guard let dy = y.gradientBuffer else { return }
            let again = Tape(context: context, recording: true, releases: false)
            let result = try body(again, x)
            result.gradientBuffer = dy
            y.gradientBuffer = nil
            try again.backward()
        }
        return y
    }
}
