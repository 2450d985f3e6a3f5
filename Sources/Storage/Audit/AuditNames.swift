import Domain
import Postgres
import Transparency

extension OrganizationTransaction {
    /// Names of the things that entries mention, by their ids, for people who read them. What has no name, or is gone, is
    /// left out.
    package func names(mentionedIn entries: [AuditEntryView]) async throws -> [String: String] {
        var ids: [String: Set<String>] = [:]
        for entry in entries {
            for mention in ["actor", "target"].compactMap({ entry.members[$0] }) {
                guard let kind = mention["kind"]?.string, let id = mention["id"]?.string else { continue }
                ids[kind, default: []].insert(id)
            }
            for mention in entry.members["on_behalf_of"]?.array ?? [] {
                if let id = mention["id"]?.string { ids["person", default: []].insert(id) }
            }
            if let person = entry.members["person"]?.string { ids["person", default: []].insert(person) }
        }
        let users = ["member", "integration_user", "user"].reduce(into: Set<String>()) { $0.formUnion(ids[$1] ?? []) }
        let results = try await pipeline([
            "SELECT id, username AS name FROM users WHERE id = ANY(\(parsed(users, UserID.self)))",
            """
            SELECT id, coalesce(attributes ->> 'displayName', attributes ->> 'userName', external_id) AS name
            FROM people WHERE id = ANY(\(parsed(ids["person"], PersonID.self)))
            """,
            "SELECT id, name FROM integrations WHERE id = ANY(\(parsed(ids["integration"], IntegrationID.self)))",
            "SELECT id, client_name AS name FROM grants WHERE id = ANY(\(parsed(ids["grant"], GrantID.self)))",
            "SELECT id, slug AS name FROM sources WHERE id = ANY(\(parsed(ids["source"], SourceID.self)))",
            "SELECT id, name FROM workspaces WHERE id = ANY(\(parsed(ids["workspace"], WorkspaceID.self)))",
            "SELECT id, name FROM organizations WHERE id = ANY(\(parsed(ids["organization"], OrganizationID.self)))",
        ])
        var names: [String: String] = [:]
        try collect(results[0], UserID.self, into: &names)
        try collect(results[1], PersonID.self, into: &names)
        try collect(results[2], IntegrationID.self, into: &names)
        try collect(results[3], GrantID.self, into: &names)
        try collect(results[4], SourceID.self, into: &names)
        try collect(results[5], WorkspaceID.self, into: &names)
        try collect(results[6], OrganizationID.self, into: &names)
        return names
    }

    private func parsed<Kind>(_ ids: Set<String>?, _: ID<Kind>.Type) -> [ID<Kind>] {
        (ids ?? []).compactMap(ID<Kind>.init)
    }

    private func collect<Kind>(
        _ rows: PostgresRows,
        _: ID<Kind>.Type,
        into names: inout [String: String]
    ) throws {
        for row in rows { names[try row.decode("id", as: ID<Kind>.self).description] = try row.decode("name") }
    }
}
