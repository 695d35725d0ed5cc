import ArgumentParser
import Foundation
import TensorEngine

/// Products of the engine against OpenBLAS called directly, in turn in one process.
struct Product: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "x [m, k] · weightᵀ, weight [n, k]: in float32, in bfloat16, and by OpenBLAS (sgemv where m is 1)."
    )

    @OptionGroup var options: CaseOptions
    @Option var m = 1024
    @Option var k = 1024
    @Option var n = 1024
    @Option(help: "Weights used in turn, so that they are read from memory as in decoding.") var copies = 1

    func run() throws {
        let context = ComputeContext(threads: options.threads)
        var generator = SeededGenerator(seed: 1)
        func normal(_ rows: Int, _ columns: Int) -> Tensor {
            let tensor = Tensor(zeros: [rows, columns], context: context)
            tensor.withMutableValues { values in
                for index in values.indices { values[index] = Float(generator.nextNormal()) }
            }
            return tensor
        }
        let x = normal(m, k)
        let weights = (0..<max(1, copies)).map { _ in normal(n, k) }
        let halves = weights.map { $0.converted(to: .bfloat16) }
        let result = Tensor(zeros: [m, n], context: context)

        /// What the engine does with a linear layer: the kernel of inference for one row, else the product of training.
        func ours(_ weight: Tensor) {
            guard m > 1 else {
                return InferenceKernels.products(of: x.pointer, rows: 1, by: [.init(weight, into: result.pointer)])
            }
            matrixProduct(
                context: context,
                transposeB: true,
                m: m,
                n: n,
                k: k,
                a: .float32(x.pointer),
                b: weight.matrix,
                c: result.pointer,
                accumulate: false
            )
        }
        let sides: [(name: String, precision: MatrixPrecision, run: () -> Void)] = [
            ("openblas", .float32, { for weight in weights { direct(weight) } }),
            ("float32", .float32, { for weight in weights { ours(weight) } }),
            ("bfloat16", .bfloat16, { for weight in halves { ours(weight) } }),
        ]
        func direct(_ weight: Tensor) {
            BLASRuntime.directProduct(
                threads: options.threads,
                transposeB: true,
                m: m,
                n: n,
                k: k,
                a: x.pointer,
                b: weight.pointer,
                c: result.pointer
            )
        }
        let timers = sides.map { _ in StepTimer(warmup: options.warmup) }
        for (side, timer) in zip(sides, timers) {
            // OpenBLAS's threads go on spinning for a while after a call.
            Thread.sleep(forTimeInterval: 0.2)
            context.matrixPrecision = side.precision
            timer.start()
            for _ in 0..<options.warmup + options.iterations {
                side.run()
                timer.lap()
            }
        }
        let work = 2 * Double(m * n) * Double(k) * Double(weights.count)
        for (side, timer) in zip(sides, timers) {
            let bytes = Double(n * k * weights.count * (side.name == "bfloat16" ? 2 : 4))
            timer.report(
                "product \(m)x\(k)x\(n) \(side.name)",
                [
                    "gflops": work / timer.median / 1e9,
                    "weight_gb_per_second": bytes / timer.median / 1e9,
                    "speed_to_openblas": timers[0].median / timer.median,
                ]
            )
        }
    }
}

/// What memory gives when it is only read.
struct Bandwidth: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Read bandwidth of the memory, gigabytes a second.")

    @OptionGroup var options: CaseOptions
    @Option(help: "Megabytes read.") var megabytes = 1_024

    func run() throws {
        let context = ComputeContext(threads: options.threads)
        let count = megabytes << 18
        let block = Tensor(zeros: [count], context: context)
        let pieces = options.threads * 16
        let totals = Tensor(zeros: [pieces], context: context)
        let timer = StepTimer(warmup: options.warmup)
        timer.start()
        for _ in 0..<options.warmup + options.iterations {
            context.parallel(pieces) { piece, _ in
                let part = UnsafeRawPointer(block.pointer + count / pieces * piece)
                var sums = (SIMD16<Float>.zero, SIMD16<Float>.zero, SIMD16<Float>.zero, SIMD16<Float>.zero)
                for offset in stride(from: 0, to: count / pieces * 4 / 256 * 256, by: 256) {
                    sums.0 += part.loadUnaligned(fromByteOffset: offset, as: SIMD16<Float>.self)
                    sums.1 += part.loadUnaligned(fromByteOffset: offset + 64, as: SIMD16<Float>.self)
                    sums.2 += part.loadUnaligned(fromByteOffset: offset + 128, as: SIMD16<Float>.self)
                    sums.3 += part.loadUnaligned(fromByteOffset: offset + 192, as: SIMD16<Float>.self)
                }
                totals.pointer[piece] = (sums.0 + sums.1 + sums.2 + sums.3).sum()
            }
            timer.lap()
        }
        let bytes = Double(count / pieces * 4 / 256 * 256 * pieces)
        timer.report("memory read", ["gb_per_second": bytes / timer.median / 1e9])
    }
}
