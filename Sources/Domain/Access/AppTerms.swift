/// What an admin says of an app: an OAuth client of many users.
package struct AppTerms: Sendable, Hashable {
    package var name: String
    package var description: String
    package var contactEmail: ContactEmail
    /// At least one, at most ``mostRedirects``.
    package var redirects: [RedirectURI]
    /// What its users may be asked for at most.
    package var scopes: ScopeSet
    /// Whether it understands only the older dialect: comma-separated scopes, no PKCE, no grant type. Confidential apps
    /// alone; where codes are sent, and that they are used once, is checked as for every other.
    package var isLegacy: Bool
    /// How long its access tokens live, within ``lifetimes``.
    package var accessLifetime: Duration

    package static let mostRedirects = 20
    package static let standardLifetime = Duration.seconds(3600)
    /// A minute to a year.
    package static let lifetimes = Duration.seconds(60)...Duration.seconds(365 * 86_400)

    package init(
        name: String,
        description: String,
        contactEmail: ContactEmail,
        redirects: [RedirectURI],
        scopes: ScopeSet,
        isLegacy: Bool,
        accessLifetime: Duration
    ) {
        self.name = name
        self.description = description
        self.contactEmail = contactEmail
        self.redirects = redirects
        self.scopes = scopes
        self.isLegacy = isLegacy
        self.accessLifetime = accessLifetime
    }

    /// The registered redirect that a request means: the one that it names, or the only one where it names none.
    package func redirect(for asked: String?) -> RedirectURI? {
        guard let asked else { return redirects.count == 1 ? redirects[0] : nil }
        return redirects.contains { $0.matches(asked) } ? RedirectURI(asked) : nil
    }
}

/// An app's life. `ended` is final.
package enum AppStatus: String, Sendable, CaseIterable {
    case active
    case disabled
    case ended
}

/// Times of what apps get.
package enum AppTokens {
    /// From the consent to the exchange (RFC 6749 4.1.2 recommends ten minutes at most).
    package static let codeLifetime = Duration.seconds(5 * 60)
    /// A refresh token that is not used for this long is over; each use begins anew.
    package static let refreshLifetime = Duration.seconds(30 * 86_400)
    /// How long a used refresh token still names its successor: for a client whose answer was lost on its way.
    package static let retryWindow = Duration.seconds(60)
}
