import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage
import Transparency

/// `/oauth/userinfo`: for whom the bearer of a token acts. GET and POST, the token in the header alone.
struct UserInfoEndpoint: Sendable {
    let door: OAuthDoor

    func mount(on router: Router<EdgeContext>) {
        for method in [HTTPRequest.Method.get, .post] {
            router.on("/oauth/userinfo", method: method) { request, context in try await respond(request, context) }
        }
    }

    private func respond(_ request: Request, _ context: EdgeContext) async throws -> Response {
        try door.limits.admit(context.client)
        let token = try Authenticator.bearer(in: request.headers)
        guard let facts = try await door.store.facts(of: token) else {
            door.limits.countFailure(from: context.client)
            throw EdgeError.unauthorized(.invalid)
        }
        let caller = facts.caller
        let refusal = facts.refusal(from: context.client, for: door.audience)
        // What has ended uses up nobody's limit but that of where it comes from.
        if refusal == nil {
            try door.limits.admit(caller.limited)
        } else {
            door.limits.countFailure(from: context.client)
        }
        let draft = AuditDraft(
            .userRead,
            .user(caller.user),
            outcome: refusal == nil ? .done : .refused,
            reason: refusal?.rawValue,
            person: caller.person
        )
        let attribution = Attribution(caller: caller, origin: context.origin, receivedAt: context.receivedAt)
        try await door.observations.perform(Observation(draft, by: attribution), in: caller.organization)
        guard refusal == nil else { throw EdgeError.unauthorized(.invalid) }
        let organization = try await door.store.read(as: caller.organization) { try await $0.organization() }
        let body: JSON = [
            "sub": .string(caller.user.description), "preferred_username": .string(caller.username),
            "username": .string(caller.username), "role": .string(caller.role.rawValue),
            "organization": .string(caller.organization.description),
            "organization_slug": .orNull(organization?.slug), "person": .orNull(caller.person),
            "scope": .string(caller.scopes.joined),
        ]
        return body.response(fields: [.cacheControl: "no-store"])
    }
}
