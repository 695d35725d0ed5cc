import CTensorKernels

/// The engine's hot loops for one instruction set.
///
/// A ``ComputeContext`` computes with one table. Tables differ in speed and in the last bits of a sum.
public struct KernelTable: Sendable, Hashable, CustomStringConvertible {
    /// A constant of the program.
    nonisolated(unsafe) let pointer: UnsafePointer<ctk_table>

    /// `baseline`, `avx2`, `avx512` or `avx512-bf16`; on ARM `neon`.
    public var name: String { String(cString: pointer.pointee.name) }

    /// Whether our own packed product is faster than sgemm on large matrices; see `Tests/Benchmarks/LOG.md`.
    var isWide: Bool { pointer.pointee.is_wide != 0 }

    /// The table's name.
    public var description: String { name }

    /// The tables of this build, the plainest first, whether or not the processor can run them.
    public static let all: [KernelTable] = {
        var tables: [KernelTable] = []
        while let table = ctk_table_at(Int32(tables.count)) { tables.append(KernelTable(pointer: table)) }
        return tables
    }()

    /// The tables that this processor can run, the plainest first; never empty.
    public static let available = all.filter { ctk_can_run($0.pointer) != 0 }

    /// The table that is fastest on this processor.
    public static let best = available[available.count - 1]

    private init(pointer: UnsafePointer<ctk_table>) { self.pointer = pointer }

    /// The table of a name.
    ///
    /// - Throws: ``EngineSettingError`` that lists the names where this one is unknown or the processor cannot run it.
    public init(named name: String) throws(EngineSettingError) {
        if let table = Self.available.first(where: { $0.name == name }) {
            self = table
            return
        }
        let names = Self.available.map(\.name).joined(separator: ", ")
        throw EngineSettingError(
            Self.all.contains { $0.name == name }
                ? "this processor cannot run the kernels \"\(name)\"; it can run \(names)"
                : "there are no kernels \"\(name)\"; this processor can run \(names)"
        )
    }
}
