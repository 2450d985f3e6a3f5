import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage
import Transparency

/// `/profile/grants`: the grants whose secrets a signed-in member keeps, and the one place where a secret is regenerated.
/// No admin gets there for another's grant: whose a grant is, the change itself asks.
struct GrantPages: Sendable {
    let door: OAuthDoor

    func mount(on router: Router<EdgeContext>) {
        door.memberPage("/profile/grants", on: router) { _, _, member in try await grants(of: member) }
        door.memberForm("/profile/grants/{id}/regenerate", on: router, regenerate)
        door.memberForm("/profile/grants/{id}/keys", on: router, registerKeys)
        door.memberForm("/profile/grants/{id}/keys/remove", on: router) { _, context, member in
            try await end(.keys, notice: "The key is taken away, with its tokens.", context, member)
        }
        door.memberForm("/profile/grants/{id}/secrets/{secret}/end", on: router) { _, context, member in
            guard let secret = context.parameters.get("secret").flatMap({ GrantSecretID($0) }) else {
                throw EdgeError.notFound
            }
            return try await end(.secret(secret), notice: "The secret has ended, with its tokens.", context, member)
        }
    }

    private func grants(
        of member: Sessions.SignedIn,
        problem: String? = nil,
        notice: String? = nil,
        status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let caller = member.caller
        let grants = try await door.store.read(as: caller.organization) {
            try await $0.grants(ofCustodian: caller.user)
        }
        return try door.pages.page(
            "grants",
            GrantsPage(member, grants, problem: problem, notice: notice),
            status: status
        )
    }

    // MARK: Keys

    private func registerKeys(
        _ form: PageForm,
        _ context: EdgeContext,
        _ member: Sessions.SignedIn
    ) async throws -> Response {
        guard let grant = context.parameters.get("id").flatMap({ GrantID($0) }) else { throw EdgeError.notFound }
        let (source, problem) = Self.source(of: form)
        guard let source else { return try await grants(of: member, problem: problem, status: .unprocessableContent) }
        let registration = GrantKeysRegistration(
            of: grant,
            source,
            custodian: member.caller.user,
            by: member.attribution(context)
        )
        do {
            let grant = try await door.store.perform(registration, in: member.caller.organization)
            let notice = "\(grant.terms.clientName) proves who it is by its key from now on. Its secrets have ended."
            return try await grants(of: member, notice: notice)
        } catch let refusal as AccessRefusal {
            return try await refused(refusal, member)
        }
    }

    /// The page of a refusal whose entry the change committed.
    private func refused(_ refusal: AccessRefusal, _ member: Sessions.SignedIn) async throws -> Response {
        switch refusal {
        case .claimingBlocked:
            let until = member.caller.claimingBlockedUntil.map { "before " + PageTime.text($0) } ?? "yet"
            let problem = "Not \(until): the password was replaced by way of an admin."
            return try await grants(of: member, problem: problem, status: .forbidden)
        case .grantEnded: return try await grants(of: member, problem: "This grant has ended.", status: .conflict)
        default: throw EdgeError.notFound
        }
    }

    /// What the form registers, or what is wrong with it.
    private static func source(of form: PageForm) -> (GrantKeysRegistration.Source?, problem: String?) {
        switch (form["jwks"].isEmpty, form["jwks_url"].isEmpty) {
        case (false, true):
            do {
                guard let set = try JSON.parse(text: form["jwks"]).object else {
                    return (nil, ClientKeysRefusal.malformed.description)
                }
                return (.keys(try ClientKeys(set)), nil)
            } catch {
                return (nil, (error as? ClientKeysRefusal ?? .malformed).description)
            }
        case (true, false):
            let source = GrantKeysRegistration.Source(address: form["jwks_url"])
            return (source, source == nil ? "The address of keys begins with https and has no fragment." : nil)
        default: return (nil, "Either the keys, or the address that they are at.")
        }
    }

    // MARK: Ending

    /// At once, and also while nothing may be claimed: who ends something takes nothing.
    private func end(
        _ credential: CredentialEnd.Credential,
        notice: String,
        _ context: EdgeContext,
        _ member: Sessions.SignedIn
    ) async throws -> Response {
        guard let grant = context.parameters.get("id").flatMap({ GrantID($0) }) else { throw EdgeError.notFound }
        let end = CredentialEnd(of: grant, credential, custodian: member.caller.user, by: member.attribution(context))
        do {
            _ = try await door.store.perform(end, in: member.caller.organization)
            return try await grants(of: member, notice: notice)
        } catch let refusal as AccessRefusal {
            return try await refused(refusal, member)
        }
    }

    // MARK: Secrets

    private func regenerate(
        _ form: PageForm,
        _ context: EdgeContext,
        _ member: Sessions.SignedIn
    ) async throws -> Response {
        guard let grant = context.parameters.get("id").flatMap({ GrantID($0) }),
            let overlap = SecretOverlap(rawValue: form["overlap"])
        else { throw EdgeError.notFound }
        let regeneration = SecretRegeneration(
            of: grant,
            overlap: overlap,
            custodian: member.caller.user,
            confirmation: form["confirmation"],
            by: member.attribution(context),
            in: door.store
        )
        do {
            let made = try await door.store.perform(regeneration, in: member.caller.organization)
            return try door.pages.page("secret", SecretPage(member.caller, made))
        } catch ChangeRefusal.confirmationRequired(let value, let detail) {
            let page = ConfirmPage(member, grant, overlap, confirmation: value, detail: detail)
            return try door.pages.page("confirm", page, status: .conflict)
        } catch let refusal as AccessRefusal {
            return try await refused(refusal, member)
        }
    }
}

private struct GrantsPage: Sendable {
    let title = "Grants in your keeping"
    let hasGrants: Bool
    let grants: [Row]
    let account: AccountLine?
    let problem: String?
    let notice: String?

    struct Row: Sendable {
        let id: String
        let clientName: String
        let username: String
        let status: String
        let expiresAt: String
        let lastUsed: String
        let hasKeys: Bool
        let keysURL: String?
        let secrets: [Secret]
        let formToken: String
    }

    struct Secret: Sendable {
        let grant: String
        let secret: String
        let formToken: String
        let madeAt: String
        let notAfter: String?
        let lastUsed: String
    }

    init(_ member: Sessions.SignedIn, _ grants: [GrantView], problem: String?, notice: String?) {
        hasGrants = !grants.isEmpty
        self.grants = grants.map { grant in
            Row(
                id: grant.id.description,
                clientName: grant.terms.clientName,
                username: grant.username,
                status: grant.state.rawValue,
                expiresAt: PageTime.text(grant.terms.expiresAt),
                lastUsed: PageTime.use(grant.lastUsedAt, from: grant.lastUsedAddress),
                hasKeys: grant.hasKeys,
                keysURL: grant.keysURL,
                secrets: grant.secrets.map { secret in
                    Secret(
                        grant: grant.id.description,
                        secret: secret.id.description,
                        formToken: member.formToken,
                        madeAt: PageTime.text(secret.madeAt),
                        notAfter: secret.notAfter.map(PageTime.text),
                        lastUsed: PageTime.use(secret.lastUsedAt, from: secret.lastUsedAddress)
                    )
                },
                formToken: member.formToken
            )
        }
        account = AccountLine(member.caller)
        self.problem = problem
        self.notice = notice
    }
}

/// A client secret, this once.
struct SecretPage: Sendable {
    let title = "Your client secret"
    let client: String
    let secret: String
    let account: AccountLine?
    var problem: String?
    var notice: String?

    init(_ caller: SessionCaller, _ claimed: SecretClaim.Claimed) {
        client = claimed.client.description
        secret = claimed.secret.reveal()
        account = AccountLine(caller)
    }
}

private struct ConfirmPage: Sendable {
    let title = "Look again"
    let id: String
    let overlap: String
    let confirmation: String
    let detail: String
    let formToken: String
    let account: AccountLine?
    var problem: String?
    var notice: String?

    init(
        _ member: Sessions.SignedIn,
        _ grant: GrantID,
        _ overlap: SecretOverlap,
        confirmation: String,
        detail: String
    ) {
        id = grant.description
        self.overlap = overlap.rawValue
        self.confirmation = confirmation
        self.detail = detail
        formToken = member.formToken
        account = AccountLine(member.caller)
    }
}
