import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage

/// `/profile/tokens`: personal tokens of a signed-in member, made in one step, shown once, revoked and made again from the
/// same place.
struct TokenPages: Sendable {
    let door: OAuthDoor

    func mount(on router: Router<EdgeContext>) {
        door.memberPage("/profile/tokens", on: router) { _, _, member in try await tokens(of: member) }
        door.memberForm("/profile/tokens", on: router, make)
        door.memberForm("/profile/tokens/{id}/again", on: router, makeAgain)
        door.memberForm("/profile/tokens/{id}/revoke", on: router) { _, context, member in
            guard let id = context.parameters.get("id").flatMap({ TokenID($0) }) else { throw EdgeError.notFound }
            let ending = TokenEnding(of: id, caller: member.caller.user, by: member.attribution(context))
            do {
                // Not somebody else's, whatever the member may do over the API.
                guard try await own(id, of: member) else { throw EdgeError.notFound }
                _ = try await door.store.perform(ending, in: member.caller.organization)
            } catch ChangeRefusal.notFound {
                throw EdgeError.notFound
            }
            return Pages.redirect(to: "/profile/tokens")
        }
    }

    // MARK: Steps

    private func tokens(
        of member: Sessions.SignedIn,
        typed: PageForm? = nil,
        problem: String? = nil,
        status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let caller = member.caller
        let page = try await door.store.read(as: caller.organization) { transaction in
            TokensPage(
                member,
                TokenChoices(caller.role, own: try await transaction.ownScopes(), issuer: door.issuer),
                lifetimes: try await Self.lifetimes(in: transaction),
                tokens: try await transaction.tokens(of: caller.user, after: nil, most: Self.mostListed),
                typed: typed,
                problem: problem
            )
        }
        return try door.pages.page("tokens", page, status: status)
    }

    private func make(
        _ form: PageForm,
        _ context: EdgeContext,
        _ member: Sessions.SignedIn
    ) async throws -> Response {
        let scopes = form.ticked(TokenChoices.scopePrefix).compactMap { Scope($0) }
        let name = form["name"].trimmed
        guard (1...Self.longestName).contains(name.count) else {
            let problem = "A name of 1 to \(Self.longestName) characters is needed."
            return try await tokens(of: member, typed: form, problem: problem, status: .unprocessableContent)
        }
        guard !scopes.isEmpty else {
            let problem = "Tick at least one thing that it may do."
            return try await tokens(of: member, typed: form, problem: problem, status: .unprocessableContent)
        }
        let audience = form["audience"].isEmpty ? nil : form["audience"]
        guard TokenChoices.audiences(issuer: door.issuer).contains(where: { $0.value == form["audience"] }) else {
            throw EdgeError.notFound
        }
        let terms = PersonalTokenCreation.Terms.new(name: name, scopes: ScopeSet(scopes), audience: audience)
        return try await make(terms, form, context, member)
    }

    private func makeAgain(
        _ form: PageForm,
        _ context: EdgeContext,
        _ member: Sessions.SignedIn
    ) async throws -> Response {
        guard let id = context.parameters.get("id").flatMap({ TokenID($0) }) else { throw EdgeError.notFound }
        return try await make(.again(id), form, context, member)
    }

    private func make(
        _ terms: PersonalTokenCreation.Terms,
        _ form: PageForm,
        _ context: EdgeContext,
        _ member: Sessions.SignedIn
    ) async throws -> Response {
        let caller = member.caller
        let lifetimes = try await door.store.read(as: caller.organization) { transaction in
            (now: transaction.startedAt, known: try await Self.lifetimes(in: transaction))
        }
        guard let lifetime = lifetimes.known.first(where: { $0.value == form["lifetime"] }) else {
            throw EdgeError.notFound
        }
        let creation = PersonalTokenCreation(
            terms,
            expiresAt: lifetimes.now + lifetime.duration,
            maker: TokenMaker(member: caller.user, role: caller.role),
            by: member.attribution(context),
            in: door.store
        )
        do {
            let made = try await door.store.perform(creation, in: caller.organization)
            return try door.pages.page("token", TokenPage(caller, made))
        } catch ChangeRefusal.notFound {
            throw EdgeError.notFound
        } catch ChangeRefusal.conflict(let problem) {
            return try await tokens(of: member, typed: form, problem: problem, status: .conflict)
        } catch ChangeRefusal.invalid(let reasons) {
            let problem = reasons.map(\.detail).joined(separator: " ")
            return try await tokens(of: member, typed: form, problem: problem, status: .unprocessableContent)
        }
    }

    private func own(_ id: TokenID, of member: Sessions.SignedIn) async throws -> Bool {
        let token = try await door.store.read(as: member.caller.organization) { try await $0.token(id) }
        return token?.kind == .personal && token?.user == member.caller.user
    }

    // MARK: Choices

    private static let mostListed = 200
    private static let longestName = 200

    /// What a member chooses from, no longer than the organization allows.
    private static func lifetimes(in transaction: OrganizationTransaction) async throws -> [TokenLifetime] {
        guard let longest = try await transaction.organization()?.terms.longestTokenLifetime.duration else { return [] }
        let known = TokenLifetime.all.filter { $0.duration <= longest }
        return known.isEmpty ? [TokenLifetime(duration: longest, text: "as long as allowed")] : known
    }
}

/// How long a token may be good.
struct TokenLifetime: Sendable {
    let duration: Duration
    let text: String

    var value: String { String(duration.components.seconds) }

    static let all = [
        (1, "a day"), (7, "a week"), (30, "30 days"), (90, "90 days"), (180, "180 days"), (365, "a year"),
    ].map { TokenLifetime(duration: .seconds($0.0 * 86_400), text: $0.1) }
    static let standard = Duration.seconds(30 * 86_400)
}

/// What a member chooses a token's terms from.
struct TokenChoices: Sendable {
    let scopes: [(name: String, opens: String)]
    let audiences: [(value: String, text: String)]

    static let scopePrefix = "scope:"

    init(_ role: Role, own: [OwnScope], issuer: String) {
        let known = Scope.catalogue.map { ($0.scope, $0.opens) } + own.map { ($0.scope, $0.opens) }
        scopes = known.filter { role.bounding(ScopeSet([$0.0])).contains($0.0) }.map { ($0.0.description, $0.1) }
        audiences = Self.audiences(issuer: issuer)
    }

    static func audiences(issuer: String) -> [(value: String, text: String)] {
        [
            ("", "everything of Rollcall's"), (issuer + "/v1", "the API alone"),
            (issuer + "/mcp", "the MCP endpoint alone"),
        ]
    }
}

private struct TokensPage: Sendable {
    let title = "Personal tokens"
    let formToken: String
    let name: String
    let scopes: [Scope]
    let lifetimes: [Choice]
    let audiences: [Choice]
    let tokens: [Row]
    let hasTokens: Bool
    let account: AccountLine?
    let problem: String?
    var notice: String?

    struct Scope: Sendable {
        let name: String
        let opens: String
        let isTicked: Bool
    }

    struct Choice: Sendable {
        let value: String
        let text: String
        let isChosen: Bool
    }

    struct Row: Sendable {
        let id: String
        let name: String
        let state: String
        let scopes: String
        let audience: String?
        let expiresAt: String
        let lastUsed: String
        let lifetime: String
        let formToken: String
    }

    init(
        _ member: Sessions.SignedIn,
        _ choices: TokenChoices,
        lifetimes: [TokenLifetime],
        tokens: [TokenView],
        typed: PageForm?,
        problem: String?
    ) {
        formToken = member.formToken
        name = typed?["name"] ?? ""
        let ticked = Set(typed?.ticked(TokenChoices.scopePrefix) ?? [])
        scopes = choices.scopes.map { Scope(name: $0.name, opens: $0.opens, isTicked: ticked.contains($0.name)) }
        let standard = lifetimes.last { $0.duration <= TokenLifetime.standard } ?? lifetimes.first
        let chosen = typed.map { $0["lifetime"] } ?? standard?.value ?? ""
        self.lifetimes = lifetimes.map { Choice(value: $0.value, text: $0.text, isChosen: $0.value == chosen) }
        let audience = typed.map { $0["audience"] } ?? ""
        audiences = choices.audiences.map { Choice(value: $0.value, text: $0.text, isChosen: $0.value == audience) }
        let shown = tokens.filter { $0.kind == .personal && $0.revokedAt == nil && $0.state != .ended }.reversed()
        self.tokens = shown.map { token in
            // Made again it is good for as long as it was, as far as that can be chosen.
            let lasted = token.expiresAt - token.issuedAt
            let same = lifetimes.first { $0.duration >= lasted } ?? lifetimes.last
            return Row(
                id: token.id.description,
                name: token.name ?? "without a name",
                state: token.state.rawValue,
                scopes: token.scopes.names.joined(separator: ", "),
                audience: token.audience,
                expiresAt: PageTime.text(token.expiresAt),
                lastUsed: PageTime.use(token.lastUsedAt, from: token.lastUsedAddress),
                lifetime: same?.value ?? "",
                formToken: member.formToken
            )
        }
        hasTokens = !shown.isEmpty
        account = AccountLine(member.caller)
        self.problem = problem
    }
}

private struct TokenPage: Sendable {
    let title = "Your token"
    let secret: String
    let name: String
    let scopes: String
    let expiresAt: String
    let account: AccountLine?
    var problem: String?
    var notice: String?

    init(_ caller: SessionCaller, _ made: MadeToken) {
        secret = made.secret.reveal()
        name = made.token.name ?? "without a name"
        scopes = made.token.scopes.names.joined(separator: ", ")
        expiresAt = PageTime.text(made.token.expiresAt)
        account = AccountLine(caller)
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
