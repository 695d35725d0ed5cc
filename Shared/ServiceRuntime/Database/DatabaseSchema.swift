import Foundation
public import PostgresClient

/// The tables of Errata, as numbered migrations in the folder `Migrations`.
public enum DatabaseSchema {
    /// All migrations in order.
    public static var migrations: [Migration] {
        [
            migration(1, "delivery", PackageResources.V0001_delivery_sql),
            migration(2, "pipeline", PackageResources.V0002_pipeline_sql),
            migration(3, "outbox-refusals", PackageResources.V0003_outbox_refusals_sql),
            migration(4, "corruption-demonstrations", PackageResources.V0004_corruption_demonstrations_sql),
            migration(5, "key-step-tie-rules", PackageResources.V0005_key_step_tie_rules_sql),
            migration(6, "preference-layout", PackageResources.V0006_preference_layout_sql),
            migration(7, "recipes-and-rounds", PackageResources.V0007_recipes_and_rounds_sql),
            migration(8, "teacher-ledger", PackageResources.V0008_teacher_ledger_sql),
            migration(9, "problem-overlaps", PackageResources.V0009_problem_overlaps_sql),
            migration(10, "teaching-by-need", PackageResources.V0010_teaching_by_need_sql),
            migration(11, "teacher-batches", PackageResources.V0011_teacher_batches_sql),
            migration(12, "grader-stamps", PackageResources.V0012_grader_stamps_sql),
            migration(13, "delivery-identity", PackageResources.V0013_delivery_identity_sql),
            migration(14, "operators", PackageResources.V0014_operators_sql),
            migration(15, "snapshots-and-retention", PackageResources.V0015_snapshots_and_retention_sql),
            migration(16, "trace-context", PackageResources.V0016_trace_context_sql),
            migration(17, "messages-stored-first", PackageResources.V0017_messages_stored_first_sql),
            migration(18, "lookups", PackageResources.V0018_lookups_sql),
            migration(19, "row-versions", PackageResources.V0019_row_versions_sql),
            migration(20, "compression", PackageResources.V0020_compression_sql),
            migration(21, "key-steps-as-text", PackageResources.V0021_key_steps_as_text_sql),
            migration(22, "difficulty", PackageResources.V0022_difficulty_sql),
            migration(23, "verdict-names", PackageResources.V0023_verdict_names_sql),
            migration(24, "second-passes", PackageResources.V0024_second_passes_sql),
            migration(25, "job-changes", PackageResources.V0025_job_changes_sql),
            migration(26, "estimated-tokens", PackageResources.V0026_estimated_tokens_sql),
        ]
    }

    /// Brings a database up to this version.
    public static func migrate(_ pool: PostgresPool) async throws {
        try await pool.migrate(migrations)
    }

    private static func migration(_ version: Int, _ name: String, _ bytes: [UInt8]) -> Migration {
        Migration(version: version, name: name, sql: String(decoding: bytes, as: UTF8.self))
    }
}
