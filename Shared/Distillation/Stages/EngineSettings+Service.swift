public import TensorEngine

extension EngineSettings {
    /// The settings that a service's configuration gives, adopted for all that it computes.
    ///
    /// - Parameters:
    ///   - threads: The value of `ERRATA_THREADS`; empty for the default.
    ///   - kernels: The value of `ERRATA_KERNELS`; empty for the default.
    /// - Returns: One line on what the service computes with, for its log.
    /// - Throws: `EngineSettingError` that names the key and what it may be.
    public static func adopt(threads: String, kernels: String) throws -> String {
        try EngineSettings(environment: [threadsKey: threads, kernelsKey: kernels]).adopt()
        return BLASRuntime.description
    }
}
