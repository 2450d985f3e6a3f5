package import Transparency

/// What a client says of itself (RFC 7591 2), in a registration or in a document, judged as strictly as what an admin says.
/// Members that mean nothing here are passed over, as the RFC asks.
package struct ClientMetadata: Sendable {
    package let name: String
    package let contact: ContactEmail
    package let redirects: [RedirectURI]
    /// What it may ask users for at most.
    package let scopes: ScopeSet
    package let authentication: Authentication
    package let grantTypes: [String]

    /// How it proves at the token endpoint who it is.
    package enum Authentication: String, Sendable, CaseIterable {
        /// Not at all: a public client.
        case none
        case secretBasic = "client_secret_basic"
        case secretPost = "client_secret_post"
    }

    /// What it may be used for, by the codes of RFC 7591 3.2.2.
    package enum Refusal: Error, Sendable, Hashable {
        case redirects(String)
        case metadata(String)
    }

    package static let mostNameCharacters = 100
    /// Bytes of it at most, as JSON.
    package static let mostBytes = 16 * 1024

    /// Without `scope` it may ask for what only reads: nobody looked at it. `standard` is how it proves who it is where it
    /// does not say.
    package init(_ json: JSON.Object, standard: Authentication) throws(Refusal) {
        redirects = try Self.redirects(json["redirect_uris"])
        let method = try Self.text("token_endpoint_auth_method", in: json) ?? standard.rawValue
        guard let authentication = Authentication(rawValue: method) else {
            throw .metadata("token_endpoint_auth_method is none, client_secret_basic or client_secret_post.")
        }
        self.authentication = authentication
        grantTypes = try Self.texts("grant_types", in: json) ?? ["authorization_code"]
        guard grantTypes.contains("authorization_code"),
            grantTypes.allSatisfy({ ["authorization_code", "refresh_token"].contains($0) })
        else { throw .metadata("grant_types are authorization_code and refresh_token.") }
        guard try Self.texts("response_types", in: json) ?? ["code"] == ["code"] else {
            throw .metadata("The only response type is code.")
        }
        scopes = try Self.scopes(try Self.text("scope", in: json))
        name = try Self.name(try Self.text("client_name", in: json) ?? redirects[0].host)
        contact = try Self.texts("contacts", in: json)?.lazy.compactMap { ContactEmail($0) }.first ?? .nobody
    }

    private static func redirects(_ json: JSON?) throws(Refusal) -> [RedirectURI] {
        guard let list = json?.array, (1...AppTerms.mostRedirects).contains(list.count) else {
            throw .redirects("redirect_uris are 1 to \(AppTerms.mostRedirects) addresses.")
        }
        var redirects: [RedirectURI] = []
        for value in list {
            guard let redirect = value.string.flatMap({ RedirectURI($0) }) else {
                throw .redirects(
                    "A redirect URI is an https address in lower case without fragment and user information, http on "
                        + "loopback, or a scheme of the program's own with a dot in it."
                )
            }
            if !redirects.contains(redirect) { redirects.append(redirect) }
        }
        return redirects
    }

    private static func scopes(_ text: String?) throws(Refusal) -> ScopeSet {
        guard let text else { return ScopeSet(ScopeSet.all.scopes.filter(\.isReadOnly)) }
        guard let scopes = ScopeSet(parsing: text), !scopes.isEmpty, scopes.isSubset(of: .all) else {
            throw .metadata("scope holds what is none of this server's scopes.")
        }
        return scopes
    }

    private static func name(_ text: String) throws(Refusal) -> String {
        let isPlain = text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            // What could make a name read as another one.
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
            default: true
            }
        }
        guard isPlain, text.contains(where: { !$0.isWhitespace }), text.unicodeScalars.count <= mostNameCharacters
        else {
            throw .metadata("client_name is a text of 1 to \(mostNameCharacters) visible characters.")
        }
        return text
    }

    private static func text(_ name: String, in json: JSON.Object) throws(Refusal) -> String? {
        guard let value = json[name], !value.isNull else { return nil }
        guard let text = value.string else { throw .metadata("\(name) is a text.") }
        return text
    }

    private static func texts(_ name: String, in json: JSON.Object) throws(Refusal) -> [String]? {
        guard let value = json[name], !value.isNull else { return nil }
        guard let list = value.array, list.count <= AppTerms.mostRedirects, list.allSatisfy({ $0.string != nil }) else {
            throw .metadata("\(name) is a list of texts.")
        }
        return list.compactMap(\.string)
    }

    /// As the terms of an app.
    package var terms: AppTerms {
        AppTerms(
            name: name,
            description: "",
            contactEmail: contact,
            redirects: redirects,
            scopes: scopes,
            isLegacy: false,
            accessLifetime: AppTerms.standardLifetime
        )
    }
}

/// The address of a document by which a client is known (draft-ietf-oauth-client-id-metadata-document), in one spelling.
package struct ClientDocumentURL: Hashable, Sendable, LosslessStringConvertible {
    package let description: String

    /// Refuses all but https addresses with a path, without query, fragment, user information and dot segments.
    package init?(_ text: String) {
        guard text.hasPrefix("https://"), let address = RedirectURI(text), !text.contains("?") else { return nil }
        let path = text.dropFirst(8).drop { $0 != "/" }
        guard path.count > 1, !path.contains("/./"), !path.hasSuffix("/."), !path.lowercased().contains("%2e"),
            !address.host.isEmpty
        else { return nil }
        description = text
    }

    /// The client that the document at this address describes. Refused where it describes another, or one that would need a
    /// secret: nobody could have given it one.
    package func client(in document: JSON.Object) throws(ClientMetadata.Refusal) -> OutsideClient {
        guard document["client_id"]?.string.map({ $0.utf8.elementsEqual(description.utf8) }) ?? false else {
            throw .metadata("client_id is not the document's own address.")
        }
        guard document["client_secret"] == nil, document["client_secret_expires_at"] == nil else {
            throw .metadata("A document holds no secret.")
        }
        let metadata = try ClientMetadata(document, standard: .none)
        guard metadata.authentication == .none else { throw .metadata("token_endpoint_auth_method has to be none.") }
        return OutsideClient(name: description, origin: .document, terms: metadata.terms)
    }
}
