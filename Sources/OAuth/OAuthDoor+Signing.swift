import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage
import Transparency

// What tokens are for, and the keys that sign those for resources which validate them without asking (RFC 9068).
//
// Invariants:
// - A signed token has its row like every other, found by the digest of the whole token. Every door of ours asks the row
//   alone: what the token says, and whether its signature holds, decides nothing here.
// - So what was revoked, or whose user or grant ended, is refused here at once, and elsewhere after ten minutes at most.
// - Its times, audience, subject and scopes are its row's.
extension OAuthDoor {
    /// What a token is asked for.
    struct Target: Sendable {
        /// nil: for everything of ours.
        let audience: String?
        let format: TokenFormat
    }

    /// Reads `resource` (RFC 8707 2) as the organization knows it: one of this server's own, or one that it registered.
    func target(_ resource: String?, in organization: OrganizationID) async throws -> Target {
        guard let resource else { return Target(audience: nil, format: .opaque) }
        let known =
            ResourceIdentifier(resource) == nil
            ? nil : try await store.read(as: organization) { try await $0.resource(resource) }
        guard known != nil || resources.contains(resource) else {
            throw OAuthError(.invalidTarget, "resource is none that the organization has.")
        }
        return Target(audience: resource, format: known?.format ?? .opaque)
    }

    /// Who signs now.
    func signer() async throws -> TokenSigner { TokenSigner(key: try await tokenKeys.signing(), issuer: issuer) }

    /// Routes the published keys (RFC 7517).
    func mountKeys(on router: Router<EdgeContext>) {
        router.get("/.well-known/jwks.json") { _, _ in
            let (schedule, now) = try await tokenKeys.current()
            return schedule.published(at: now).response(
                contentType: "application/jwk-set+json",
                fields: [.cacheControl: "public, max-age=\(TokenKeySchedule.cacheSeconds)"]
            )
        }
    }
}
