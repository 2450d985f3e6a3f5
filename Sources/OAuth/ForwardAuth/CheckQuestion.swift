import Domain
import Edge
import HTTPTypes
import Hummingbird

/// What a proxy asks: fixed in its configuration, never said by the client whose request it holds back.
///
/// It stands in the query of the check's address where the proxy sends its own address (`/authz/check?scope=…&action=…`:
/// nginx, Traefik, Caddy). A proxy that keeps path and query of the client's request (Envoy) asks below that path, and then
/// it stands in one header field of the same form, which the proxy overwrites; the query is the client's and not read.
struct CheckQuestion: Sendable, Hashable {
    /// All of them are needed.
    let scopes: ScopeSet
    /// What the entry says that was asked for.
    let action: ExternalAction
    /// The resource identifier of the API behind the proxy (RFC 8707); nil: it takes tokens that name none.
    let audience: String?

    static let path = "/authz/check"

    /// Whether the request is one for a check: any method, the path, and every path below it.
    static func isAsked(by request: Request) -> Bool {
        let path = request.uri.path
        return path == Self.path || path.hasPrefix(Self.path + "/")
    }

    /// Refuses what is missing, unknown, repeated, and said in two places.
    init(_ request: Request) throws(Unasked) {
        let fields = request.headers[values: .rollcallCheck]
        let text: String
        if request.uri.path == Self.path {
            // Otherwise the client's own header field could stand for what the proxy did not say.
            guard fields.isEmpty else { throw .saidTwice }
            text = request.uri.query ?? ""
        } else {
            guard fields.count == 1, let field = fields.first else { throw fields.isEmpty ? .missing : .saidTwice }
            text = field
        }
        var values: [String: String] = [:]
        // What cannot be read says nothing.
        for (name, value) in (try? QueryParameters.read(text)) ?? [] {
            guard ["scope", "action", "audience"].contains(name) else { throw .unknown }
            guard values.updateValue(value, forKey: name) == nil else { throw .saidTwice }
        }
        guard let scopes = values["scope"].flatMap({ ScopeSet(parsing: $0) }),
            let action = values["action"].flatMap({ ExternalAction($0) })
        else { throw .missing }
        self.scopes = scopes
        self.action = action
        audience = values["audience"]
    }

    /// Why a check has no question that can be answered. A fault of the proxy's configuration, or somebody who plays one.
    enum Unasked: String, Error {
        case missing = "question_missing"
        case saidTwice = "question_repeated"
        case unknown = "question_unknown"
    }
}

extension HTTPField.Name {
    /// The secret by which a proxy proves to be one.
    static let rollcallProxy = named("x-rollcall-proxy")
    /// ``CheckQuestion``, where the query is the client's.
    static let rollcallCheck = named("x-rollcall-check")
    static let rollcallOrganization = named("x-rollcall-organization")
    static let rollcallUser = named("x-rollcall-user")
    static let rollcallIntegration = named("x-rollcall-integration")
    static let rollcallPerson = named("x-rollcall-person")
    static let rollcallGrant = named("x-rollcall-grant")
    static let rollcallScopes = named("x-rollcall-scopes")
    static let rollcallRequestID = named("x-rollcall-request-id")

    /// What proxies add about the request that they hold back. One of each at most.
    static let saidOnce: [HTTPField.Name] = [
        .xForwardedFor, .forwarded, named("x-forwarded-host"), named("x-forwarded-proto"), named("x-forwarded-port"),
        .forwardedMethod, named("x-forwarded-uri"), named("x-real-ip"), named("x-original-url"), .originalMethod,
    ]
    static let forwardedMethod = named("x-forwarded-method")
    static let originalMethod = named("x-original-method")

    private static func named(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is not a token") }
        return name
    }
}
