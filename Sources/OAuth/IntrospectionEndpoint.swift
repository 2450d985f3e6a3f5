import Domain
import Edge
import Hummingbird
import Storage
import Transparency

/// `POST /oauth/introspect` (RFC 7662). Besides the RFC's parameters it takes `client_ip`, the address from which the token
/// was used. A token of a grant that is bound to addresses is active only for an address that is one of them: who does not
/// say where it came from cannot be told that it may come from there.
struct IntrospectionEndpoint: Sendable {
    let door: OAuthDoor

    /// Who asks: a bearer of a token or a client, either with the scope for it.
    private struct Asker {
        let organization: OrganizationID
        let scopes: ScopeSet
        let attribution: Attribution
    }

    func respond(to form: TokenForm, _ context: EdgeContext) async throws -> Response {
        let asker = try await asker(form, context)
        guard asker.scopes.contains(.tokensIntrospect) else {
            try await record(asker, target: .organization(asker.organization), refused: .scopeMissing)
            throw OAuthError(.insufficientScope, "This needs the scope \(Scope.tokensIntrospect).")
        }
        guard let text = form["token"] else { throw OAuthError(.invalidRequest, "token is missing.") }
        let address = try Self.address(form["client_ip"])
        // A refresh token is nothing that a resource server may take for an access token.
        guard let secret = OpaqueSecret(text), secret.kind.isBearer, let facts = try await door.store.facts(of: secret),
            facts.caller.organization == asker.organization
        else {
            try await record(asker, target: .organization(asker.organization), active: false)
            return Self.inactive
        }
        let refusal = facts.refusal(from: address, for: .any)
        let token = AuditTarget.token(facts.caller.credential.token)
        try await record(asker, target: token, active: refusal == nil, why: refusal, person: facts.caller.person)
        return refusal == nil ? answer(facts) : Self.inactive
    }

    private func asker(_ form: TokenForm, _ context: EdgeContext) async throws -> Asker {
        guard let header = form.authorization, header.lowercased().hasPrefix("bearer ") else {
            let client = try await door.authenticate(form, context)
            if let refusal = client.refusal(from: context.client) {
                try await door.record(.tokenIntrospected, refused: refusal, of: client, context)
                throw OAuthError(.unauthorizedClient, "This client may not ask.")
            }
            door.lastUses?.touch(client, secret: client.presented, from: context.client)
            return Asker(
                organization: client.organization,
                scopes: client.scopes,
                attribution: client.attribution(context)
            )
        }
        guard let secret = OpaqueSecret(String(header.dropFirst(7).drop { $0 == " " })), secret.kind.isBearer,
            let facts = try await door.store.facts(of: secret)
        else { throw OAuthError(.invalidToken, "The bearer token is not accepted.") }
        let attribution = Attribution(
            caller: facts.caller,
            origin: context.origin,
            receivedAt: context.receivedAt
        )
        let asker = Asker(
            organization: facts.caller.organization,
            scopes: facts.caller.scopes,
            attribution: attribution
        )
        if let refusal = facts.refusal(from: context.client, for: door.audience) {
            try await record(asker, target: .organization(asker.organization), refused: refusal)
            throw OAuthError(.invalidToken, "The bearer token is not accepted.")
        }
        return asker
    }

    private func record(
        _ asker: Asker,
        target: AuditTarget,
        active: Bool? = nil,
        why: AccessRefusal? = nil,
        refused: AccessRefusal? = nil,
        person: PersonID? = nil
    ) async throws {
        var answer: JSON.Object = [:]
        if let active { answer["active"] = .bool(active) }
        if let why { answer["why"] = .string(why.rawValue) }
        let draft = AuditDraft(
            .tokenIntrospected,
            target,
            outcome: refused == nil ? .done : .refused,
            reason: refused?.rawValue,
            authority: .scope(.tokensIntrospect),
            after: answer,
            person: person
        )
        _ = try await door.observations.perform(Observation(draft, by: asker.attribution), in: asker.organization)
    }

    private static func address(_ text: String?) throws(OAuthError) -> IPAddress? {
        guard let text else { return nil }
        guard let address = IPAddress(text) else { throw OAuthError(.invalidRequest, "client_ip is no address.") }
        return address
    }

    private static var inactive: Response { JSON.object(["active": false]).response() }

    private func answer(_ facts: TokenFacts) -> Response {
        let caller = facts.caller
        var body: JSON.Object = [
            "active": true,
            "scope": .string(caller.scopes.joined),
            "username": .string(caller.username),
            "token_type": "Bearer",
            "exp": .integer(caller.tokenExpiresAt.seconds),
            "iat": .integer(caller.tokenIssuedAt.seconds),
            "sub": .string(caller.user.description),
            "iss": .string(door.issuer),
            "jti": .string(caller.credential.token.description),
        ]
        if let app = caller.app { body["client_id"] = .string(caller.appName ?? app.description) }
        if let grant = caller.grant { body["client_id"] = .string(grant.description) }
        if let audience = facts.audience { body["aud"] = .string(audience) }
        if let person = caller.person { body["on_behalf_of"] = .string(person.description) }
        return JSON.object(body).response()
    }
}
