/// How an app came to be known.
package enum AppOrigin: String, Sendable, CaseIterable {
    case admin
    /// The program's own command line.
    case builtIn = "built_in"
    /// It registered itself (RFC 7591).
    case registered
    /// By the address of a document that says what it is.
    case document
}

/// An OAuth client that no admin registered. It belongs to no organization; one of which a member lets it act for them
/// gets an app of its own for it.
package struct OutsideClient: Sendable {
    /// Its client id.
    package let name: String
    package let origin: AppOrigin
    package let terms: AppTerms
    /// Of its secret; nil for a public one.
    package let secretDigest: [UInt8]?

    package init(name: String, origin: AppOrigin, terms: AppTerms, secretDigest: [UInt8]? = nil) {
        self.name = name
        self.origin = origin
        self.terms = terms
        self.secretDigest = secretDigest
    }
}

/// The command line of this program, as a client: public, answered on a port of loopback that it takes as it finds it
/// (RFC 8252 7.3).
package enum CommandLineClient {
    package static let name = "rollcall-cli"
    /// Where its answers go, behind the port.
    package static let redirectPath = "/callback"

    package static let client: OutsideClient? = RedirectURI("http://127.0.0.1" + redirectPath).map { redirect in
        OutsideClient(
            name: name,
            origin: .builtIn,
            terms: AppTerms(
                name: "The rollcall command line",
                description: "",
                contactEmail: .nobody,
                redirects: [redirect],
                scopes: .all,
                isLegacy: false,
                accessLifetime: AppTerms.standardLifetime
            )
        )
    }
}
