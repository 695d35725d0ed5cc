// The image is built with the static Swift run time, which has no Testing, and builds this target with all others.
#if canImport(Testing)
package import Testing

/// Compares element by element: |a − b| ≤ atol · max|b| + rtol · |b|.
package func expectClose(
    _ actual: [Float],
    _ expected: [Float],
    rtol: Float = 1e-4,
    atol: Float = 1e-5,
    _ label: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard actual.count == expected.count else {
        Issue.record("\(label): \(actual.count) values, expected \(expected.count)", sourceLocation: sourceLocation)
        return
    }
    let scale = expected.map { abs($0) }.max() ?? 0
    for index in actual.indices {
        let limit = atol * max(scale, 1e-6) + rtol * abs(expected[index])
        if !(abs(actual[index] - expected[index]) <= limit) {
            Issue.record(
                "\(label)[\(index)]: \(actual[index]), expected \(expected[index])",
                sourceLocation: sourceLocation
            )
            return
        }
    }
}
#endif
