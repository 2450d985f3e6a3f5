package import Domain
import Postgres

/// A client that registered itself (RFC 7591), with its secret, which is shown this once.
package struct RegisteredClient: Sendable {
    package let id: RegistrationID
    /// nil for a public one.
    package let secret: OpaqueSecret?
    package let registeredAt: Timestamp

    /// Of those that nobody let in yet, at most.
    package static let mostWaiting: Int64 = 10_000
}

extension Store {
    /// Registers a client; nil while too many wait to be let in. It is of no organization, so no log tells it: that of the
    /// organization whose member lets it in does.
    package func register(_ metadata: ClientMetadata) async throws -> RegisteredClient? {
        let id = newID(RegistrationID.self)
        let secret = metadata.authentication == .none ? nil : OpaqueSecret.make(.client, using: randomness)
        let digest = secret.map(keyring.digest(of:))
        let added: Bool = try await pool.query(
            """
            SELECT register_client(\(id), \(metadata.name), \(metadata.contact.description),
                \(metadata.redirects.map(\.description)), \(metadata.scopes.names), \(digest as [UInt8]?),
                \(RegisteredClient.mostWaiting)) AS added
            """
        ).only().decode("added")
        return added ? RegisteredClient(id: id, secret: secret, registeredAt: clock.now()) : nil
    }

    /// What a client said of itself when it registered; nil where there is none of that id.
    package func registeredClient(_ id: RegistrationID) async throws -> OutsideClient? {
        let rows = try await pool.query(
            "SELECT name, contact_email, redirect_uris, scopes, secret_digest FROM registered_client(\(id))"
        )
        guard let row = rows.first else { return nil }
        let terms = AppTerms(
            name: try row.decode("name"),
            description: "",
            contactEmail: try row.parse("contact_email"),
            redirects: try row.decode("redirect_uris", as: [String].self).compactMap { RedirectURI($0) },
            scopes: try row.scopes("scopes"),
            isLegacy: false,
            accessLifetime: AppTerms.standardLifetime
        )
        return OutsideClient(
            name: id.description,
            origin: .registered,
            terms: terms,
            secretDigest: try row.decode("secret_digest")
        )
    }

    /// Removes registrations that nobody let in within their day, and says how many.
    @discardableResult
    package func forgetRegisteredClients() async throws -> Int {
        Int(
            try await pool.query("SELECT forget_registered_clients(\(Int32(1000))) AS gone").only()
                .decode("gone", as: Int64.self)
        )
    }
}
