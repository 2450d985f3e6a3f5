import Domain
import Edge
import Hummingbird
import NIOCore
import Storage
import Synchronization
import Transparency

/// `POST /oauth/register` (RFC 7591): a program makes itself known. It gets nothing by that but a client id: it belongs to
/// no organization before a member of one lets it act for them, who is told that nobody looked at it.
///
/// There only where the operator switched it on, and bounded: by address, and by how many wait to be let in.
final class RegistrationEndpoint: Sendable {
    private let door: OAuthDoor
    private let taken: Mutex<RateTable<IDBits>>

    /// Ten at once from one address (IPv6: from one /64), then one a minute.
    private static let rate = Rate(perSecond: 1.0 / 60, burst: 10)

    /// nil where the rate is none, which it is not.
    init?(door: OAuthDoor) {
        guard let rate = Self.rate else { return nil }
        self.door = door
        taken = Mutex(RateTable(rate))
    }

    func mount(on router: Router<EdgeContext>) {
        router.post("/oauth/register") { [self] request, context in
            do {
                try door.limits.admit(context.client)
                if let wait = taken.withLock({ $0.take(CallerLimits.key(of: context.client), at: .now) }) {
                    throw EdgeError.tooManyRequests(retryAfterSeconds: CallerLimits.seconds(of: wait))
                }
                return try await register(try await Self.metadata(in: request))
            } catch let error as OAuthError {
                return error.response
            }
        }
    }

    private static func metadata(in request: Request) async throws -> ClientMetadata {
        var read: JSON.Object?
        do {
            read = try await request.readJSON(mostBytes: ClientMetadata.mostBytes).object
        } catch is EdgeError {
            // Told in the protocol's form, like what is no object.
        }
        guard let object = read else {
            throw OAuthError(
                .invalidClientMetadata,
                "The body is no JSON object of type application/json, or too long."
            )
        }
        do throws(ClientMetadata.Refusal) {
            return try ClientMetadata(object, standard: .secretBasic)
        } catch {
            switch error {
            case .redirects(let why): throw OAuthError(.invalidRedirectURI, why)
            case .metadata(let why): throw OAuthError(.invalidClientMetadata, why)
            }
        }
    }

    private func register(_ metadata: ClientMetadata) async throws -> Response {
        guard let made = try await door.store.register(metadata) else {
            throw EdgeError.unavailable(retryAfterSeconds: EdgeError.retryAfterSeconds)
        }
        var body: JSON.Object = [
            "client_id": .string(made.id.description),
            "client_id_issued_at": .integer(made.registeredAt.seconds),
            "client_name": .string(metadata.name),
            "redirect_uris": .array(metadata.redirects.map { .string($0.description) }),
            "token_endpoint_auth_method": .string(metadata.authentication.rawValue),
            "grant_types": .array(metadata.grantTypes.map(JSON.string)), "response_types": ["code"],
            "scope": .string(metadata.scopes.joined),
        ]
        if metadata.contact != .nobody { body["contacts"] = [.string(metadata.contact.description)] }
        if let secret = made.secret {
            body["client_secret"] = .string(secret.reveal())
            body["client_secret_expires_at"] = .integer(0)
        }
        return JSON.object(body).response(status: .created, fields: [.cacheControl: "no-store"])
    }
}
