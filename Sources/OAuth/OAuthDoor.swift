// OAuth: the door of integrations, apps and resource servers. It owns `/oauth/authorize` and `/oauth/token` (RFC 6749 with
// the rules of RFC 9700), `/oauth/introspect` (RFC 7662), `/oauth/revoke` (RFC 7009), `/oauth/register` (RFC 7591), `/oauth/userinfo`, the metadata (RFC
// 8414, RFC 9728) with the keys of signed tokens, the one-time claim link by which a custodian gets a client secret, and the pages on which members sign
// in, look after their account and let apps act for them.
//
// The phases of every token request are the door's: read the form once, authenticate the client, check its terms, check
// scopes, issue. A grant type only fills in what it issues (`TokenEndpoint`), so that it cannot forget a step.
//
// Who is a client, what its terms are and what is written lives in Domain and Storage.

import Domain
package import Edge
import HTTPTypes
package import Hummingbird
package import Outbound
package import Storage
import Transparency

/// The authorization server.
package struct OAuthDoor: Sendable {
    let store: Store
    let issues: GroupCommit<TokenIssue>
    let observations: GroupCommit<Observation>
    let tallies: RefusalTallies
    /// For keys that clients registered by URL.
    let outbound: OutboundClient
    /// nil: nobody asks when secrets were used last.
    let lastUses: LastUses?
    /// Byte-identical wherever it appears: `issuer`, and the base of every endpoint. No trailing slash.
    let issuer: String
    let hashing: PasswordHashing
    let sessions: Sessions
    let pages: Pages
    let limits: CallerLimits
    let tokenKeys: TokenKeys
    let outsiders: OutsideClients

    /// How long an access token of client credentials lives; never past its grant.
    package static let accessTokenLifetime = Duration.seconds(600)
    static let introspectionPath: RouterPath = "/oauth/introspect"
    /// Bytes of a form at most.
    static let mostFormBytes = 16 * 1024

    /// Throws when a page of its own cannot be read, which stops start-up.
    package init(
        store: Store,
        issues: GroupCommit<TokenIssue>,
        observations: GroupCommit<Observation>,
        tallies: RefusalTallies,
        lastUses: LastUses? = nil,
        outbound: OutboundClient = OutboundClient(policy: .publicOnly()),
        issuer: String,
        hashing: PasswordHashing,
        limits: CallerLimits = CallerLimits(),
        tokenKeys: TokenKeys,
        outsiders: OutsideClients = OutsideClients()
    ) throws {
        self.store = store
        self.issues = issues
        self.observations = observations
        self.tallies = tallies
        self.lastUses = lastUses
        self.outbound = outbound
        self.issuer = issuer
        self.hashing = hashing
        self.limits = limits
        self.tokenKeys = tokenKeys
        self.outsiders = outsiders
        sessions = Sessions(store: store, publicURL: issuer)
        pages = try Pages()
    }

    /// Routes every endpoint of this door. Throws when a page of its own cannot be read, which stops start-up.
    package func mount(on router: Router<EdgeContext>) throws {
        post("/oauth/token", on: router) { try await TokenEndpoint(door: self).respond(to: $0, $1) }
        post(Self.introspectionPath, on: router) { try await IntrospectionEndpoint(door: self).respond(to: $0, $1) }
        post("/oauth/revoke", on: router) { try await RevocationEndpoint(door: self).respond(to: $0, $1) }
        mountMetadata(on: router)
        mountKeys(on: router)
        if outsiders.registration { RegistrationEndpoint(door: self)?.mount(on: router) }
        ClaimPages(door: self).mount(on: router)
        pages.mount(on: router)
        SignInPages(door: self).mount(on: router)
        PasswordPages(door: self).mount(on: router)
        ProfilePages(door: self).mount(on: router)
        SecondFactorPages(door: self).mount(on: router)
        TokenPages(door: self).mount(on: router)
        AuthorizationPages(door: self).mount(on: router)
        UserInfoEndpoint(door: self).mount(on: router)
        GrantPages(door: self).mount(on: router)
    }

    /// What a token is good for that is used at this server itself: its API is the one resource of its own.
    var audience: AcceptedAudience { .resources(resources) }

    /// A form endpoint, whose refusals are in the protocol's own form (RFC 6749 5.2).
    private func post(
        _ path: RouterPath,
        on router: Router<EdgeContext>,
        _ respond: @escaping @Sendable (TokenForm, EdgeContext) async throws -> Response
    ) {
        router.post(path) { request, context in
            do {
                // Resource servers ask as often as they are used.
                try limits.admit(context.client, isFree: path == Self.introspectionPath)
                return try await respond(try await TokenForm(request), context)
            } catch let error as OAuthError {
                if error.isWrongSecret { limits.countFailure(from: context.client) }
                return error.response
            }
        }
    }
}
