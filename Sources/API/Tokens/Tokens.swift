import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let tokens: [Operation] = [
        .list(
            "listTokens",
            "/v1/tokens",
            .scope(.tokensRead),
            .tokenRead,
            "Personal and workspace tokens, oldest first, never their values: all for admins and auditors, else one's own",
            of: .token,
            by: TokenID.self
        ) { call, step in
            let owner = call.seesAllTokens ? nil : call.caller.user
            return try await call.read { try await $0.tokens(of: owner, after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .create(
            "createToken",
            "/v1/tokens",
            .scope(.tokensWrite),
            .tokenIssued,
            "Make a personal token for oneself, shown this once; no wider and no longer than the token of this request",
            body: .newToken,
            answers: .madeToken
        ) { call in
            // It would live on when the approval ends.
            try call.requireOwnHand()
            let new: NewToken = try call.decode()
            let terms = PersonalTokenCreation.Terms.new(
                name: try Texts.name(new.name, at: "/name"),
                scopes: try AccessMembers.scopes(new.scopes, in: try await call.catalogue(for: new.scopes)),
                audience: try call.audience(new.audience)
            )
            return try await call.makeToken(terms, expiresAt: new.expiresAt)
        },
        .read(
            "getToken",
            "/v1/tokens/{id}",
            .scope(.tokensRead),
            .tokenRead,
            "One token, never its value",
            target: .token,
            answers: .token,
            hasTag: true
        ) { call in
            let token = try await call.token()
            return .read(token.json, version: token.version, person: token.person)
        },
        .change(
            "changeToken",
            "/v1/tokens/{id}",
            .scope(.tokensWrite),
            .tokenUpdated,
            "Change name or data accesses of a workspace token; its value stays",
            target: .token,
            body: .tokenChange,
            answers: .token,
            waiting: .approval
        ) { call in
            try call.requireSecurityAdmin()
            let version = try call.expectedVersion()
            let current = try await call.token()
            let wanted: TokenMembers = try call.patched(current.members)
            let update = WorkspaceTokenUpdate(
                of: current.id,
                version: version,
                name: try Texts.name(wanted.name, at: "/name"),
                scopes: try AccessMembers.scopes(wanted.scopes, in: try await call.catalogue(for: wanted.scopes)),
                maker: TokenMaker(call.caller),
                by: call.attribution
            )
            switch try await call.perform(WorkspaceTokenChangeRequest(update, by: call.caller, call.attribution)) {
            case .done(let changed): return .changed(changed.json, version: changed.version)
            case .waits(let approval): return .waiting(approval.json)
            }
        },
        .remove(
            "revokeToken",
            "/v1/tokens/{id}",
            .scope(.tokensWrite),
            .tokenRevoked,
            "End a token: one's own, or for security admins any; a workspace token that is in use asks first",
            target: .token,
            parameters: [.confirmation]
        ) { call in
            let ending = TokenEnding(
                of: try call.id(),
                caller: call.caller.user,
                confirmation: try call.queriedConfirmation(),
                by: call.attribution
            )
            _ = try await call.perform(ending)
            return .removed
        },
        .create(
            "renewToken",
            "/v1/tokens/{id}/renew",
            .scope(.tokensWrite),
            .tokenIssued,
            "Make a personal token of one's own again, shown this once; the former one ends",
            target: .token,
            body: .tokenRenewal,
            answers: .madeToken,
            hasLocation: false
        ) { call in
            try call.requireOwnHand()
            let renewal: TokenRenewal = try call.decode()
            return try await call.makeToken(.again(try call.id()), expiresAt: renewal.expiresAt)
        },
        .create(
            "refreshToken",
            "/v1/tokens/{id}/refresh",
            .scope(.tokensWrite),
            .tokenRefreshed,
            "Give a workspace token another value, shown this once; the former one ends, and where it is in use asks first",
            target: .token,
            body: .tokenRefresh,
            isBodyOptional: true,
            answers: .madeToken,
            hasLocation: false
        ) { call in
            try call.requireSecurityAdmin()
            let refresh: TokenRefresh = try call.decode()
            let change = WorkspaceTokenRefresh(
                of: try call.id(),
                expiresAt: refresh.expiresAt,
                confirmation: refresh.confirmation?.text,
                maker: TokenMaker(call.caller),
                by: call.attribution,
                in: call.store
            )
            return try await call.create(change, showsSecret: true, \.json)
        },
        .create(
            "createWorkspaceToken",
            "/v1/workspaces/{id}/tokens",
            .scope(.tokensWrite),
            .tokenIssued,
            "Make a token of a workspace, shown this once, by a security admin; good for seven days unless said otherwise",
            target: .workspace,
            body: .newWorkspaceToken,
            answers: .madeToken,
            hasLocation: false,
            waiting: .approval
        ) { call in
            try call.requireSecurityAdmin()
            let new: NewWorkspaceToken = try call.decode()
            let creation = WorkspaceTokenCreation(
                of: try call.id(),
                name: try Texts.name(new.name, at: "/name"),
                scopes: try AccessMembers.scopes(new.scopes, in: try await call.catalogue(for: new.scopes)),
                expiresAt: new.expiresAt,
                maker: TokenMaker(call.caller),
                by: call.attribution,
                in: call.store
            )
            let request = WorkspaceTokenRequest(
                creation,
                approval: new.approval,
                by: call.caller,
                call.attribution
            )
            return try await call.create(request, showsSecret: true) { $0.json(\.json) }
        },
    ]
}

extension APICall {
    fileprivate var seesAllTokens: Bool { [.securityAdmin, .auditor].contains(caller.role) }

    /// The token that the path names, where the caller may see it.
    fileprivate func token() async throws -> TokenView {
        let id = try id(as: TokenID.self)
        guard let token = try await read({ try await $0.token(id) }), seesAllTokens || token.user == caller.user else {
            throw EdgeError.notFound
        }
        return token
    }

    /// Refuses everybody but a member who operates the organization, with their own hand: an integration with every scope
    /// is none, and neither is an app that an admin lets act for them.
    func requireSecurityAdmin() throws(EdgeError) {
        try requireOwnHand()
        guard caller.role == .securityAdmin, caller.kind == .member else { throw .forbidden(needs: nil) }
    }

    /// Refuses an app that acts for somebody.
    func requireOwnHand() throws(EdgeError) {
        guard !caller.isThroughApp else { throw .forbidden(needs: nil) }
    }

    /// Refuses an integration user that would give more than it has, or change what it stands on itself. `added` is what
    /// somebody gets by this call.
    func refuseSelfWidening(
        by added: ScopeSet,
        grant: GrantID? = nil,
        integration: IntegrationID? = nil
    ) throws(EdgeError) {
        guard caller.kind == .integration else { return }
        let isItsOwn = grant != nil && grant == caller.grant || integration != nil && integration == caller.integration
        guard !isItsOwn else { throw .forbidden(needs: nil) }
        if let missing = added.subtracting(caller.scopes).scopes.first { throw .forbidden(needs: missing) }
    }

    fileprivate func makeToken(
        _ terms: PersonalTokenCreation.Terms,
        expiresAt: Timestamp
    ) async throws -> APIAnswer {
        let creation = PersonalTokenCreation(
            terms,
            expiresAt: expiresAt,
            maker: TokenMaker(caller),
            by: attribution,
            in: store
        )
        return try await create(creation, showsSecret: true, \.json)
    }

    /// One of this server's own resources, or nil for all of them.
    fileprivate func audience(_ text: String?) throws(EdgeError) -> String? {
        guard let text else { return nil }
        guard [door.publicURL, door.publicURL + "/v1", door.publicURL + "/mcp"].contains(text) else {
            throw .invalid([.init("/audience", "This is none of this server's resources.")])
        }
        return text
    }
}

private struct NewToken: Decodable {
    var name: String
    var scopes: [String]
    var expiresAt: Timestamp
    var audience: String?

    enum CodingKeys: String, CodingKey {
        case name, scopes, audience
        case expiresAt = "expires_at"
    }
}

private struct NewWorkspaceToken: Decodable {
    var name: String
    var scopes: [String]
    var expiresAt: Timestamp?
    var approval: ApprovalID?

    enum CodingKeys: String, CodingKey {
        case name, scopes, approval
        case expiresAt = "expires_at"
    }
}

private struct TokenMembers: Decodable {
    var name: String
    var scopes: [String]
}

private struct TokenRenewal: Decodable {
    var expiresAt: Timestamp

    enum CodingKeys: String, CodingKey {
        case expiresAt = "expires_at"
    }
}

private struct TokenRefresh: Decodable {
    var expiresAt: Timestamp?
    var confirmation: Confirmation?

    enum CodingKeys: String, CodingKey {
        case confirmation
        case expiresAt = "expires_at"
    }
}

extension TokenView {
    fileprivate var members: JSON.Object {
        ["name": .string(name ?? ""), "scopes": AccessMembers.json(scopes)]
    }

    fileprivate var json: JSON.Object {
        [
            "id": .string(id.description), "kind": .string(kind.rawValue), "name": .orNull(name),
            "status": .string(state.rawValue), "user": .string(user.description), "username": .string(username),
            "workspace_id": .orNull(workspace), "scopes": AccessMembers.json(scopes), "audience": .orNull(audience),
            "issued_at": .string(issuedAt.description), "expires_at": .string(expiresAt.description),
            "created_by": .orNull(createdBy), "last_used_at": .orNull(lastUsedAt),
            "last_used_address": .orNull(lastUsedAddress), "revoked_at": .orNull(revokedAt),
        ]
    }
}

extension MadeToken {
    fileprivate var json: JSON.Object {
        var json = token.json
        json["token"] = .string(secret.reveal())
        return json
    }
}

extension Schema {
    private static let members: [(String, Schema)] = [
        ("id", .id("tok")), ("kind", .word(of: TokenKind.allCases.map(\.rawValue))), ("name", .string.orNull),
        ("status", .word(of: TokenView.State.allCases.map(\.rawValue))),
        ("user", .id("usr").described("As whom it acts.")), ("username", .string),
        ("workspace_id", .id("wsp").orNull), ("scopes", .scopes), ("audience", .string.orNull), ("issued_at", .time),
        ("expires_at", .time), ("created_by", .id("usr").orNull),
        ("last_used_at", .time.orNull.described("To the minute.")), ("last_used_address", .string.orNull),
        ("revoked_at", .time.orNull),
    ]

    private static let example: JSON.Object = [
        "id": "tok_01k9qyc5qje1qsv9svhrqgc8d4", "kind": "personal", "name": "Tests", "status": "active",
        "user": "usr_01k9qyc5qje1qsv9svhrqgc8da", "username": "admin@acme.example", "workspace_id": .null,
        "scopes": ["people:read"], "audience": .null, "issued_at": "2026-11-21T09:00:00Z",
        "expires_at": "2026-12-21T09:00:00Z", "created_by": "usr_01k9qyc5qje1qsv9svhrqgc8da", "last_used_at": .null,
        "last_used_address": .null, "revoked_at": .null,
    ]

    fileprivate static let token = Schema.object(members).named("Token", example: .object(example))

    fileprivate static let madeToken: Schema = {
        var made = example
        made["token"] = "rcp_…"
        return Schema.object(members + [("token", .string.described("The token itself, shown this once."))])
            .named("MadeToken", example: .object(made))
    }()

    private static let audience = Schema.string(length: 1...2000).orNull
        .described("One of this server's resources: the token is good there alone. null: everywhere of ours.")

    fileprivate static let newToken = Schema.object(
        [("name", .name), ("scopes", .someScopes), ("expires_at", .time)],
        optional: [("audience", audience)]
    ).named(
        "NewToken",
        example: ["name": "Tests", "scopes": ["people:read.self"], "expires_at": "2026-12-21T09:00:00Z"]
    )

    fileprivate static let newWorkspaceToken = Schema.object(
        [("name", .name), ("scopes", .someScopes)],
        optional: [
            ("expires_at", .time.orNull.described("Seven days ahead if not said.")),
            ("approval", Schema.id("apr").orNull.described("A second admin's, for exactly this token.")),
        ]
    ).named("NewWorkspaceToken", example: ["name": "Reports", "scopes": ["people:read"]])

    fileprivate static let tokenChange = Schema.object(optional: [("name", .name), ("scopes", .someScopes)])
        .named("TokenChange", example: ["scopes": ["people:read"]])

    fileprivate static let tokenRenewal = Schema.object([("expires_at", .time)])
        .named("TokenRenewal", example: ["expires_at": "2026-12-21T09:00:00Z"])

    fileprivate static let tokenRefresh = Schema.object(
        optional: [
            ("expires_at", .time.orNull.described("Seven days ahead if not said.")), ("confirmation", .confirmation),
        ]
    ).named("TokenRefresh", example: [:])
}
