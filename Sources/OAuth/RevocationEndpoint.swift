import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage

/// `POST /oauth/revoke` (RFC 7009): a client ends a token of its own. Whether there was one is not told.
struct RevocationEndpoint: Sendable {
    let door: OAuthDoor

    func respond(to form: TokenForm, _ context: EdgeContext) async throws -> Response {
        let client = try await door.authenticate(form)
        guard let text = form["token"] else { throw OAuthError(.invalidRequest, "token is missing.") }
        if let secret = OpaqueSecret(text), let facts = try await door.store.facts(of: secret),
            facts.caller.grant == client.grant
        {
            let revocation = TokenRevocation(
                of: facts.caller.credential.token,
                ofGrant: client.grant,
                by: client.attribution(context)
            )
            _ = try await door.store.perform(revocation, in: client.organization)
        }
        return Response(status: .ok)
    }
}
