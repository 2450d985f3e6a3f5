import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// Where the organization wants a second admin for what may write, or works from anywhere.
@Suite struct `A second admin for rules and workspace tokens` {
    private func scene(_ body: @Sendable (TestAPI, _ second: TestAccount) async throws -> Void) async throws {
        try await TestAPI.with { api in
            let second = try await api.fixture.member(
                .securityAdmin,
                in: api.organization,
                username: "second@acme.example"
            )
            _ = try await api.fixture.owner.query(
                """
                UPDATE organizations
                SET approvals = ARRAY['grant_with_write_scope', 'grant_without_ip_restriction']
                """
            )
            try await body(api, second)
        }
    }

    private func integration(_ more: JSON.Object = [:]) -> JSON {
        var new: JSON.Object = [
            "slug": "crm", "name": "CRM", "contact_email": "it@acme.example", "workspace": "default",
            "scopes": ["people:read"], "rule": "department eq \"Finance\"", "grant_lifetime": "P90D",
            "ip_allow_list": ["198.51.100.0/24"],
        ]
        for (name, value) in more.members { new[name] = value }
        return .object(new)
    }

    @Test(arguments: [
        (#"{"scopes": ["people:read", "users:write"]}"#, true), (#"{"ip_allow_list": null}"#, true), ("{}", false),
        (#"{"scopes": ["users:write"], "rule": null}"#, false),
        (#"{"scopes": ["users:write"], "status": "disabled"}"#, false),
    ])
    func `an integration waits where its rule makes grants that would`(change: String, waits: Bool) async throws {
        try await scene { api, second in
            let more = try #require(try JSON.parse(text: change).object)
            let asked = try await api.post("/v1/integrations", integration(more), as: api.admin)
            #expect(asked.status == (waits ? 202 : 201))
            guard waits else { return }
            #expect(asked.body["kind"] == "integration.create")
            #expect(try await api.fixture.number("SELECT count(*) FROM integrations") == 0)
            let path = "/v1/approvals/\(asked.body["id"]?.string ?? "")/approve"
            #expect(try await api.post(path, as: api.admin).status == 403)
            let agreed = try await api.post(path, as: second)
            #expect(agreed.body["status"] == "approved")
            let made = try await api.get("/v1/integrations/\(agreed.body["target"]?.string ?? "")", as: api.auditor)
            #expect(made.status == 200 && made.body["rule"]?.string == "department eq \"Finance\"")
            #expect(try await api.entry(.integrationCreated)["authority"]?["kind"] == "approval")
        }
    }

    @Test func `another rule, scopes, addresses or status wait, and everything else does not`() async throws {
        try await scene { api, second in
            let new = integration(["scopes": ["people:read", "users:write"]])
            let asked = try await api.post("/v1/integrations", new, as: api.admin)
            let approval = "/v1/approvals/\(asked.body["id"]?.string ?? "")/approve"
            let path = "/v1/integrations/\(try await api.post(approval, as: second).body["target"]?.string ?? "")"
            var tag = try await api.get(path, as: api.admin).fields[.eTag]
            for change: JSON in [
                ["rule": "title pr"], ["ip_allow_list": .null], ["grant_lifetime": "P91D"],
                ["scopes": ["people:read", "users:write", "grants:write"]],
            ] {
                let waits = try await api.patch(path, change, tag: tag, as: api.admin)
                #expect(waits.status == 202 && waits.body["kind"] == "integration.change")
            }
            for change: JSON in [
                ["name": "Other"], ["scopes": ["people:read"]], ["scopes": ["people:read", "users:read"]],
                ["ip_allow_list": ["198.51.100.0/25"]], ["grant_lifetime": "P30D"],
                ["status": "disabled"],
            ] {
                let done = try await api.patch(path, change, tag: tag, as: api.admin)
                #expect(done.status == 200, "\(change)")
                tag = done.fields[.eTag]
            }
            // Let in again, it gives anew what it gave.
            let again: JSON = ["status": "active", "scopes": ["people:read", "users:write"]]
            let waits = try await api.patch(path, again, tag: tag, as: api.admin)
            #expect(waits.status == 202)
            let agreed = try await api.post("/v1/approvals/\(waits.body["id"]?.string ?? "")/approve", as: second)
            #expect(agreed.body["status"] == "approved")
            #expect(try await api.get(path, as: api.admin).body["status"] == "active")
            #expect(try await api.entry(.integrationUpdated)["authority"]?["kind"] == "approval")
            let stale = try await api.patch(path, ["rule": "title pr"], tag: "\"v1\"", as: api.admin)
            #expect(stale.status == 412, "nothing waits that could not be done")
        }
    }

    @Test func `a joiner of an approved rule waits for nobody`() async throws {
        try await scene { api, second in
            let new = integration(["scopes": ["people:read", "users:write"], "ip_allow_list": .null])
            let asked = try await api.post("/v1/integrations", new, as: api.admin)
            let agreed = try await api.post("/v1/approvals/\(asked.body["id"]?.string ?? "")/approve", as: second)
            #expect(agreed.body["status"] == "approved")
            let source = try await api.fixture.source(in: api.organization)
            try await api.fixture.deliver(api.fixture.event(.joiner), from: source)
            try await api.fixture.settle()
            let made = try await api.fixture.text("SELECT array_to_string(scopes, ' ') FROM grants")
            #expect(made == "people:read users:write")
            #expect(try await api.fixture.number("SELECT count(*) FROM approvals WHERE status = 'pending'") == 0)
        }
    }

    @Test func `a workspace token that may write is made once, by who asked, after another agreed`() async throws {
        try await scene { api, second in
            let path = "/v1/workspaces/\(api.organization.workspace)/tokens"
            #expect(
                try await api.post(path, ["name": "Reads", "scopes": ["people:read"]], as: api.admin).status == 201
            )
            let new: JSON.Object = ["name": "Sync", "scopes": ["users:write"]]
            let asked = try await api.post(path, .object(new), as: api.admin)
            #expect(asked.status == 202 && asked.body["kind"] == "workspace_token.create")
            #expect(asked.body["token"] == nil)
            let id = try #require(asked.body["id"]?.string)
            var use = new
            use["approval"] = .string(id)
            #expect(try await api.post(path, .object(use), as: api.admin).status == 409)
            #expect(try await api.post("/v1/approvals/\(id)/approve", as: api.admin).status == 403)
            #expect(try await api.post("/v1/approvals/\(id)/approve", as: second).body["status"] == "approved")
            // Exactly what was agreed to, and by nobody else.
            var wider = use
            wider["scopes"] = ["users:write", "grants:write"]
            #expect(try await api.post(path, .object(wider), as: api.admin).status == 409)
            #expect(try await api.post(path, .object(use), as: second).status == 409)
            let made = try await api.post(path, .object(use), as: api.admin)
            #expect(made.status == 201 && made.body["token"]?.string?.hasPrefix("rcw_") == true)
            #expect(try await api.post(path, .object(use), as: api.admin).status == 409)
            let token = "/v1/tokens/\(made.body["id"]?.string ?? "")"
            #expect(
                try await api.post(token + "/refresh", as: api.admin).status == 201,
                "refreshing keeps what was agreed to"
            )
        }
    }

    @Test func `widening a workspace token waits, narrowing does not`() async throws {
        try await scene { api, second in
            let path = "/v1/workspaces/\(api.organization.workspace)/tokens"
            let made = try await api.post(path, ["name": "Reads", "scopes": ["people:read"]], as: api.admin)
            let token = "/v1/tokens/\(made.body["id"]?.string ?? "")"
            let wider: JSON = ["scopes": ["people:read", "users:write"]]
            let waits = try await api.patch(token, wider, tag: "\"v1\"", as: api.admin)
            #expect(waits.status == 202 && waits.body["kind"] == "workspace_token.change")
            #expect(try await api.get(token, as: api.admin).body["scopes"] == ["people:read"])
            let approve = "/v1/approvals/\(waits.body["id"]?.string ?? "")/approve"
            #expect(try await api.post(approve, as: api.admin).status == 403)
            #expect(try await api.post(approve, as: second).body["status"] == "approved")
            let seen = try await api.get(token, as: api.admin)
            #expect(seen.body["scopes"] == ["people:read", "users:write"])
            let narrower = try await api.patch(
                token,
                ["scopes": ["people:read"]],
                tag: seen.fields[.eTag],
                as: api.admin
            )
            #expect(narrower.status == 200)
        }
    }
}

@Suite struct `A lost second factor` {
    @Test func `an admin's reset needs another one, and ends the sign-ins`() async throws {
        try await TestAPI.with { api in
            let second = try await api.fixture.member(
                .securityAdmin,
                in: api.organization,
                username: "second@acme.example"
            )
            let member = try await api.fixture.member(.member, in: api.organization)
            let path = "/v1/users/\(member.user)/second-factor-resets"
            #expect(try await api.post(path, as: api.admin).status == 409, "there is none")
            let hash = try PasswordHash(
                of: try #require(Password(typed: "a sentence of some length")),
                cost: .cheap,
                using: api.fixture.randomness
            )
            _ = try await api.fixture.owner.query(
                """
                INSERT INTO accounts (organization_id, user_id, password, password_set_at, totp_secret, totp_confirmed_at)
                VALUES (\(api.organization.id), \(member.user), \(hash.description), now(), 'x', now())
                """
            )
            _ = try await api.fixture.owner.query(
                """
                INSERT INTO recovery_codes (organization_id, user_id, digest, made_at)
                VALUES (\(api.organization.id), \(member.user), sha256('x'), now())
                """
            )
            _ = try await api.fixture.owner.query(
                """
                INSERT INTO sessions (organization_id, id, digest, user_id, user_epoch, second_factor, authenticated_at,
                    last_seen_at, expires_at)
                VALUES (\(api.organization.id), gen_random_uuid(), 'x', \(member.user), 1, 'totp', now(), now(),
                    now() + interval '1 hour')
                """
            )
            for account in [api.auditor, member] { #expect(try await api.post(path, as: account).status == 403) }
            let asked = try await api.post(path, as: api.admin, key: "one")
            #expect(asked.status == 202 && asked.body["kind"] == "second_factor.reset")
            #expect(asked.body["target"]?.string == member.user.description)
            #expect(try await api.post(path, as: api.admin, key: "one").body == asked.body)
            let approve = "/v1/approvals/\(asked.body["id"]?.string ?? "")/approve"
            #expect(try await api.post(approve, as: api.admin).status == 403)
            #expect(try await api.fixture.number("SELECT count(*) FROM accounts WHERE totp_secret IS NOT NULL") == 1)
            #expect(try await api.post(approve, as: second).body["status"] == "approved")
            #expect(
                try await api.fixture.number(
                    "SELECT count(*) FROM accounts WHERE totp_secret IS NULL AND claiming_blocked_until > now() + interval '23 hours'"
                ) == 1
            )
            #expect(try await api.fixture.number("SELECT count(*) FROM recovery_codes") == 0)
            #expect(try await api.fixture.number("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == 0)
            let entry = try await api.entry(.secondFactorReset)
            #expect(
                entry["authority"]?["kind"] == "approval" && entry["target"]?["id"]?.string == member.user.description
            )
            #expect(try await api.post(path, as: api.admin).status == 409)
        }
    }
}
