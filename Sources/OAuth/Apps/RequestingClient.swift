import Domain
import Edge
import Storage

/// The client of a request to authorize: an app of one organization, or one that no admin registered, and which every
/// organization may come to know.
enum RequestingClient: Sendable {
    case app(AppView)
    case outside(OutsideClient)

    var terms: AppTerms {
        switch self {
        case .app(let app): app.terms
        case .outside(let client): client.terms
        }
    }

    /// nil for an outside one.
    var organization: OrganizationID? { if case .app(let app) = self { app.organization } else { nil } }

    /// The client id.
    var name: String {
        switch self {
        case .app(let app): app.clientID
        case .outside(let client): client.name
        }
    }

    /// What somebody who decides has to know besides; nil where an admin vouches.
    var warning: String? {
        guard case .outside(let client) = self else { return nil }
        return switch client.origin {
        case .admin: nil
        case .builtIn: "Allow this only if you started it yourself, on this machine, a moment ago."
        case .registered: "This app registered itself. Nobody in your organization has looked at it."
        case .document:
            "Nobody in your organization has looked at this app. What it says of itself stands at \(client.name)."
        }
    }

    /// Whether an admin, or this program, chose where its answers go.
    var isVouchedFor: Bool {
        switch self {
        case .app: true
        case .outside(let client): client.origin == .builtIn
        }
    }

    func isOpen(to organization: OrganizationID) -> Bool { self.organization.map { $0 == organization } ?? true }

    func target(in organization: OrganizationID) -> AuditTarget {
        if case .app(let app) = self { .app(app.id) } else { .organization(organization) }
    }

    /// The app in the member's organization; an outside one gets it here.
    func app(for member: Sessions.SignedIn, _ context: EdgeContext, in door: OAuthDoor) async throws -> AppID {
        switch self {
        case .app(let app): return app.id
        case .outside(let client):
            let adoption = AppAdoption(of: client, by: member.attribution(context), in: door.store)
            return try await door.store.perform(adoption, in: member.caller.organization).id
        }
    }
}

extension OAuthDoor {
    /// The active client of that id. An outside one is not active where the organization of whoever decides stopped it.
    func client(asking name: String?, of organization: OrganizationID?) async throws -> RequestingClient? {
        guard let name else { return nil }
        if let id = AppID(name) {
            let app = try await store.app(client: id)
            return app.flatMap { $0.status == .active ? .app($0) : nil }
        }
        guard let client = try await outside(name) else { return nil }
        let own = try await organization.asyncMap { organization in
            try await store.read(as: organization) { try await $0.app(calledBy: name) }
        }
        return (own ?? nil)?.status ?? .active == .active ? .outside(client) : nil
    }

    /// Whether that could be the client id of an outside client.
    func isOutside(_ name: String) -> Bool {
        name == CommandLineClient.name || RegistrationID(name) != nil || ClientDocumentURL(name) != nil
    }

    /// What an outside client says of itself; nil where there is none.
    func outside(_ name: String) async throws -> OutsideClient? {
        if name == CommandLineClient.name { return CommandLineClient.client }
        if let id = RegistrationID(name) {
            return outsiders.registration ? try await store.registeredClient(id) : nil
        }
        guard let url = ClientDocumentURL(name) else { return nil }
        return await outsiders.documents?.client(at: url)
    }

    /// The app of an outside client, by the code or token that the form presents.
    func presentedOutside(_ name: String, _ form: TokenForm) async throws -> AppView? {
        let presented = [form["code"], form["refresh_token"], form["token"]].compactMap {
            $0.flatMap { OpaqueSecret($0) }
        }
        guard isOutside(name), presented.count == 1 else { return nil }
        return try await store.app(calledBy: name, presenting: presented[0])
    }
}

extension OAuthError {
    /// Nothing that an outside client presented is its own.
    static let strangersGrant = OAuthError(
        .invalidGrant,
        "The code or refresh token is not good, or not for this client."
    )
}

extension Optional {
    func asyncMap<Value>(_ transform: (Wrapped) async throws -> Value) async rethrows -> Value? {
        guard let self else { return nil }
        return try await transform(self)
    }
}
