import Domain
import Edge
import Hummingbird
import Storage
import Transparency

/// The grant types of apps at `/oauth/token`: `authorization_code` and `refresh_token`. The app is authenticated before.
struct AppTokenEndpoint: Sendable {
    let door: OAuthDoor
    let app: AppView

    func respond(to form: TokenForm, _ context: EdgeContext) async throws -> Response {
        // A public app proves nothing: its one limit would be everybody's to use up.
        if app.isConfidential { try door.limits.admit(app.limited) }
        guard app.status == .active else {
            try await record(.appDisabled, context)
            throw OAuthError(.unauthorizedClient, "This app is disabled.")
        }
        do {
            let audience = try await door.target(form["resource"], in: app.organization).audience
            switch form["grant_type"] {
            case "authorization_code":
                return Self.answer(try await redeem(form, audience, context))
            case nil where app.terms.isLegacy:
                return Self.answer(try await redeem(form, audience, context))
            case "refresh_token":
                return Self.answer(try await rotate(form, audience, context))
            case nil: throw OAuthError(.invalidRequest, "grant_type is missing.")
            case "client_credentials":
                throw OAuthError(.unauthorizedClient, "An app acts for users: authorization_code or refresh_token.")
            default:
                throw OAuthError(.unsupportedGrantType, "Only authorization_code and refresh_token are supported here.")
            }
        } catch let error as OAuthError {
            try await record(error.code == .invalidTarget ? .wrongAudience : .invalid, context)
            throw error
        } catch let refusal as AppGrantRefusal {
            throw Self.refused(refusal)
        }
    }

    /// Commits the entry of a refusal before it is answered. Of an app that has nothing to prove it is counted: anybody
    /// could fill the log.
    private func record(_ reason: AccessRefusal, _ context: EdgeContext) async throws {
        guard let told = app.refusal(because: reason, from: context.origin, receivedAt: context.receivedAt) else {
            return door.tallies.count(reason.rawValue, of: .app(app.id), in: app.organization)
        }
        try await door.observations.perform(Observation(told), in: app.organization)
    }

    private func redeem(
        _ form: TokenForm,
        _ audience: String?,
        _ context: EdgeContext
    ) async throws -> AppTokensIssued {
        guard let text = form["code"] else { throw OAuthError(.invalidRequest, "code is missing.") }
        guard let code = OpaqueSecret(text), code.kind == .code else { throw Self.refused(.invalidGrant(.notFound)) }
        let redemption = CodeRedemption(
            of: code,
            by: app,
            redirect: form["redirect_uri"],
            verifier: form["code_verifier"],
            audience: audience,
            from: context.origin,
            receivedAt: context.receivedAt,
            signer: try await door.signer(),
            in: door.store
        )
        return try await door.store.perform(redemption, in: app.organization)
    }

    private func rotate(
        _ form: TokenForm,
        _ audience: String?,
        _ context: EdgeContext
    ) async throws -> AppTokensIssued {
        guard let text = form["refresh_token"] else { throw OAuthError(.invalidRequest, "refresh_token is missing.") }
        guard let token = OpaqueSecret(text), token.kind == .refresh else {
            throw Self.refused(.invalidGrant(.notFound))
        }
        var wish: ScopeSet?
        if let text = form["scope"] {
            guard let scopes = RequestedScopes.parse(text, isLegacy: app.terms.isLegacy) else {
                throw Self.refused(.invalidScope)
            }
            wish = scopes.set
        }
        let rotation = RefreshRotation(
            of: token,
            by: app,
            scopes: wish,
            audience: audience,
            from: context.origin,
            receivedAt: context.receivedAt,
            signer: try await door.signer(),
            in: door.store
        )
        return try await door.store.perform(rotation, in: app.organization)
    }

    /// The same whatever was wrong with a code or token: who stole one learns nothing.
    private static func refused(_ refusal: AppGrantRefusal) -> OAuthError {
        switch refusal {
        case .invalidGrant: OAuthError(.invalidGrant, "The code or refresh token is not good, or not for this client.")
        case .invalidScope: OAuthError(.invalidScope, "More was asked for than was approved.")
        case .invalidTarget: OAuthError(.invalidTarget, "resource is not the one that was approved.")
        }
    }

    private static func answer(_ issued: AppTokensIssued) -> Response {
        let body: JSON = [
            "access_token": .string(issued.access.reveal()),
            "token_type": "Bearer",
            "expires_in": .integer(issued.lifetime.components.seconds),
            "refresh_token": .string(issued.refresh.reveal()),
            "scope": .string(issued.scopes.joined),
        ]
        return body.response(fields: [.cacheControl: "no-store"])
    }
}

/// What a request asks for, in the dialect of its app.
enum RequestedScopes: Sendable {
    /// Everything that the app may have.
    case all
    case named(ScopeSet)

    /// nil for everything.
    var set: ScopeSet? { if case .named(let scopes) = self { scopes } else { nil } }

    /// Names parted by spaces, of a legacy app also by commas, and its `all`. nil: no list of scopes.
    static func parse(_ text: String, isLegacy: Bool) -> RequestedScopes? {
        guard isLegacy else { return ScopeSet(parsing: text).map(RequestedScopes.named) }
        if text == "all" { return .all }
        return ScopeSet(parsing: text.replacing(",", with: " ")).map(RequestedScopes.named)
    }
}
