import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let grants: [Operation] = [
        .list(
            "listGrants",
            "/v1/grants",
            .scope([.grantsRead, .tokensRead]),
            .grantRead,
            "Grants, oldest first, never their secrets; whoever may not read grants sees those whose secrets they keep",
            of: .grant,
            by: GrantID.self
        ) { call, step in
            let keeper = try call.keeper
            return try await call.read { try await $0.grants(keptBy: keeper, after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .create(
            "createGrant",
            "/v1/grants",
            .scope(.grantsWrite),
            .grantCreated,
            "Grant access to a user of an integration; its secret is claimed by a claim link",
            body: .newGrant,
            answers: .grant,
            waiting: .approval
        ) { call in
            let new: NewGrant = try call.decode()
            try AccessMembers.requireAllowList(in: call.body)
            let terms = try new.members.terms(in: try await call.catalogue(for: new.members.scopes))
            try call.refuseSelfWidening(by: terms.scopes)
            let creation = GrantCreation(
                terms,
                to: .username(new.members.username),
                in: try AccessMembers.workspace(new.workspace),
                by: call.attribution,
                store: call.store
            )
            return try await call.create(GrantRequest(creation, by: call.caller, call.attribution)) { $0.json(\.json) }
        },
        .read(
            "getGrant",
            "/v1/grants/{id}",
            .scope([.grantsRead, .tokensRead]),
            .grantRead,
            "One grant, never its secret; its custodian may always",
            target: .grant,
            answers: .grant,
            hasTag: true
        ) { call in
            let grant = try await call.grant(keptBy: try call.keeper)
            return .read(grant.json, version: grant.version, person: grant.person)
        },
        .change(
            "changeGrant",
            "/v1/grants/{id}",
            .scope(.grantsWrite),
            .grantUpdated,
            "Change client name, expiry, scopes, addresses or user of a grant; another user ends its secrets and tokens",
            target: .grant,
            body: .grantChange,
            answers: .grant,
            waiting: .approval
        ) { call in
            let version = try call.expectedVersion()
            let current = try await call.grant()
            let wanted: GrantMembers = try call.patched(current.members, confirms: true)
            let terms = try wanted.terms(in: try await call.catalogue(for: wanted.scopes))
            // To another user, from elsewhere or for longer all of it is new.
            let isAnew = call.changes(["username", "ip_allow_list", "expires_at"], of: current.members)
            let added = isAnew ? terms.scopes : terms.scopes.subtracting(current.terms.scopes)
            try call.refuseSelfWidening(by: added, grant: current.id)
            let update = GrantUpdate(
                of: current.id,
                version: version,
                to: terms,
                user: .username(wanted.username),
                caller: call.caller.grant,
                confirmation: try call.confirmed().confirmation,
                by: call.attribution
            )
            switch try await call.perform(GrantRequest(update, by: call.caller, call.attribution)) {
            case .done(let changed): return .changed(changed.json, version: changed.version)
            case .waits(let approval): return .waiting(approval.json)
            }
        },
        .remove(
            "endGrant",
            "/v1/grants/{id}",
            .scope(.grantsWrite),
            .grantEnded,
            "End a grant for good, with its secret, tokens and claim links",
            target: .grant
        ) { call in
            _ = try await call.perform(GrantStateChange(of: try call.id(), to: .ended, by: call.attribution))
            return .removed
        },
        .act(
            "suspendGrant",
            "/v1/grants/{id}/suspend",
            .scope(.grantsWrite),
            .grantSuspended,
            "Stop a grant until it is resumed",
            target: .grant,
            answers: .grant
        ) { call in
            let changed = try await call.perform(
                GrantStateChange(of: try call.id(), to: .suspended, by: call.attribution)
            )
            return .changed(changed.json, version: changed.version)
        },
        .act(
            "resumeGrant",
            "/v1/grants/{id}/resume",
            .scope(.grantsWrite),
            .grantResumed,
            "Let a suspended grant go on",
            target: .grant,
            answers: .grant
        ) { call in
            let changed = try await call.perform(
                GrantStateChange(of: try call.id(), to: .active, by: call.attribution)
            )
            return .changed(changed.json, version: changed.version)
        },
        .act(
            "killGrant",
            "/v1/grants/{id}/kill",
            .scope(.grantsWrite),
            .grantKilled,
            "End every secret, token and claim link of a grant at once; its custodian can have a new secret",
            target: .grant,
            answers: .grant
        ) { call in
            let changed = try await call.perform(GrantKill(of: try call.id(), by: call.attribution))
            return .changed(changed.json, version: changed.version)
        },
        .remove(
            "endGrantSecret",
            "/v1/grants/{id}/secrets/{secret}",
            .scope(keeping),
            .secretEnded,
            "End one secret of a grant at once, with the tokens that it bought, by its custodian or an admin",
            target: .grant
        ) { call in
            let end = CredentialEnd(
                of: try call.id(),
                .secret(try call.id("secret")),
                custodian: try call.custodian,
                by: call.attribution
            )
            _ = try await call.perform(end)
            return .removed
        },
        .create(
            "createClaimLink",
            "/v1/grants/{id}/claim-links",
            .scope(.grantsWrite),
            .claimLinkCreated,
            "Make the link by which the secret can be claimed, once, within a day; the former link ends",
            target: .grant,
            body: .object(),
            isBodyOptional: true,
            answers: .claimLink,
            hasLocation: false
        ) { call in
            let creation = ClaimLinkCreation(for: try call.id(), by: call.caller, call.attribution, in: call.store)
            let url = call.door.publicURL
            return try await call.create(creation, showsSecret: true) { link in
                [
                    "url": .string(url + "/claim/" + link.secret.reveal()),
                    "expires_at": .string(link.expiresAt.description),
                ]
            }
        },
    ]
}

extension Operation {
    /// Ending what a grant's client proves itself by is an admin's, and its custodian's.
    static let keeping: [Scope] = [.grantsWrite, .tokensWrite]
}

extension APICall {
    /// The grant that the path names; for a `keeper` only one whose secret they keep.
    fileprivate func grant(keptBy keeper: UserID? = nil) async throws -> GrantView {
        let id = try id(as: GrantID.self)
        guard let grant = try await read({ try await $0.grant(id, keptBy: keeper) }) else { throw EdgeError.notFound }
        return grant
    }

    /// Whose grants alone the caller sees; nil for who may read all.
    fileprivate var keeper: UserID? {
        get throws(EdgeError) {
            guard !caller.scopes.contains(.grantsRead) else { return nil }
            try requireOwnHand()
            return caller.user
        }
    }

    /// The caller as the custodian that they have to be; nil for who may change every grant.
    var custodian: UserID? {
        get throws(EdgeError) {
            guard !caller.scopes.contains(.grantsWrite) else { return nil }
            try requireOwnHand()
            return caller.user
        }
    }
}

/// What of a grant may be changed.
private struct GrantMembers: Decodable {
    var username: String
    var clientName: String
    var expiresAt: Timestamp
    var scopes: [String]
    var ipAllowList: [String]?

    enum CodingKeys: String, CodingKey {
        case username, scopes
        case clientName = "client_name"
        case expiresAt = "expires_at"
        case ipAllowList = "ip_allow_list"
    }

    func terms(in catalogue: ScopeSet) throws(EdgeError) -> GrantTerms {
        GrantTerms(
            clientName: try Texts.name(clientName, at: "/client_name"),
            expiresAt: expiresAt,
            scopes: try AccessMembers.scopes(scopes, in: catalogue),
            ipAllowList: try AccessMembers.ranges(ipAllowList)
        )
    }
}

private struct NewGrant: Decodable {
    var members: GrantMembers
    var workspace: String

    enum CodingKeys: String, CodingKey {
        case workspace
    }

    init(from decoder: any Decoder) throws {
        members = try GrantMembers(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        workspace = try container.decode(String.self, forKey: .workspace)
    }
}

extension GrantView {
    /// What a PATCH is laid over.
    fileprivate var members: JSON.Object {
        [
            "username": .string(username), "client_name": .string(terms.clientName),
            "expires_at": .string(terms.expiresAt.description),
            "scopes": AccessMembers.json(terms.scopes), "ip_allow_list": AccessMembers.json(terms.ipAllowList),
        ]
    }

    var json: JSON.Object {
        var json: JSON.Object = ["id": .string(id.description), "client_id": .string(id.description)]
        for (name, value) in members.members { json[name] = value }
        json["status"] = .string(state.rawValue)
        json["user"] = .string(user.description)
        json["person"] = .orNull(person)
        json["integration"] = .orNull(integration)
        json["integration_slug"] = .orNull(integrationSlug)
        json["workspace"] = .string(workspaceSlug.description)
        json["workspace_id"] = .string(workspace.description)
        json["by_rule"] = .bool(isOfRule)
        json["secret_claimed_at"] = .orNull(secretClaimedAt)
        json["authentication"] =
            hasKeys ? "private_key_jwt" : secretClaimedAt == nil ? .null : "client_secret"
        json["jwks_url"] = .orNull(keysURL)
        json["secrets"] = .array(secrets.map { .object($0.json) })
        json["last_used_secret"] = .orNull(lastUsedSecret)
        json["last_used_at"] = .orNull(lastUsedAt)
        json["last_used_address"] = .orNull(lastUsedAddress)
        json["created_at"] = .string(createdAt.description)
        json["updated_at"] = .string(updatedAt.description)
        json["ended_at"] = .orNull(endedAt)
        return json
    }
}

extension Schema {
    private static let terms: [(String, Schema)] = [
        ("username", .username.described("An active user of an integration.")), ("client_name", .name),
        ("expires_at", .time), ("scopes", .someScopes), ("ip_allow_list", .ipAllowList),
    ]

    static let grant = Schema.object(
        [("id", .id("grt")), ("client_id", .id("grt").described("The OAuth client id: the grant's id."))] + terms + [
            ("status", .word(of: GrantView.State.allCases.map(\.rawValue))), ("user", .id("usr")),
            ("person", .id("per").orNull), ("integration", .id("int").orNull),
            ("integration_slug", Schema.slug.orNull), ("workspace", .slug), ("workspace_id", .id("wsp")),
            (
                "by_rule",
                .boolean.described("A rule made it: scopes and addresses are those of the integration.")
            ),
            ("secret_claimed_at", .time.orNull.described("Of the current secret.")),
            (
                "authentication",
                .word(of: ["client_secret", "private_key_jwt"]).orNull
                    .described("How its client proves who it is; null: it cannot yet.")
            ),
            ("jwks_url", .string.orNull),
            ("secrets", Schema.array(of: grantSecret).described("Those that work, oldest first.")),
            ("last_used_secret", .id("sec").orNull), ("last_used_at", .time.orNull.described("To the minute.")),
            ("last_used_address", .string.orNull), ("created_at", .time), ("updated_at", .time),
            ("ended_at", .time.orNull),
        ]
    ).named(
        "Grant",
        example: [
            "id": "grt_01k9qyc5qje1qsv9svhrqgc8d1", "client_id": "grt_01k9qyc5qje1qsv9svhrqgc8d1",
            "client_name": "Payroll", "expires_at": "2027-02-19T09:00:00Z", "scopes": ["people:read.self"],
            "ip_allow_list": ["198.51.100.0/24"], "status": "active", "username": "payroll.ada@acme.example",
            "user": "usr_01k9qyc5qje1qsv9svhrqgc8d0", "person": "per_01k9qyc5qje1qsv9svhrqgc8d3",
            "integration": "int_01k9qyc5qje1qsv9svhrqgc8d9", "integration_slug": "payroll", "workspace": "finance",
            "workspace_id": "wsp_01k9qyc5qje1qsv9svhrqgc8d2", "by_rule": true,
            "secret_claimed_at": "2026-11-21T10:00:00Z", "authentication": "client_secret", "jwks_url": .null,
            "secrets": [
                [
                    "id": "sec_01k9qyc5qje1qsv9svhrqgc8d6", "made_at": "2026-11-21T10:00:00Z",
                    "made_by": "usr_01k9qyc5qje1qsv9svhrqgc8da", "not_after": .null, "last_used_at": .null,
                    "last_used_address": .null,
                ]
            ], "last_used_secret": .null, "last_used_at": .null, "last_used_address": .null,
            "created_at": "2026-11-21T09:00:00Z", "updated_at": "2026-11-21T09:00:00Z", "ended_at": .null,
        ]
    )

    fileprivate static let newGrant = Schema.object(
        terms + [
            ("workspace", .workspaceReference)
        ]
    ).named(
        "NewGrant",
        example: [
            "client_name": "Payroll batch", "workspace": "finance", "username": "payroll.batch",
            "expires_at": "2027-06-30T00:00:00Z", "scopes": ["people:read"], "ip_allow_list": .null,
        ]
    )

    fileprivate static let grantChange = Schema.object(optional: terms + [("confirmation", .confirmation)])
        .named("GrantChange", example: ["expires_at": "2027-12-31T00:00:00Z"])

    fileprivate static let claimLink = Schema.object([("url", .uri), ("expires_at", .time)]).named(
        "ClaimLink",
        example: ["url": "https://rollcall.acme.example/claim/rcc_…", "expires_at": "2026-11-22T09:00:00Z"]
    )
}
