import App
import Domain
import HTTPTypes
import Outbound
import Transparency

/// The main job, from a joiner to the audit trail, as each of its people and programs would do it.
struct DemoStory {
    private let admin: APIClient
    private let auditor: APIClient
    private let world: DemoWorld
    private let organization: String

    private static let person = "e-1001"
    private static let integration = "payroll"
    /// From now to a near end of a grant: long enough for a slow machine to set it.
    private static let shortLife = Duration.seconds(2)
    /// How long what was asked for may take on a slow machine; it takes a tenth of a second on others.
    private static let patience = Duration.seconds(60)
    private static let lookInterval = Duration.milliseconds(50)

    init(_ document: JSON) throws {
        let organization = document["organizations"]?.array?.first ?? .null
        let base = document["base_url"]?.string ?? ""
        admin = APIClient(base: base, token: organization["admin_token"]?.string ?? "")
        auditor = APIClient(base: base, token: organization["auditor_token"]?.string ?? "")
        self.organization = organization["slug"]?.string ?? ""
        world = DemoWorld(base: base, source: organization[pointer: "/sources/0"] ?? .null)
    }

    func play() async throws {
        try await joiner()
        let (client, secret) = try await claim()
        let token = try await use(client, secret)
        try await refusals(client, secret, token)
        try await mover(token)
        try await rejoin()
        try await leaver()
        try await trail()
    }

    // MARK: Chapters

    private func joiner() async throws {
        DemoVoice.chapter("The HR system posts a signed joiner")
        let body = DemoWorld.event("joiner", Self.person, department: "Finance")
        let forged = try await world.post(body, forged: true)
        try DemoVoice.proved(forged.status == .unauthorized, "a forged signature is answered 401")
        let first = try await world.post(body, id: "msg_joiner")
        try DemoVoice.proved(first.status == .accepted, "verified over the raw bytes, committed, answered 202")
        let again = try await world.post(body, id: "msg_joiner")
        try DemoVoice.proved(
            again.status == .accepted && again.body == first.body,
            "sent again: the same answer, and no second effect"
        )
        try await settled(first)

        DemoVoice.chapter("Provisioning applies it")
        let person = try await self.person()
        try DemoVoice.proved(person["status"]?.string == "active", "the person is there, active")
        let users = try await users(of: person)
        try DemoVoice.proved(
            users.contains { $0["kind"]?.string == "member" },
            "their member account: \(users.first { $0["kind"]?.string == "member" }?["username"]?.string ?? "")"
        )
        let grant = try await grant(of: person)
        try DemoVoice.proved(
            grant["client_name"]?.string == "Payroll",
            """
            the rule `department eq "Finance"` matched: integration user \(grant["username"]?.cell ?? "") with a grant \
            for \(grant["scopes"]?.cell ?? ""), until \(grant["expires_at"]?.cell ?? ""), from \
            \(grant["ip_allow_list"]?.cell ?? "")
            """
        )
    }

    private func claim() async throws -> (client: String, secret: String) {
        DemoVoice.chapter("The member signs in and claims the secret, once")
        let grant = try await grant(of: try await person())
        let link = try await admin.post("/v1/grants/\(grant["id"]?.string ?? "")/claim-links").body
        let url = link["url"]?.string ?? ""
        let shown = try await world.send(.get, url)
        try DemoVoice.proved(
            shown.status == .ok && !shown.text.contains("rcs_"),
            "the link shows what it is for, and no secret"
        )
        let alone = try await world.send(.post, url)
        try DemoVoice.proved(alone.status == .unauthorized, "whoever has the link alone gets nothing")
        let ada = try await member()
        let claimed = try await ada.claim(url)
        let secret = claimed.json["client_secret"]?.string ?? ""
        try DemoVoice.proved(secret.hasPrefix("rcs_"), "claiming answers client id and secret")
        let again = try await ada.claim(url)
        try DemoVoice.proved(again.status == .notFound, "a second claim finds nothing")
        let seen = try await admin.get("/v1/grants/\(grant["id"]?.string ?? "")").body.text
        try DemoVoice.proved(!seen.contains(secret), "the admin sees the grant and never its secret")
        return (claimed.json["client_id"]?.string ?? "", secret)
    }

    /// Ada in her browser: with the password that she set by an admin's link, the first time.
    private func member() async throws -> DemoMember {
        let ada = DemoMember(world, organization: organization, username: "ada@acme.example")
        let members = try await users(of: try await person())
        guard let user = members.first(where: { $0["kind"]?.string == "member" })?["id"]?.string else {
            throw CommandFailure(.failure, "there is no member account")
        }
        if let signedIn = try await ada.signedIn() { return signedIn }
        let link = try await admin.post("/v1/users/\(user)/password-links").body["url"]?.string ?? ""
        try DemoVoice.proved(try await ada.setPassword(link).status == .ok, "a one-time link sets her password")
        guard let signedIn = try await ada.signedIn() else {
            throw CommandFailure(.failure, "the member could not sign in")
        }
        try DemoVoice.proved(true, "she signs in")
        return signedIn
    }

    private func use(_ client: String, _ secret: String) async throws -> String {
        DemoVoice.chapter("The integration exchanges it and calls the API")
        let answer = try await world.token(client, secret)
        let token = answer.json["access_token"]?.string ?? ""
        try DemoVoice.proved(
            token.hasPrefix("rca_"),
            "/oauth/token gives a bearer token for \(answer.json["expires_in"]?.cell ?? "") s"
        )
        let people = try await world.send(.get, "/v1/people", bearer: token)
        let names = (people.json["items"]?.array ?? []).compactMap { $0["userName"]?.string }
        try DemoVoice.proved(
            people.status == .ok && names.contains("ada@acme.example"),
            "GET /v1/people answers \(names.joined(separator: ", "))"
        )
        return token
    }

    private func refusals(_ client: String, _ secret: String, _ token: String) async throws {
        DemoVoice.chapter("What the grant does not allow is refused")
        let denied = try await world.send(.get, "/v1/audit/entries", bearer: token)
        try DemoVoice.proved(denied.status == .forbidden, "a missing scope: 403")
        try await narrow(client, to: ["192.0.2.0/24"])
        let elsewhere = try await world.send(.get, "/v1/people", bearer: token)
        try DemoVoice.proved(
            elsewhere.status == .forbidden,
            "the integration's addresses changed, its grants followed: from outside them, 403"
        )
        try await narrow(client, to: ["127.0.0.0/8", "::1/128"])
        let soon = SystemClock().now() + Self.shortLife
        try await change(client, ["expires_at": .string(soon.description)])
        while SystemClock().now() <= soon { try await Task.sleep(for: .milliseconds(50)) }
        let late = try await world.send(.get, "/v1/people", bearer: token)
        let exchange = try await world.token(client, secret)
        try DemoVoice.proved(
            late.status == .unauthorized && exchange.status == .badRequest,
            "past the expiry: the token 401, another one refused"
        )
        let later = soon + .seconds(90 * 86_400)
        try await change(client, ["expires_at": .string(later.description)])
        let renewed = try await world.send(.get, "/v1/people", bearer: token)
        try DemoVoice.proved(renewed.status == .ok, "extended by the admin, it works again")
    }

    private func mover(_ token: String) async throws {
        DemoVoice.chapter("A mover: from Finance to Sales")
        let answer = try await world.post(DemoWorld.event("mover", Self.person, department: "Sales"))
        try await settled(answer)
        let users = try await users(of: try await person())
        try DemoVoice.proved(
            !users.contains { $0["kind"]?.string == "integration" },
            "the rule no longer matches: the integration user and its grant have ended"
        )
        let refused = try await world.send(.get, "/v1/people", bearer: token)
        try DemoVoice.proved(refused.status == .unauthorized, "its token is refused")
    }

    private func rejoin() async throws {
        DemoVoice.chapter("A mover back to Finance")
        let answer = try await world.post(DemoWorld.event("mover", Self.person, department: "Finance"))
        try await settled(answer)
        let grant = try await grant(of: try await person())
        try DemoVoice.proved(
            grant["secret_claimed_at"]?.isNull ?? true,
            "a new integration user and a new grant, whose secret nobody has yet"
        )
    }

    private func leaver() async throws {
        DemoVoice.chapter("The leaver")
        let (client, secret) = try await claim()
        let token = try await world.token(client, secret).json["access_token"]?.string ?? ""
        let before = try await world.send(.get, "/v1/people", bearer: token)
        try DemoVoice.proved(before.status == .ok, "the token works")
        let answer = try await world.post(DemoWorld.event("leaver", Self.person))
        try await settled(answer)
        let after = try await world.send(.get, "/v1/people", bearer: token)
        try DemoVoice.proved(after.status == .unauthorized, "after the leaver it is refused, and stays refused")
        let person = try await person()
        let users = try await users(of: person)
        try DemoVoice.proved(
            person["status"]?.string == "left" && users.isEmpty,
            "the member and every integration user made for them are deactivated"
        )
        let again = try await world.token(client, secret)
        try DemoVoice.proved(again.status == .badRequest, "the secret buys nothing any more")
    }

    private func trail() async throws {
        DemoVoice.chapter("The auditor reads the whole story")
        let person = try await person()["id"]?.string ?? ""
        var items: [JSON] = []
        var cursor: String?
        repeat {
            let page = try await auditor.get(
                "/v1/audit/entries",
                query: [("person", person), ("limit", "200"), ("cursor", cursor)]
            ).body
            items += page["items"]?.array ?? []
            cursor = page["next_cursor"]?.string
        } while cursor != nil
        let actions = Set(items.compactMap { $0["action"]?.string })
        let wanted = [
            "person.created", "user.created", "grant.created", "claim_link.created", "grant.secret_claimed",
            "token.issued", "person.read", "person.updated", "user.deactivated", "grant.ended", "person.ended",
        ]
        let missing = wanted.filter { !actions.contains($0) }
        try DemoVoice.proved(
            missing.isEmpty,
            "\(items.count) entries about one person\(missing.isEmpty ? "" : "; missing: \(missing)")"
        )
        let refused = items.contains { $0["outcome"]?.string == "refused" }
        try DemoVoice.proved(refused, "refusals are entries too, each with its reason")
        try Output.standard.write(items.reversed(), columns: AuditCommand.columns)
    }

    // MARK: Looking

    private func person() async throws -> JSON {
        try await one("/v1/people", filter: "externalId eq \"\(Self.person)\"")
    }

    private func users(of person: JSON) async throws -> [JSON] {
        let filter = "person eq \"\(person["id"]?.string ?? "")\" and status eq \"active\""
        return try await admin.get("/v1/users", query: [("filter", filter)]).body["items"]?.array ?? []
    }

    private func grant(of person: JSON) async throws -> JSON {
        let user = try await users(of: person).first { $0["kind"]?.string == "integration" }
        return try await one("/v1/grants", filter: "username eq \"\(user?["username"]?.string ?? "")\"")
    }

    /// The newest: what ended stays listed.
    private func one(_ path: String, filter: String) async throws -> JSON {
        let items = try await admin.get(path, query: [("filter", filter)]).body["items"]?.array ?? []
        let live = items.first { $0["status"]?.string != "ended" }
        guard let item = live ?? items.first else { throw CommandFailure(.failure, "nothing at \(path) is \(filter)") }
        return item
    }

    private func change(_ grant: String, _ patch: JSON) async throws {
        try await confirmed("/v1/grants/\(grant)", patch)
    }

    /// A change that may cut off what was used just now: whether the server knows of that yet is a matter of a second. What
    /// it asks about is meant here.
    private func confirmed(_ path: String, _ patch: JSON) async throws {
        do throws(CommandFailure) {
            _ = try await admin.patch(path, patch)
        } catch {
            guard let confirmation = error.confirmation else { throw error }
            var patch = patch.object ?? [:]
            patch["confirmation"] = .string(confirmation)
            _ = try await admin.patch(path, .object(patch))
        }
    }

    /// The rule's grants take over what their integration says.
    private func narrow(_ grant: String, to ranges: JSON) async throws {
        let integration = try await one("/v1/integrations", filter: "slug eq \"\(Self.integration)\"")
        let path = "/v1/integrations/\(integration["id"]?.string ?? "")"
        try await confirmed(path, ["ip_allow_list": ranges])
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline {
            if try await admin.get("/v1/grants/\(grant)").body["ip_allow_list"] == ranges { return }
            try await Task.sleep(for: Self.lookInterval)
        }
        throw CommandFailure(.failure, "the grant did not follow its integration within \(Self.patience)")
    }

    /// Waits until every event of a delivery is settled, and tells how.
    private func settled(_ answer: DemoWorld.Answer) async throws {
        let delivery = answer.json["delivery"]?.string ?? ""
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline {
            let row = try await admin.get("/v1/deliveries/\(delivery)").body
            let events = row["events"]?.array ?? []
            let waiting = events.isEmpty || events.contains { $0["status"]?.string == "pending" }
            if !waiting, row["status"]?.string == "mapped" {
                return try DemoVoice.proved(
                    events.allSatisfy { $0["status"]?.string == "applied" },
                    "event \(events.compactMap { $0["kind"]?.string }.joined(separator: ", ")) is applied"
                )
            }
            try await Task.sleep(for: Self.lookInterval)
        }
        throw CommandFailure(.failure, "delivery \(delivery) was not applied within \(Self.patience)")
    }
}
