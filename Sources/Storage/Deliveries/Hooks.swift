import Crypto
package import Domain
import Postgres

/// The source behind a hook: what verifying a delivery needs.
package struct Hook: Sendable {
    package let source: SourceID
    package let organization: OrganizationID
    package let slug: Slug
    package let profile: String
    package let user: UserID
    package let status: SourceStatus
    /// From where its sender may post; nil: from anywhere.
    package let ipAllowList: [NetworkRange]?
    /// From whom and for whom its tokens have to be.
    package let tokenParties: TokenParties
    /// One more for each key that came or went, and for other parties: under which of them a delivery was judged.
    package let keysVersion: Int64
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

    /// The first eight hex digits of its SHA-256: enough to tell two secrets apart.
    package var fingerprint: String {
        SHA256.hash(data: Array(reveal().utf8)).prefix(4).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    package var description: String { "…" }
    package var debugDescription: String { "…" }
}

extension Store {
    /// The hook of that id; nil where the database knows none. Throws, also for a key that the keyring cannot open:
    /// that is a fault of ours, never a refusal of the sender.
    package func hook(_ id: SourceID) async throws -> Hook? {
        let found = try await pool.query(
            """
            SELECT organization_id, slug, profile, user_id, status, ip_allow_list, keys_version,
                token_issuers, token_audiences
            FROM source_of_hook(\(id))
            """
        )
        guard let row = found.first else { return nil }
        let organization = try row.decode("organization_id", as: OrganizationID.self)
        let keys = try await read(as: organization) { try await $0.hookKeys(of: id) }
        return Hook(
            source: id,
            organization: organization,
            slug: try row.parse("slug"),
            profile: try row.decode("profile"),
            user: try row.decode("user_id"),
            status: try row.word("status"),
            ipAllowList: try row.networks("ip_allow_list"),
            tokenParties: try TokenParties(row: row),
            keysVersion: try row.decode("keys_version"),
            keys: keys
        )
    }
}

extension OrganizationTransaction {
    /// The keys of a source, the newest first. Throws for one that the keyring cannot open.
    func hookKeys(of source: SourceID) async throws -> [HookKey] {
        let rows = try await query(
            """
            SELECT id, label, sealed, not_before, not_after FROM source_keys
            WHERE source_id = \(source) ORDER BY created_at DESC, id
            """
        )
        return try rows.map(opened)
    }

    private func opened(_ row: PostgresRow) throws -> HookKey {
        let id = try row.decode("id", as: SourceKeyID.self)
        let secret = try store.keyring.open(
            try row.decode("sealed"),
            for: SealedSourceKey.place(of: id, in: organization)
        )
        return HookKey(
            id: id,
            label: try row.decode("label"),
            secret: HiddenText(String(decoding: secret, as: UTF8.self)),
            notBefore: try row.decode("not_before"),
            notAfter: try row.decode("not_after")
        )
    }
}
