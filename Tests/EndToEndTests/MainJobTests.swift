import Domain
import Foundation
import HTTPTypes
import Postgres
import TestSupport
import Testing
import Transparency

extension EndToEnd {
    /// The six points of the main job, each by what was answered, what stands in the tables, and what the log tells.
    @Suite struct MainJob {
        @Test func `a signed webhook becomes a person, an integration user, a grant and audit entries`() async throws {
            try await Development.with("mainjob") { development in
                let person = try await accepts(development)
                try await applies(person, development)
                let client = try await claims(development)
                try await uses(client, person, development)
                try await refuses(client, person, development)
                let second = try await moves(client, person, development)
                try await leaves(second, person, development)
                try await tells(person, development)
            }
        }

        private static let userName = "ada@acme.example"

        // MARK: 1

        private func accepts(_ development: Development) async throws -> String {
            let sender = development.sender()
            let body = Sender.event("joiner", "e-1001", userName: Self.userName, department: "Finance").bytes
            let forged = try await sender.post(
                body,
                secret: "whsec_" + Base64.standard.encode([UInt8](repeating: 7, count: 32))
            )
            #expect(forged.status == 401 && forged.problem == "signature-refused")
            #expect(try await development.number("SELECT count(*) AS n FROM deliveries") == 0)

            let answer = try await sender.post(body, id: "msg_1")
            #expect(answer.status == 202)
            let delivery = try #require(answer.json["delivery"]?.string)
            let row = try #require(
                try await development.rows("SELECT id, body, status, key_id IS NOT NULL AS verified FROM deliveries")
                    .first
            )
            #expect(Development.typeID("dlv", try row.decode("id", as: UUID.self)) == delivery)
            #expect(try row.decode("body", as: [UInt8].self) == body, "kept byte for byte")
            #expect(try row.decode("verified", as: Bool.self))

            let again = try await sender.post(body, id: "msg_1")
            #expect(again.status == 202 && again.body == answer.body, "the same answer")
            #expect(try await development.settle())
            #expect(try await development.number("SELECT count(*) AS n FROM deliveries") == 1, "and no second effect")
            #expect(try await development.number("SELECT count(*) AS n FROM events") == 1)
            let entries = try await entries("target=\(delivery)", development)
            #expect(entries.map { $0["action"]?.string } == ["delivery.accepted"])
            let source = try await sourceUser(development)
            #expect(entries.first?[pointer: "/actor/id"]?.string == source)
            let people = try await development.admin().get("/v1/people").items
            #expect(people.count == 1 && people.first?["externalId"]?.string == "e-1001")
            return try #require(people.first?["id"]?.string)
        }

        // MARK: 2

        private func applies(_ person: String, _ development: Development) async throws {
            #expect(try await texts("SELECT status AS t FROM people", development) == ["active"])
            #expect(
                try await texts(
                    "SELECT kind || ' ' || username || ' ' || status AS t FROM users WHERE person_id IS NOT NULL ORDER BY 1",
                    development
                ) == ["integration payroll.\(Self.userName) active", "member \(Self.userName) active"]
            )
            #expect(
                try await texts(
                    """
                    SELECT g.client_name || ' ' || w.slug || ' ' || g.scopes::text || ' ' || g.ip_allow_list::text
                        || ' ' || (g.expires_at - g.created_at)::text AS t
                    FROM grants g JOIN workspaces w ON w.id = g.workspace_id
                    """,
                    development
                ) == ["Payroll main {people:read} {127.0.0.0/8,::1/128} 90 days"]
            )
            let entries = try await entries("person=\(person)", development)
            let made = entries.filter { $0["source_event"]?.string != nil }
            #expect(
                made.compactMap { $0["action"]?.string }.sorted()
                    == ["grant.created", "person.created", "user.created", "user.created"]
            )
            let source = try await sourceUser(development)
            let integration = development.organization()["integrations"]?.array?.first?["id"]?.string
            for entry in made {
                #expect(entry[pointer: "/actor/id"]?.string == source, "by the source's integration user")
                #expect(entry["outcome"]?.string == "done" && entry["client_ip"]?.string == "127.0.0.1")
                #expect(entry["occurred_at"]?.string != nil && entry["source_delivery"]?.string != nil)
            }
            let grant = made.first { $0["action"]?.string == "grant.created" }
            #expect(grant?[pointer: "/authority/id"]?.string == integration, "by authority of the rule")
            let created = made.first { $0["action"]?.string == "person.created" }
            let leaf = try await development.auditor().get("/v1/audit/entries/\(created?["id"]?.string ?? "")")
            #expect(
                leaf.json["leaf"]?.string?.contains(Self.userName) == false,
                "a leaf holds digests of personal values"
            )
            #expect(leaf.text.contains(Self.userName), "which its reader may see")
        }

        // MARK: 3

        private func claims(_ development: Development) async throws -> Story.Client {
            let grants = try await development.admin().get("/v1/grants").items
            let id = try #require(grants.first?["id"]?.string)
            let link = try await development.admin().post("/v1/grants/\(id)/claim-links")
            #expect(link.status == 201 && link.json["expires_at"]?.string != nil)
            let url = try #require(link.json["url"]?.string)
            let anyone = development.bearer(nil)
            let shown = try await anyone.get(url)
            #expect(
                shown.status == 200 && shown.json["client_name"]?.string == "Payroll" && !shown.text.contains("rcs_")
            )
            #expect(try await anyone.send(.post, url).status == 401, "the link alone opens nothing")
            let ada = try await Member(Self.userName, development)
            let claimed = try await ada.claim(url)
            let secret = try #require(claimed.json["client_secret"]?.string)
            #expect(claimed.json["client_id"]?.string == id && secret.hasPrefix("rcs_"))
            #expect(try await ada.claim(url).status == 404, "once")
            let wrong = try await anyone.exchange(id, String(secret.dropLast()) + (secret.last == "a" ? "b" : "a"))
            #expect(wrong.status == 401 && wrong.json["error"]?.string == "invalid_client")
            let token = try await anyone.exchange(id, secret)
            #expect(token.status == 200 && token.json["token_type"]?.string == "Bearer")
            #expect(token.json["scope"]?.string == "people:read")
            let kept = "SELECT claimed_at IS NOT NULL AS t FROM claim_links" as SQL
            #expect(try await development.rows(kept).map { try $0.decode("t", as: Bool.self) } == [true])
            #expect(
                try await development.number(
                    "SELECT count(*) AS n FROM grant_secrets WHERE length(digest) = 32 AND ended_at IS NULL"
                ) == 1
            )
            #expect(try await development.number("SELECT count(*) AS n FROM tokens WHERE kind = 'access'") == 1)
            let told = try await development.texts("SELECT action AS t FROM audit_entries")
            for action in ["claim_link.created", "grant.secret_claimed"] {
                #expect(told.filter { $0 == action }.count == 1, "\(action)")
            }
            return Story.Client(
                grant: id,
                secret: secret,
                link: url,
                token: token.json["access_token"]?.string ?? ""
            )
        }

        private func uses(_ client: Story.Client, _ person: String, _ development: Development) async throws {
            let people = try await development.bearer(client.token).get("/v1/people")
            #expect(people.status == 200)
            #expect(people.items.compactMap { $0["userName"]?.string } == [Self.userName])
            let read = try #require(try await last("person.read", of: person, development))
            #expect(read[pointer: "/actor/kind"]?.string == "integration_user", "\(read)")
            #expect(read[pointer: "/display/actor"]?.string == "payroll.\(Self.userName)")
            #expect(read[pointer: "/on_behalf_of/0/id"]?.string == person)
            #expect(read["client_ip"]?.string == "127.0.0.1" && read["outcome"]?.string == "done")
            #expect(read[pointer: "/credential/id"]?.string?.hasPrefix("tok_") ?? false)
        }

        private func refuses(_ client: Story.Client, _ person: String, _ development: Development) async throws {
            let caller = development.bearer(client.token)
            let admin = development.admin()
            let scope = try await caller.get("/v1/audit/entries")
            #expect(scope.status == 403 && scope.json["needed_scope"]?.string == "audit:read")
            try await expectRefused("audit.read", person, development)

            // A rule made the grant: its addresses are those of the integration.
            let own = try await admin.patch("/v1/grants/\(client.grant)", ["ip_allow_list": ["192.0.2.0/24"]])
            #expect(own.status == 409, "\(own.text)")
            try await change(["ip_allow_list": ["192.0.2.0/24"]], until: "{192.0.2.0/24}", development)
            #expect(try await caller.get("/v1/people").status == 403, "from outside the allow-list")
            #expect(try await development.bearer(nil).exchange(client.grant, client.secret).status == 400)
            try await expectRefused("person.read", person, development)
            try await change(["ip_allow_list": ["127.0.0.0/8"]], until: "{127.0.0.0/8}", development)

            let grant = "/v1/grants/\(client.grant)"
            let soon = try await expireSoon(grant, admin)
            try await eventually { Sender.now > soon }
            #expect(try await caller.get("/v1/people").status == 401, "past the expiry")
            #expect(try await development.bearer(nil).exchange(client.grant, client.secret).status == 400)
            try await expectRefused("person.read", person, development)
            let later = (soon + .seconds(86_400)).description
            #expect(try await admin.patch(grant, ["expires_at": .string(later)]).status == 200)
            #expect(try await caller.get("/v1/people").status == 200, "extended by an admin")
            #expect(try await development.bearer("rca_nonsense").get("/v1/people").status == 401)
            #expect(try await development.bearer(nil).get("/v1/people").status == 401)
        }

        /// An end of the grant that is near, and was still ahead when the server took it.
        private func expireSoon(_ grant: String, _ admin: Bearer) async throws -> Timestamp {
            for milliseconds in [700, 3000, 20_000] {
                let soon = Sender.now + .milliseconds(milliseconds)
                let answer = try await admin.patch(grant, ["expires_at": .string(soon.description)])
                if answer.status == 200 { return soon }
                #expect(Sender.now > soon, "\(answer.text)")
            }
            throw NeverCame(limit: .seconds(20))
        }

        /// Changes the integration, and waits until the grant of its rule has followed.
        private func change(
            _ patch: JSON,
            until wanted: String,
            column: String = "ip_allow_list",
            _ development: Development
        ) async throws {
            let id = development.organization()[pointer: "/integrations/0/id"]?.string ?? ""
            let changed = try await development.admin().patch("/v1/integrations/\(id)", patch)
            #expect(changed.status == 200, "\(changed.text)")
            let terms: SQL = """
                SELECT CASE \(column) WHEN 'scopes' THEN scopes::text ELSE ip_allow_list::text END AS t
                FROM grants WHERE status = 'active'
                """
            // The grant follows its integration.
            try await eventually { try await texts(terms, development) == [wanted] }
        }

        private func expectRefused(_ action: String, _ person: String, _ development: Development) async throws {
            let entry = try #require(try await last(action, of: person, development))
            #expect(entry["outcome"]?.string == "refused" && !(entry["reason"]?.isNull ?? true), "\(entry)")
            #expect(entry[pointer: "/on_behalf_of/0/id"]?.string == person)
            #expect(entry["client_ip"]?.string == "127.0.0.1")
        }

        // MARK: 4

        private func moves(
            _ client: Story.Client,
            _ person: String,
            _ development: Development
        ) async throws -> Story.Client {
            func move(to department: String) async throws {
                let event = Sender.event("mover", "e-1001", userName: Self.userName, department: department)
                #expect(try await development.sender().post(event).status == 202)
                #expect(try await development.settle())
            }
            try await move(to: "Sales")
            #expect(try await development.bearer(client.token).get("/v1/people").status == 401)
            #expect(
                try await texts("SELECT status AS t FROM users WHERE integration_id IS NOT NULL", development)
                    == ["deactivated"]
            )
            #expect(try await texts("SELECT status AS t FROM grants", development) == ["ended"])
            let ended = try #require(try await last("grant.ended", of: person, development))
            #expect(ended[pointer: "/target/id"]?.string == client.grant && ended["source_event"]?.string != nil)

            try await move(to: "Finance")
            let grants = try await development.admin().get("/v1/grants", filter: "status eq \"active\"")
            #expect(grants.count == 1 && grants.first?["id"]?.string != client.grant, "a new one")
            #expect(
                try await development.bearer(client.token).get("/v1/people").status == 401,
                "what ended stays ended"
            )
            let second = try await Story.claim(try #require(grants.first), development)

            // The rule's scopes are the grant's.
            let scopes: JSON = ["scopes": ["people:read", "users:read"]]
            try await change(scopes, until: "{people:read,users:read}", column: "scopes", development)
            #expect(try await last("grant.updated", of: person, development) != nil)
            return second
        }

        // MARK: 5

        private func leaves(_ client: Story.Client, _ person: String, _ development: Development) async throws {
            let caller = development.bearer(client.token)
            #expect(try await caller.get("/v1/people").status == 200)
            #expect(try await development.sender().post(Sender.event("leaver", "e-1001")).status == 202)
            #expect(try await development.settle())
            #expect(try await caller.get("/v1/people").status == 401)
            try await expectRefused("person.read", person, development)
            #expect(try await development.bearer(nil).exchange(client.grant, client.secret).status == 400)
            let active = try await development.admin().form("/oauth/introspect", [("token", client.token)])
            #expect(active.json["active"]?.bool == false)
            #expect(try await texts("SELECT status AS t FROM people", development) == ["left"])
            #expect(
                try await development.number(
                    "SELECT count(*) AS n FROM users WHERE person_id IS NOT NULL AND status = 'active'"
                ) == 0
            )
            #expect(try await development.number("SELECT count(*) AS n FROM grants WHERE status <> 'ended'") == 0)
            let deactivated = try await entries("person=\(person)&action=user.deactivated", development)
            #expect(
                deactivated.count == 3,
                "one by the mover; the member and the second integration user by the leaver"
            )
        }

        // MARK: 6

        private func tells(_ person: String, _ development: Development) async throws {
            let whole = try await entries("person=\(person)&limit=200", development)
            let told = Set(whole.compactMap { $0["action"]?.string })
            let wanted: Set = [
                "person.created", "user.created", "grant.created", "claim_link.created", "grant.secret_claimed",
                "token.issued", "person.read", "audit.read", "person.updated", "user.deactivated", "grant.ended",
                "grant.updated", "person.ended",
            ]
            #expect(wanted.subtracting(told).isEmpty, "\(wanted.subtracting(told))")
            for entry in whole where entry["person"]?.string != person {
                #expect(entry[pointer: "/on_behalf_of/0/id"]?.string == person)
            }
            let pairs = try await development.number(
                """
                SELECT count(*) AS n FROM audit_entries e JOIN (
                    SELECT entry_id FROM audit_pending UNION ALL SELECT entry_id FROM audit_index) AS p
                    ON p.entry_id = e.id
                """
            )
            #expect(try await development.number("SELECT count(*) AS n FROM audit_entries") == pairs)
        }

        // MARK: Looking

        private func entries(_ query: String, _ development: Development) async throws -> [JSON] {
            let answer = try await development.auditor().get("/v1/audit/entries?\(query)")
            #expect(answer.status == 200, "\(answer.text)")
            return answer.items
        }

        private func last(_ action: String, of person: String, _ development: Development) async throws -> JSON? {
            try await entries("person=\(person)&action=\(action)&limit=1", development).first
        }

        private func texts(_ sql: SQL, _ development: Development) async throws -> [String] {
            try await development.texts(sql)
        }

        private func sourceUser(_ development: Development) async throws -> String {
            let rows = try await development.rows(
                "SELECT user_id FROM sources s JOIN organizations o ON o.id = s.organization_id WHERE o.slug = 'acme'"
            )
            return Development.typeID("usr", try #require(rows.first).decode("user_id", as: UUID.self))
        }
    }
}
