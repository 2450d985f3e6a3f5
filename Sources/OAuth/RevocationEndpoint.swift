import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage

/// `POST /oauth/revoke` (RFC 7009): a client ends a token of its own. Whether there was one is not told.
struct RevocationEndpoint: Sendable {
    let door: OAuthDoor

    func respond(to form: TokenForm, _ context: EdgeContext) async throws -> Response {
        do {
            if let app = try await door.app(form) { return try await revoke(form, of: app, context) }
        } catch let error as OAuthError where error.code == .invalidGrant {
            // A client that belongs to no organization, and a token that is none of its own.
            return Response(status: .ok)
        }
        let client = try await door.authenticate(form, context)
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

    /// An app's refresh token ends with everything that came of the same approval's code.
    private func revoke(_ form: TokenForm, of app: AppView, _ context: EdgeContext) async throws -> Response {
        guard let text = form["token"] else { throw OAuthError(.invalidRequest, "token is missing.") }
        if let token = OpaqueSecret(text) {
            let revocation = AppTokenRevocation(
                of: token,
                by: app.id,
                from: context.origin,
                receivedAt: context.receivedAt,
                in: door.store
            )
            try await door.store.perform(revocation, in: app.organization)
        }
        return Response(status: .ok)
    }
}
