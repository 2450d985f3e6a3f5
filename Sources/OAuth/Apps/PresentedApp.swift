import Domain
import Edge
import Storage

extension OAuthDoor {
    /// The app that a form names, once it proved itself; a public one has nothing to prove. nil where the form names no
    /// app, but perhaps a grant.
    func app(_ form: TokenForm) async throws -> AppView? {
        let basic = try PresentedClient.basic(form.authorization)
        guard let name = basic?.id ?? form["client_id"], AppID(name) != nil || isOutside(name) else { return nil }
        if let named = form["client_id"], named != name {
            throw OAuthError(.invalidRequest, "The header and the body name different clients.")
        }
        let presented = [basic?.secret, form["client_secret"], form["client_hash"]].compactMap(\.self)
        guard presented.count <= 1 else {
            throw OAuthError(.invalidRequest, "The client authenticates in more than one way.")
        }
        // The same for an unknown app and a wrong secret; who writes in the older dialect is answered in it.
        let wrong =
            form["client_hash"] == nil
            ? OAuthError.wrongClient(usedBasic: basic != nil)
            : OAuthError(.invalidClientID, "The client id or its hash is wrong.")
        let found: AppView?
        if let id = AppID(name) {
            found = try await store.app(client: id)
        } else {
            found = try await presentedOutside(name, form)
        }
        guard let app = found, app.terms.isLegacy || form["client_hash"] == nil else {
            throw isOutside(name) ? OAuthError.strangersGrant : wrong
        }
        guard app.isConfidential else {
            guard presented.isEmpty else { throw wrong }
            return app
        }
        guard let secret = presented.first.flatMap({ OpaqueSecret($0) }), store.isSecret(secret, of: app) else {
            tallies.count(AccessRefusal.wrongSecret.rawValue, of: .app(app.id), in: app.organization)
            throw wrong
        }
        return app
    }
}
