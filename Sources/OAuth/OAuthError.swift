import Domain
package import Edge
import HTTPTypes
import Hummingbird
import Transparency

/// A refusal of a form endpoint. Raw values are the registered error codes.
struct OAuthError: Error {
    enum Code: String {
        case invalidRequest = "invalid_request"
        case invalidClient = "invalid_client"
        case unauthorizedClient = "unauthorized_client"
        case unsupportedGrantType = "unsupported_grant_type"
        case invalidGrant = "invalid_grant"
        case accessDenied = "access_denied"
        case unsupportedResponseType = "unsupported_response_type"
        /// What ``invalidClient`` is called in the older dialect.
        case invalidClientID = "invalid_client_id"
        case invalidScope = "invalid_scope"
        case invalidTarget = "invalid_target"
        case invalidToken = "invalid_token"
        case insufficientScope = "insufficient_scope"
        case invalidRedirectURI = "invalid_redirect_uri"
        case invalidClientMetadata = "invalid_client_metadata"
        case temporarilyUnavailable = "temporarily_unavailable"
        case serverError = "server_error"
    }

    let code: Code
    let description: String
    /// Whether the client tried the Authorization header, and is to be challenged there (RFC 6749 5.2).
    var usedBasic = false

    init(_ code: Code, _ description: String, usedBasic: Bool = false) {
        self.code = code
        self.description = description
        self.usedBasic = usedBasic
    }

    /// Whether somebody may be guessing.
    var isWrongSecret: Bool { code == .invalidClient || code == .invalidClientID || code == .invalidToken }

    var response: Response {
        var fields: HTTPFields = [.cacheControl: "no-store"]
        let status: HTTPResponse.Status
        switch code {
        case .invalidClient:
            status = .unauthorized
            fields[.wwwAuthenticate] = #"Basic realm="oauth", charset="UTF-8""#
        case .invalidClientID: status = .unauthorized
        case .invalidToken:
            status = .unauthorized
            fields[.wwwAuthenticate] = #"Bearer error="invalid_token""#
        case .insufficientScope:
            status = .forbidden
            fields[.wwwAuthenticate] = #"Bearer error="insufficient_scope""#
        default: status = .badRequest
        }
        return response(status, fields)
    }

    fileprivate func response(_ status: HTTPResponse.Status, _ fields: HTTPFields) -> Response {
        let body: JSON = ["error": .string(code.rawValue), "error_description": .string(description)]
        return body.response(status: status, fields: fields)
    }
}

extension OAuthDoor {
    /// How the form endpoints say what is refused before or around them: by their protocol's form, with the status and
    /// fields (`Retry-After`, `Allow`) that a problem has.
    package static let errorForm = ErrorForm(
        paths: ["/oauth/token", introspectionPath.description, "/oauth/revoke", "/oauth/register"]
    ) { refusal in
        let problem = refusal.map { Problem($0) } ?? .internalError
        let error = OAuthError(OAuthError.Code(around: refusal), problem.detail ?? problem.title + ".")
        var fields = problem.fields
        fields[.cacheControl] = "no-store"
        return error.response(problem.status, fields)
    }
}

extension OAuthError.Code {
    /// RFC 6749 has no word for most of it: what the client can change is an invalid request.
    fileprivate init(around refusal: EdgeError?) {
        switch refusal {
        case nil: self = .serverError
        case .tooManyRequests, .unavailable: self = .temporarilyUnavailable
        case .unauthorized: self = .invalidClient
        case .forbidden, .refused: self = .accessDenied
        default: self = .invalidRequest
        }
    }
}
