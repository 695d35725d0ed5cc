import Testing

@testable import TensorEngine

@Suite("Kernel tables and what a process says of them")
struct KernelTableTests {
    @Test("the tests of operations run on every table of this processor")
    func tables() throws {
        let available = KernelTable.available.map(\.name)
        let missing = KernelTable.all.map(\.name).filter { !available.contains($0) }
        print("Kernel tables that operations are tested on: \(available.joined(separator: ", "))")
        print(
            "Kernel tables that this processor cannot run: \(missing.isEmpty ? "none" : missing.joined(separator: ", "))"
        )
        #expect(available.first == KernelTable.all.first?.name)
        #expect(KernelTable.best.name == available.last)
        #expect(Set(KernelTable.all.map(\.name)).count == KernelTable.all.count)
        for name in available {
            let table = try KernelTable(named: name)
            #expect(ComputeContext(threads: 1, kernels: table).kernelTable == table)
        }
    }

    @Test("a name that is unknown, or of a table that the processor cannot run, is an error that lists the names")
    func names() throws {
        let names = KernelTable.available.map(\.name).joined(separator: ", ")
        let unknown = #expect(throws: EngineSettingError.self) { try KernelTable(named: "avx3") }
        #expect(unknown?.message == "there are no kernels \"avx3\"; this processor can run \(names)")
        for table in KernelTable.all where !KernelTable.available.contains(table) {
            let unsupported = #expect(throws: EngineSettingError.self) { try KernelTable(named: table.name) }
            #expect(unsupported?.message == "this processor cannot run the kernels \"\(table)\"; it can run \(names)")
        }
    }

    @Test("contexts of different tables compute at the same time, each with its own")
    func together() async throws {
        var generator = SeededGenerator(seed: 3)
        let values = randomValues(64 * 200, &generator)
        @Sendable func product(_ kernels: KernelTable) throws -> [Float] {
            let context = ComputeContext(threads: 1, kernels: kernels)
            let x = try Tensor(values, shape: [64, 200], context: context)
            return try Tape(context: context, recording: false).linear(x, weight: x).values
        }
        let alone = try KernelTable.available.map { try product($0) }
        try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
            for round in 0..<8 {
                let index = round % alone.count
                group.addTask { (index, try product(KernelTable.available[index])) }
            }
            for try await (index, found) in group { #expect(found == alone[index]) }
        }
    }

    @Test("the environment decides threads and kernels, and empty values leave the defaults")
    func environment() throws {
        let defaults = EngineSettings()
        #expect(defaults.threads == min(16, ProcessorCount.available) && defaults.kernels == .best)
        #expect(try EngineSettings(environment: [:]) == defaults)
        #expect(try EngineSettings(environment: ["ERRATA_THREADS": "", "ERRATA_KERNELS": ""]) == defaults)
        let plain = try #require(KernelTable.all.first)
        let found = try EngineSettings(environment: ["ERRATA_THREADS": "3", "ERRATA_KERNELS": plain.name])
        #expect(found.threads == 3 && found.kernels == plain)
        // More than there are: whoever says so has a reason.
        #expect(try EngineSettings(environment: ["ERRATA_THREADS": "1024"]).threads == 1024)
    }

    @Test(
        "a setting that cannot be used is an error that names it",
        arguments: ["0", "-1", "1025", "two", "1.5", " 2", "2 ", "99999999999999999999"]
    )
    func threads(text: String) {
        let error = #expect(throws: EngineSettingError.self) {
            try EngineSettings(environment: ["ERRATA_THREADS": text])
        }
        #expect(
            error?.message.hasPrefix("ERRATA_THREADS is \"\(text)\"; it must be a whole number from 1 to 1024") == true
        )
    }

    @Test("unknown kernels are an error that names the variable and the kernels that there are")
    func kernels() throws {
        let error = #expect(throws: EngineSettingError.self) {
            try EngineSettings(environment: ["ERRATA_KERNELS": "fast"])
        }
        let message = try #require(error?.description)
        #expect(message.hasPrefix("ERRATA_KERNELS: there are no kernels \"fast\""))
        for table in KernelTable.available { #expect(message.contains(table.name)) }
    }

    @Test("the line for logs names the core type, the kernels in use, those there are, threads and processors")
    func description() {
        let settings = EngineSettings.ofProcess.settings
        let line = BLASRuntime.description
        #expect(line.contains("core type \(BLASRuntime.coreType)"))
        let names = KernelTable.available.map(\.name).joined(separator: ", ")
        #expect(line.contains("kernels \(settings.kernels.name) (of \(names))"))
        #expect(line.contains("\(settings.threads) threads on \(ProcessorCount.available) processors"))
        #expect(BLASRuntime.kernelInstructionSet == settings.kernels.name)
    }
}
