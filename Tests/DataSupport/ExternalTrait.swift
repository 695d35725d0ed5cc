// The image is built with the static Swift run time, which has no Testing, and builds this target with all others.
#if canImport(Testing)
package import Testing

extension Trait where Self == ConditionTrait {
    /// For suites over texts of others, which are no part of the project: they run where `ERRATA_TEST_DATA` names the
    /// folder with them, and are told as skipped where not.
    ///
    /// The name of such a suite begins with `External`: by it the test command picks the group.
    package static var external: Self {
        .enabled(if: TestData.externalFolder != nil, "reads texts of others: name their folder with ERRATA_TEST_DATA")
    }
}
#endif
