import Domain
import Edge
import Hummingbird
import Transparency

extension OAuthDoor {
    /// The resources of this server that a token can be for: itself, and its API.
    var resources: Set<String> { ResourceIdentifier.own(of: issuer) }

    /// Routes what clients find out by themselves: RFC 8414, and RFC 9728 for each resource at the path that its address
    /// has.
    func mountMetadata(on router: Router<EdgeContext>) {
        let server = serverMetadata
        router.get("/.well-known/oauth-authorization-server") { _, _ in
            server.response(fields: [.cacheControl: "public, max-age=300"])
        }
        for path in ["", "/v1"] {
            let resource = resourceMetadata(issuer + path)
            router.get(RouterPath("/.well-known/oauth-protected-resource" + path)) { _, _ in
                resource.response(fields: [.cacheControl: "public, max-age=300"])
            }
        }
    }

    private func resourceMetadata(_ resource: String) -> JSON {
        [
            "resource": .string(resource),
            "authorization_servers": [.string(issuer)],
            "bearer_methods_supported": ["header"],
            "scopes_supported": .array(ScopeSet.all.names.map(JSON.string)),
            "resource_name": "Rollcall",
        ]
    }

    private var serverMetadata: JSON {
        let secret: JSON = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
        let token: JSON = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
        let algorithms = JSON.array(ClientKeys.algorithms.map(JSON.string))
        var metadata: JSON.Object = [
            "issuer": .string(issuer),
            "authorization_endpoint": .string(issuer + "/oauth/authorize"),
            "token_endpoint": .string(issuer + "/oauth/token"),
            "introspection_endpoint": .string(issuer + "/oauth/introspect"),
            "revocation_endpoint": .string(issuer + "/oauth/revoke"),
            "jwks_uri": .string(issuer + "/.well-known/jwks.json"),
            "userinfo_endpoint": .string(issuer + "/oauth/userinfo"),
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "token_endpoint_auth_methods_supported": token,
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "introspection_endpoint_auth_methods_supported": secret,
            "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported": token,
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
            "scopes_supported": .array(ScopeSet.all.names.map(JSON.string)),
            "protected_resources": .array(resources.sorted().map(JSON.string)),
            "client_id_metadata_document_supported": .bool(outsiders.documents != nil),
        ]
        if outsiders.registration { metadata["registration_endpoint"] = .string(issuer + "/oauth/register") }
        return .object(metadata)
    }
}
