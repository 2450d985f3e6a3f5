/// What a call may do: `resource:action`, or one word for a whole door (`mcp`).
package struct Scope: Hashable, Comparable, Sendable, LosslessStringConvertible {
    package let description: String

    /// RFC 6749 3.3 `scope-token`, narrowed to lower-case letters, digits and `:._-`, at most 64 characters.
    package init?(_ description: String) {
        let allowed = description.utf8.allSatisfy { character in
            (97...122).contains(character) || (48...57).contains(character) || ":._-".utf8.contains(character)
        }
        guard allowed, (1...64).contains(description.utf8.count) else { return nil }
        self.description = description
    }

    /// Whether it reads and no more: its action is `read`, or begins with `read.`, or it only asks about tokens. A scope
    /// without an action opens a whole door, and so may change something.
    package var isReadOnly: Bool {
        guard let colon = description.firstIndex(of: ":") else { return false }
        let action = description[description.index(after: colon)...]
        return action == "read" || action.hasPrefix("read.") || self == .tokensIntrospect
    }

    /// Whether Rollcall keeps the name for itself: without an action, or of a resource of its own, now or one day.
    package var isReserved: Bool {
        let parts = description.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts.contains("") else { return true }
        let own = Set(Self.catalogue.map { $0.scope.description.prefix { $0 != ":" } })
        return own.contains(parts[0]) || Self.reservedResources.contains(String(parts[0]))
    }

    private static let reservedResources: Set<String> = [
        "apps", "approvals", "connections", "console", "deliveries", "email", "openid", "offline_access", "profile",
        "rollcall", "scopes", "secrets", "vault", "workspaces",
    ]

    private init(builtIn description: String) { self.description = description }

    package static func < (one: Scope, other: Scope) -> Bool { one.description < other.description }

    /// People of the grant's workspace.
    package static let peopleRead = Scope(builtIn: "people:read")
    /// The person for whom the user exists.
    package static let peopleReadSelf = Scope(builtIn: "people:read.self")
    package static let usersRead = Scope(builtIn: "users:read")
    package static let usersWrite = Scope(builtIn: "users:write")
    package static let integrationsRead = Scope(builtIn: "integrations:read")
    package static let integrationsWrite = Scope(builtIn: "integrations:write")
    package static let grantsRead = Scope(builtIn: "grants:read")
    package static let grantsWrite = Scope(builtIn: "grants:write")
    package static let sourcesRead = Scope(builtIn: "sources:read")
    package static let sourcesWrite = Scope(builtIn: "sources:write")
    package static let eventsRead = Scope(builtIn: "events:read")
    package static let eventsWrite = Scope(builtIn: "events:write")
    package static let auditRead = Scope(builtIn: "audit:read")
    package static let auditAppend = Scope(builtIn: "audit:append")
    package static let tokensIntrospect = Scope(builtIn: "tokens:introspect")
    /// Personal tokens of the caller, and for admins those of others and of workspaces.
    package static let tokensRead = Scope(builtIn: "tokens:read")
    package static let tokensWrite = Scope(builtIn: "tokens:write")
    package static let organizationWrite = Scope(builtIn: "organization:write")
    package static let mcp = Scope(builtIn: "mcp")
    package static let scim = Scope(builtIn: "scim")

    /// The built-in catalogue with what each scope opens, as `/v1/scopes` and the consent of an admin show it.
    package static let catalogue: [(scope: Scope, opens: String)] = [
        (.peopleRead, "Read people; with a grant, those of its workspace"),
        (.peopleReadSelf, "Read the person for whom the user exists"),
        (.usersRead, "Read users"),
        (.usersWrite, "Create and deactivate users"),
        (.integrationsRead, "Read integrations and workspaces"),
        (.integrationsWrite, "Create and change integrations"),
        (.grantsRead, "Read grants, never their secrets"),
        (.grantsWrite, "Create, change, suspend and end grants, and make claim links"),
        (.sourcesRead, "Read sources, never their keys"),
        (.sourcesWrite, "Create and change sources and their keys"),
        (.eventsRead, "Read deliveries and events"),
        (.eventsWrite, "Retry events"),
        (.auditRead, "Read the audit log"),
        (.auditAppend, "Append entries to the audit log"),
        (.tokensIntrospect, "Ask whether a token of the organization is good"),
        (.tokensRead, "Read personal and workspace tokens, never their values"),
        (.tokensWrite, "Make and revoke personal tokens, and, for security admins, workspace tokens"),
        (.organizationWrite, "Change the settings, workspaces and scopes of the organization"),
        (.mcp, "Use the MCP endpoint"),
        (.scim, "Use the SCIM endpoint"),
    ]
}

/// A set of scopes in a stable order.
package struct ScopeSet: Hashable, Sendable {
    /// Without repetition, in ascending order.
    package let scopes: [Scope]

    /// Takes repetitions and any order; may be empty.
    package init(_ scopes: some Sequence<Scope>) {
        self.scopes = Set(scopes).sorted()
    }

    /// RFC 6749 3.3: names parted by single spaces. Refuses an empty list and names that are no scopes.
    package init?(parsing text: String) {
        let names = text.split(separator: " ", omittingEmptySubsequences: false)
        let scopes = names.compactMap { Scope(String($0)) }
        guard !scopes.isEmpty, scopes.count == names.count else { return nil }
        self.init(scopes)
    }

    package static let all = ScopeSet(Scope.catalogue.map(\.scope))
    package static let none = ScopeSet([])

    package var isEmpty: Bool { scopes.isEmpty }
    package var names: [String] { scopes.map(\.description) }
    /// As RFC 6749 3.3 writes a list.
    package var joined: String { names.joined(separator: " ") }

    /// As sets of names: no scope implies another one.
    package func contains(_ scope: Scope) -> Bool { scopes.contains(scope) }
    package func isSubset(of other: ScopeSet) -> Bool { scopes.allSatisfy(other.contains) }
    package func intersection(_ other: ScopeSet) -> ScopeSet { ScopeSet(scopes.filter(other.contains)) }
    package func subtracting(_ other: ScopeSet) -> ScopeSet { ScopeSet(scopes.filter { !other.contains($0) }) }
}
