import TensorEngine

/// The largest value of each few neighbours of a row, which tells where large ones are without a look at each value again.
struct SegmentMaxima {
    /// Neighbours that are taken together.
    static let width = InferenceKernels.segmentWidth

    /// A value for each segment, the last of which may be shorter; −∞ for one of NaNs alone.
    let values: [Float]

    init(of row: UnsafeBufferPointer<Float>, context: ComputeContext) {
        let segments = (row.count + Self.width - 1) / Self.width
        values = Array(unsafeUninitializedCapacity: segments) { maxima, count in
            guard let source = row.baseAddress, let target = maxima.baseAddress else { return }
            InferenceKernels.segmentMaxima(context: context, source, into: target, count: row.count)
            count = segments
        }
    }

    /// The first of the largest values; NaN is passed over, except where it comes first.
    func firstLargest(in row: UnsafeBufferPointer<Float>) -> Int {
        guard let first = row.first, first == first else { return 0 }
        var best = 0
        for index in values.indices where values[index] > values[best] { best = index }
        let start = best * Self.width
        return (start..<min(start + Self.width, row.count)).first { row[$0] == values[best] } ?? 0
    }
}
