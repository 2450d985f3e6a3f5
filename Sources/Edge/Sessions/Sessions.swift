package import Domain
import HTTPTypes
package import Hummingbird
package import Storage

/// How a browser says who is signed in in it: the cookie, and what every form has to prove besides.
///
/// The cookie is `__Host-rollcall`: secure, not for scripts, of this host and no other, not sent along by forms of other
/// sites. Over plain http, which only development on loopback has, a browser takes no such cookie: there it is
/// ``developmentName``.
package struct Sessions: Sendable {
    private let store: Store
    private let origin: String
    private let isSecure: Bool

    package static let name = "__Host-rollcall"
    package static let developmentName = "rollcall-development"
    /// Behind the name of the session's cookie: that of the page to which the next sign-in leads.
    private static let returnSuffix = "-return"
    /// How long that is remembered: as long as what it leads to is good.
    private static let returnLifetime = Duration.seconds(24 * 3600)

    /// `publicURL` is the address that browsers know us by; its origin is the only one that forms may come from.
    package init(store: Store, publicURL: String) {
        self.store = store
        isSecure = publicURL.hasPrefix("https:")
        origin = Self.origin(of: publicURL)
    }

    /// A member who is signed in, and what a form of theirs carries.
    package struct SignedIn: Sendable {
        package let caller: SessionCaller
        package let secret: OpaqueSecret
        package let formToken: String
    }

    /// Who is signed in in the browser that sent this; nil: nobody, or no longer.
    package func signedIn(_ request: Request) async throws -> SignedIn? {
        guard let secret = secret(in: request), let caller = try await store.session(of: secret) else { return nil }
        return SignedIn(caller: caller, secret: secret, formToken: store.keyring.formToken(of: secret))
    }

    /// Whose right password waits for a code in that browser.
    package func waiting(_ request: Request) async throws -> SignedIn? {
        guard let secret = secret(in: request), let caller = try await store.sessionWaiting(of: secret) else {
            return nil
        }
        return SignedIn(caller: caller, secret: secret, formToken: store.keyring.formToken(of: secret))
    }

    /// What the cookie holds, unproved. Two cookies of the name are none: one of them was planted.
    package func secret(in request: Request) -> OpaqueSecret? {
        guard let text = value(of: cookieName, in: request), let secret = OpaqueSecret(text), secret.kind == .session
        else { return nil }
        return secret
    }

    /// The page that the browser was told to come back to, unproved; nil where there is none, or two.
    package func returnPath(in request: Request) -> String? {
        value(of: cookieName + Self.returnSuffix, in: request).flatMap { $0.isEmpty ? nil : $0 }
    }

    private func value(of name: String, in request: Request) -> String? {
        var found: [Substring] = []
        for field in request.headers[values: .cookie] {
            for pair in field.split(separator: ";") {
                let pair = pair.drop { $0 == " " }
                guard let equals = pair.firstIndex(of: "="), pair[..<equals] == name else { continue }
                found.append(pair[equals...].dropFirst())
            }
        }
        return found.count == 1 ? String(found[0]) : nil
    }

    // MARK: Forms

    /// Refuses what a page of another site sent: forms come from our own pages, and browsers say so. A client that says
    /// nothing of where it comes from is refused too.
    package func requireOwnPage(_ request: Request) throws(EdgeError) {
        let sites = request.headers[values: .secFetchSite]
        let origins = request.headers[values: .origin]
        guard sites.count + origins.count > 0, sites.allSatisfy({ $0 == "same-origin" }),
            origins.allSatisfy({ $0 == origin })
        else { throw .forbidden(needs: nil) }
    }

    /// Refuses a form that is not of a page of this session; see ``requireOwnPage(_:)``.
    package func require(_ form: PageForm, of signedIn: SignedIn, _ request: Request) throws(EdgeError) {
        try requireOwnPage(request)
        guard store.keyring.matches(signedIn.secret, formToken: form[PageForm.tokenName]) else {
            throw .forbidden(needs: nil)
        }
    }

    // MARK: Cookies

    /// The `Set-Cookie` that puts a session into the browser.
    package func cookie(of secret: OpaqueSecret) -> String {
        cookie(cookieName, secret.reveal(), lifetime: SessionTerms.absolute)
    }

    /// The `Set-Cookie` that takes it out again.
    package var clearedCookie: String { cookie(cookieName, "", lifetime: .zero) }

    /// The `Set-Cookie` by which the next sign-in of this browser leads to `path`, one of our own.
    package func returnCookie(to path: String) -> String {
        cookie(cookieName + Self.returnSuffix, path, lifetime: Self.returnLifetime)
    }

    /// The `Set-Cookie` that forgets it.
    package var clearedReturnCookie: String { cookie(cookieName + Self.returnSuffix, "", lifetime: .zero) }

    private var cookieName: String { isSecure ? Self.name : Self.developmentName }

    private func cookie(_ name: String, _ value: String, lifetime: Duration) -> String {
        "\(name)=\(value); Path=/; Max-Age=\(lifetime.components.seconds); HttpOnly; SameSite=Lax"
            + (isSecure ? "; Secure" : "")
    }

    /// Scheme, host and port of an address, as a browser writes them in `Origin`.
    private static func origin(of address: String) -> String {
        let scheme = address.hasPrefix("https:") ? "https://" : "http://"
        let authority = address.dropFirst(scheme.utf8.count).prefix { $0 != "/" }.lowercased()
        let standardPort = scheme == "https://" ? ":443" : ":80"
        guard authority.hasSuffix(standardPort) else { return scheme + authority }
        return scheme + authority.dropLast(standardPort.utf8.count)
    }
}
