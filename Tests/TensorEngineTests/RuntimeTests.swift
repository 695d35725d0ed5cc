import Foundation
import NumericSupport
import TensorEngine
import Testing

@Suite("Engine runtime")
struct RuntimeTests {
    @Test("a seed gives the same numbers, streams differ, and a stored generator goes on where it was")
    func generator() throws {
        var first = SeededGenerator(seed: 7)
        var second = SeededGenerator(seed: 7)
        var other = SeededGenerator(seed: 7, stream: 1)
        let numbers = (0..<8).map { _ in first.next() }
        #expect(numbers == (0..<8).map { _ in second.next() })
        #expect(numbers != (0..<8).map { _ in other.next() })
        var restored = try JSONDecoder().decode(SeededGenerator.self, from: JSONEncoder().encode(first))
        #expect(restored.next() == first.next())
        let normals = (0..<20_000).map { _ in first.nextNormal() }
        let mean = normals.reduce(0, +) / 20_000
        let variance = normals.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
        #expect(abs(mean) < 0.03)
        #expect(abs(variance - 1) < 0.05)
    }

    @Test("every index of a parallel region runs once, whatever the number of threads", arguments: [1, 2, 5])
    func parallel(threads: Int) {
        let context = ComputeContext(threads: threads)
        for count in [0, 1, 2, 17, 1000] {
            let counts = UnsafeMutablePointer<Int>.allocate(capacity: count + 1)
            counts.initialize(repeating: 0, count: count + 1)
            context.parallel(count) { index, worker in
                counts[index] += 1
                if worker >= threads { counts[index] = -1 }
            }
            #expect((0..<count).allSatisfy { counts[$0] == 1 })
            counts.deallocate()
        }
    }

    @Test("AdamW follows its definition, decay and clipping included", arguments: KernelTable.available)
    func adamW(kernels: KernelTable) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 31)
        var p = (0..<37).map { _ in generator.nextNormal() }
        var m = [Double](repeating: 0, count: 37)
        var v = m
        let tensor = try Tensor(p.map { Float($0) }, shape: [37], context: context, requiresGradient: true)
        let optimizer = AdamW(
            parameters: [AdamW.Parameter(name: "p", tensor: tensor, decays: true)],
            beta1: 0.8,
            beta2: 0.95,
            epsilon: 1e-6,
            weightDecay: 0.1
        )
        for update in 1...5 {
            let g = (0..<37).map { _ in generator.nextNormal() }
            try Tape(context: context).seed(tensor, with: g.map { Float($0) })
            let norm = optimizer.step(learningRate: 0.01, maximumNorm: 1)
            let expectedNorm = g.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(abs(norm - expectedNorm) < 1e-5)
            for i in 0..<37 {
                let clipped = g[i] * min(1, 1 / (expectedNorm + 1e-6))
                m[i] = 0.8 * m[i] + 0.2 * clipped
                v[i] = 0.95 * v[i] + 0.05 * clipped * clipped
                let root = (v[i] / (1 - pow(0.95, Double(update)))).squareRoot() + 1e-6
                p[i] = p[i] * (1 - 0.01 * 0.1) - 0.01 * (m[i] / (1 - pow(0.8, Double(update)))) / root
            }
        }
        expectClose(tensor.values, p.map { Float($0) }, "parameters")
    }

    @Test("buffers are used again")
    func bufferReuse() {
        let context = ComputeContext(threads: 1)
        for _ in 0..<100 { _ = Tensor(zeros: [100, 10], context: context) }
        #expect(context.buffers.systemAllocations == 1)
    }

    @Test("a region inside a region runs each of its indices once, on the worker that opens it", arguments: [1, 2, 5])
    func nested(threads: Int) {
        let context = ComputeContext(threads: threads)
        let other = ComputeContext(threads: 2)
        let (outer, inner) = (40, 30)
        let counts = UnsafeMutablePointer<Int>.allocate(capacity: 2 * outer * inner)
        defer { counts.deallocate() }
        counts.initialize(repeating: 0, count: 2 * outer * inner)
        for _ in 0..<20 {
            context.parallel(outer) { index, worker in
                context.parallel(inner) { second, own in
                    counts[index * inner + second] += own == worker ? 1 : 1000
                }
                // Another context's workers are free, but belong to one caller at a time.
                if index == 0 {
                    other.parallel(outer * inner) { second, _ in counts[outer * inner + second] += 1 }
                }
            }
        }
        #expect((0..<2 * outer * inner).allSatisfy { counts[$0] == 20 })
        #expect(context.threads == threads)
    }

    @Test("a buffer cannot be taken inside a parallel region, nor a released value be read there")
    func regionContracts() async {
        await #expect(processExitsWith: .failure) {
            let context = ComputeContext(threads: 2)
            context.parallel(4) { _, _ in _ = context.buffers.take(10) }
        }
        await #expect(processExitsWith: .failure) {
            let context = ComputeContext(threads: 1)
            let x = Tensor(zeros: [4, 16], context: context, requiresGradient: true)
            let tape = Tape(context: context)
            let y = try tape.rmsNorm(x, weight: Tensor(zeros: [16], context: context), epsilon: 1e-6)
            tape.release(y)
            context.parallel(1) { _, _ in _ = y.pointer }
        }
        // The same outside of a region is what release is for.
        await #expect(processExitsWith: .success) {
            let context = ComputeContext(threads: 1)
            let x = Tensor(zeros: [4, 16], context: context, requiresGradient: true)
            let tape = Tape(context: context)
            let y = try tape.rmsNorm(x, weight: Tensor(zeros: [16], context: context), epsilon: 1e-6)
            tape.release(y)
            _ = y.pointer
        }
    }
}
