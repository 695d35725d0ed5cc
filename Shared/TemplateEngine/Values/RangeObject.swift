/// Python's `range`.
final class RangeObject: Object {
    /// As many items as the sandbox allows a range to have.
    static let maximumCount = 100_000

    let start: Int
    let stop: Int
    let step: Int
    let count: Int

    /// A range with a step that is not zero; one that is too long is an error.
    init(start: Int, stop: Int, step: Int) throws {
        self.start = start
        self.stop = stop
        self.step = step
        let distance = step > 0 ? stop.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(stop)
        guard distance.overflow || distance.partialValue > 0 else {
            count = 0
            return
        }
        let count = distance.overflow ? .max : Int(UInt(distance.partialValue - 1) / step.magnitude) + 1
        guard count <= Self.maximumCount else {
            throw TemplateError(
                .limit,
                "Range too big. The sandbox blocks ranges larger than MAX_RANGE (\(Self.maximumCount))."
            )
        }
        self.count = count
    }

    /// `range(…)` in a template.
    static func make(_ arguments: Arguments) throws -> RangeObject {
        guard arguments.keywords.isEmpty else {
            throw TemplateError(.type, "range() takes no keyword arguments")
        }
        let bound = try arguments.bound(to: Signature("range", ["start", "stop", "step"], required: 1))
        let first = try bound.integer(0)
        guard bound[1] != nil else { return try RangeObject(start: 0, stop: first, step: 1) }
        let step = try bound.integer(2, default: 1)
        guard step != 0 else { throw TemplateError(.value, "range() arg 3 must not be zero") }
        return try RangeObject(start: first, stop: try bound.integer(1), step: step)
    }

    override var typeName: String { "range" }

    override var isTrue: Bool { count > 0 }

    override var length: Int? { count }

    override var isIterable: Bool { true }

    override var isSequence: Bool { true }

    override func representation(_ interpreter: Interpreter) throws -> Text {
        Text("range(\(start), \(stop)\(step == 1 ? "" : ", \(step)"))")
    }

    subscript(position: Int) -> Int { start + position * step }

    override func item(_ key: Value, _ interpreter: Interpreter) throws -> Value? {
        guard let index = key.index else { return nil }
        let position = index < 0 ? index + count : index
        return (0..<count).contains(position) ? .int(self[position]) : nil
    }

    func slice(first: Int, count: Int, step: Int) throws -> RangeObject {
        let (stride, overflow) = self.step.multipliedReportingOverflow(by: step)
        guard count > 0, !overflow else { return try RangeObject(start: start, stop: start, step: 1) }
        let start = self[first]
        let (span, isTooFar) = count.multipliedReportingOverflow(by: stride)
        let (stop, isBeyond) = start.addingReportingOverflow(span)
        let end = isTooFar || isBeyond ? (stride > 0 ? Int.max : Int.min) : stop
        return try RangeObject(start: start, stop: end, step: stride)
    }

    override func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? {
        switch name.string {
        case "start": .int(start)
        case "stop": .int(stop)
        case "step": .int(step)
        default: nil
        }
    }

    override func iterator(_ interpreter: Interpreter) throws -> ValueIterator {
        var position = 0
        return ValueIterator("range_iterator", depth: 0) { [self] _ in
            guard position < count else { return nil }
            position += 1
            return .int(self[position - 1])
        }
    }

    override func isEqual(to other: Object, _ interpreter: Interpreter) throws -> Bool {
        guard let other = other as? RangeObject, other.count == count else { return false }
        return count == 0 || start == other.start && (count == 1 || step == other.step)
    }
}
