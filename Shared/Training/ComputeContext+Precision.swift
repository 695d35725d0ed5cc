import TensorEngine

extension ComputeContext {
    /// Runs `body` with matrix products in a precision, and puts back the one before, also when it throws.
    func withPrecision<Result>(_ precision: MatrixPrecision, _ body: () throws -> Result) rethrows -> Result {
        let before = matrixPrecision
        matrixPrecision = precision
        defer { matrixPrecision = before }
        return try body()
    }
}
