import Domain
import Edge
import Foundation
import Hummingbird
import Storage
import Transparency

/// `POST /oauth/token`.
struct TokenEndpoint: Sendable {
    let door: OAuthDoor

    func respond(to form: TokenForm, _ context: EdgeContext) async throws -> Response {
        if let app = try await door.app(form) {
            return try await AppTokenEndpoint(door: door, app: app).respond(to: form, context)
        }
        guard let type = form["grant_type"] else { throw OAuthError(.invalidRequest, "grant_type is missing.") }
        guard type == "client_credentials" else {
            throw OAuthError(.unsupportedGrantType, "A grant takes client_credentials, an app has the others.")
        }
        let client = try await door.authenticate(form, context)
        try door.limits.admit(client.limited)
        if let refusal = client.refusal(from: context.client) {
            try await door.record(.tokenIssued, refused: refusal, of: client, context)
            throw Self.refused(refusal)
        }
        let target = try await target(form["resource"], of: client, context)
        let scopes = try await scopes(form["scope"], of: client, context)
        let issue = try await TokenIssue(
            to: client,
            scopes: scopes,
            audience: target.audience,
            lifetime: OAuthDoor.accessTokenLifetime,
            signer: target.format == .jwt ? try await door.signer() : nil,
            by: client.attribution(context),
            in: door.store
        )
        do {
            let issued = try await door.issues.perform(issue, in: client.organization)
            door.lastUses?.touch(client, secret: client.presented, from: context.client)
            return Self.answer(issued, scopes)
        } catch let refusal as AccessRefusal {
            throw Self.refused(refusal)
        }
    }

    private func target(
        _ resource: String?,
        of client: ClientFacts,
        _ context: EdgeContext
    ) async throws -> OAuthDoor.Target {
        do {
            return try await door.target(resource, in: client.organization)
        } catch let error as OAuthError {
            try await door.record(.tokenIssued, refused: .wrongAudience, of: client, context)
            throw error
        }
    }

    /// What was asked for, all of it; without a wish everything that the client may.
    private func scopes(_ wish: String?, of client: ClientFacts, _ context: EdgeContext) async throws -> ScopeSet {
        let asked = wish.map { ScopeSet(parsing: $0) } ?? client.scopes
        guard let asked, !asked.isEmpty, asked.isSubset(of: client.scopes) else {
            try await door.record(.tokenIssued, refused: .scopeMissing, of: client, context)
            throw OAuthError(.invalidScope, "The grant does not have every scope that was asked for.")
        }
        return asked
    }

    /// The client proved itself, so it is told why.
    private static func refused(_ refusal: AccessRefusal) -> OAuthError {
        let why =
            switch refusal {
            case .userDeactivated: "The user of this grant is deactivated."
            case .grantEnded, .superseded: "This grant has ended."
            case .grantSuspended: "This grant is suspended."
            case .grantExpired: "This grant has expired."
            case .addressNotAllowed: "This grant may not be used from this address."
            case .integrationDisabled: "The integration is disabled."
            default: "This grant may not be used."
            }
        return OAuthError(.unauthorizedClient, why)
    }

    private static func answer(_ issued: TokenIssue.Issued, _ scopes: ScopeSet) -> Response {
        let body: JSON = [
            "access_token": .string(issued.secret.reveal()),
            "token_type": "Bearer",
            "expires_in": .integer((issued.expiresAt - issued.issuedAt).components.seconds),
            "scope": .string(scopes.joined),
        ]
        return body.response(fields: [.cacheControl: "no-store"])
    }
}
