package import Domain
import Postgres

/// The source behind a hook: what verifying a delivery needs.
package struct Hook: Sendable {
    package let source: SourceID
    package let organization: OrganizationID
    package let slug: Slug
    package let profile: String
    package let user: UserID
    package let isActive: Bool
    /// Opened; inside their window or not, which the verifier judges by receive time.
    package let keys: [HookKey]
}

/// One key of a source, opened.
package struct HookKey: Sendable {
    package let id: SourceKeyID
    package let label: String?
    package let secret: HiddenText
    package let notBefore: Timestamp?
    package let notAfter: Timestamp?
}

/// A secret of somebody else's making. Printing it shows nothing.
package struct HiddenText: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    private let open: @Sendable () -> String

    /// For text that was sealed in the database.
    package init(_ text: String) { open = { text } }

    /// The text. For the one who verifies with it, never for a log or an answer.
    package func reveal() -> String { open() }

    package var description: String { "…" }
    package var debugDescription: String { "…" }
}

extension Store {
    /// The hook of that id; nil where the database knows none. Throws, also for a key that the keyring cannot open:
    /// that is a fault of ours, never a refusal of the sender.
    package func hook(_ id: SourceID) async throws -> Hook? {
        let found = try await pool.query(
            """
            SELECT organization_id, slug, profile, mapping, time_zone, user_id, status FROM source_of_hook(\(id))
            """
        )
        guard let row = found.first else { return nil }
        let organization = try row.decode("organization_id", as: OrganizationID.self)
        let keys = try await read(as: organization) { transaction in
            try await transaction.query(
                """
                SELECT id, label, sealed, not_before, not_after FROM source_keys
                WHERE source_id = \(id) ORDER BY created_at DESC, id
                """
            )
        }
        return Hook(
            source: id,
            organization: organization,
            slug: try row.parse("slug"),
            profile: try row.decode("profile"),
            user: try row.decode("user_id"),
            isActive: try row.decode("status", as: String.self) == "active",
            keys: try keys.map { try opened($0, of: organization) }
        )
    }

    private func opened(_ row: PostgresRow, of organization: OrganizationID) throws -> HookKey {
        let id = try row.decode("id", as: SourceKeyID.self)
        let place = SealedPlace(organization: organization, row: id.description, field: "source_keys.sealed")
        let secret = try keyring.open(try row.decode("sealed"), for: place)
        return HookKey(
            id: id,
            label: try row.decode("label"),
            secret: HiddenText(String(decoding: secret, as: UTF8.self)),
            notBefore: try row.decode("not_before"),
            notAfter: try row.decode("not_after")
        )
    }
}
