// The product's migrations, embedded in the program: upward only, one purpose a file, never edited once released.
// A new file is added to `all` and to this target's resources in Package.swift; Tests/Gates/migrations compares both
// with the directory.

/// One migration, as its file stands in this directory.
package struct EmbeddedMigration: Sendable {
    /// File name without its ending: `0001_organizations`.
    package let name: String
    /// UTF-8 text of the file.
    package let sql: [UInt8]
}

/// Every migration, in the order in which they are applied.
package enum Migrations {
    package static let all: [EmbeddedMigration] = [
        EmbeddedMigration(name: "0001_organizations", sql: PackageResources._001_organizations_sql),
        EmbeddedMigration(name: "0002_people_and_users", sql: PackageResources._002_people_and_users_sql),
        EmbeddedMigration(name: "0003_sources", sql: PackageResources._003_sources_sql),
        EmbeddedMigration(name: "0004_deliveries_and_events", sql: PackageResources._004_deliveries_and_events_sql),
        EmbeddedMigration(
            name: "0005_integrations_and_grants",
            sql: PackageResources._005_integrations_and_grants_sql
        ),
        EmbeddedMigration(name: "0006_tokens", sql: PackageResources._006_tokens_sql),
        EmbeddedMigration(name: "0007_audit", sql: PackageResources._007_audit_sql),
        EmbeddedMigration(name: "0008_crossings", sql: PackageResources._008_crossings_sql),
        EmbeddedMigration(name: "0009_idempotency", sql: PackageResources._009_idempotency_sql),
        EmbeddedMigration(name: "0010_receiving", sql: PackageResources._010_receiving_sql),
        EmbeddedMigration(name: "0011_checking", sql: PackageResources._011_checking_sql),
        EmbeddedMigration(name: "0012_accounts", sql: PackageResources._012_accounts_sql),
        EmbeddedMigration(name: "0013_terms", sql: PackageResources._013_terms_sql),
        EmbeddedMigration(name: "0014_expiry", sql: PackageResources._014_expiry_sql),
        EmbeddedMigration(name: "0015_log", sql: PackageResources._015_log_sql),
        EmbeddedMigration(name: "0016_issuing", sql: PackageResources._016_issuing_sql),
        EmbeddedMigration(name: "0017_members", sql: PackageResources._017_members_sql),
        EmbeddedMigration(name: "0018_queries", sql: PackageResources._018_queries_sql),
        EmbeddedMigration(name: "0019_endings", sql: PackageResources._019_endings_sql),
        EmbeddedMigration(name: "0020_root_log", sql: PackageResources._020_root_log_sql),
        EmbeddedMigration(name: "0021_erasure", sql: PackageResources._021_erasure_sql),
    ]
}
