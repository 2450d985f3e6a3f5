import Domain
import Edge
import Foundation
import HTTPTypes
import Hummingbird

/// The form of a request, read once: nothing reaches back into the request after it.
struct TokenForm: Sendable {
    private let values: [String: String]
    /// The Authorization header, where there is exactly one.
    let authorization: String?

    /// Refuses another content type, a repeated parameter (RFC 6749 3.2), and parameters in the query, where they would
    /// end up in logs.
    init(_ request: Request) async throws {
        let type = request.headers[.contentType]?.lowercased().prefix { $0 != ";" } ?? ""
        guard type.filter({ $0 != " " }) == "application/x-www-form-urlencoded" else {
            throw OAuthError(.invalidRequest, "The body has to be application/x-www-form-urlencoded.")
        }
        guard request.uri.query == nil else {
            throw OAuthError(.invalidRequest, "Parameters belong in the body, never in the address.")
        }
        let authorizations = request.headers[values: .authorization]
        guard authorizations.count <= 1 else {
            throw OAuthError(.invalidRequest, "More than one Authorization header.")
        }
        authorization = authorizations.first
        let body = try await request.readBody(mostBytes: OAuthDoor.mostFormBytes)
        var values: [String: String] = [:]
        for (name, value) in try Self.pairs(String(buffer: body)) where !value.isEmpty {
            guard values.updateValue(value, forKey: name) == nil else {
                throw OAuthError(.invalidRequest, "A parameter stands more than once.")
            }
        }
        self.values = values
    }

    /// nil where it is missing or empty, which RFC 6749 3.2 treats alike.
    subscript(_ name: String) -> String? { values[name] }

    private static func pairs(_ text: String) throws(OAuthError) -> [(name: String, value: String)] {
        do {
            return try QueryParameters.read(text)
        } catch {
            throw OAuthError(.invalidRequest, "The form is not percent-encoded UTF-8, or too long.")
        }
    }
}

/// How a client says who it is (RFC 6749 2.3.1): one way at a time.
struct PresentedClient: Sendable {
    let grant: GrantID
    let secret: OpaqueSecret
    let usedBasic: Bool

    /// nil where the form names no client at all.
    init?(_ form: TokenForm) throws(OAuthError) {
        let basic = try Self.basic(form.authorization)
        let posted = form["client_secret"]
        guard basic == nil || posted == nil else {
            throw OAuthError(.invalidRequest, "The client authenticates in the header and in the body.")
        }
        guard let id = basic?.id ?? form["client_id"], let text = basic?.secret ?? posted else { return nil }
        if let named = form["client_id"], named != id {
            throw OAuthError(.invalidRequest, "The header and the body name different clients.")
        }
        usedBasic = basic != nil
        guard let grant = GrantID(id), let secret = OpaqueSecret(text) else {
            throw OAuthError.wrongClient(usedBasic: usedBasic)
        }
        self.grant = grant
        self.secret = secret
    }

    static func basic(_ header: String?) throws(OAuthError) -> (id: String, secret: String)? {
        guard let header, header.lowercased().hasPrefix("basic ") else { return nil }
        let encoded = header.dropFirst(6).drop { $0 == " " }
        guard let data = Data(base64Encoded: String(encoded)), let text = String(data: data, encoding: .utf8),
            let colon = text.firstIndex(of: ":"),
            let id = text[..<colon].removingPercentEncoding,
            let secret = text[text.index(after: colon)...].removingPercentEncoding
        else { throw OAuthError(.invalidClient, "The Basic credentials cannot be read.", usedBasic: true) }
        return (id, secret)
    }
}

extension OAuthError {
    /// The same for an unknown client and a wrong secret.
    static func wrongClient(usedBasic: Bool) -> OAuthError {
        OAuthError(.invalidClient, "The client id or its secret is wrong.", usedBasic: usedBasic)
    }
}
