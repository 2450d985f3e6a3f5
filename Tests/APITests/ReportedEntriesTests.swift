import Domain
import Edge
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Entries that an API tells` {
    private struct Scene: Sendable {
        let api: TestAPI
        /// Of the API that reports.
        let reporter: String
        let reporterUser: UserID
        /// Of the caller that came there.
        let caller: String
        let callerUser: UserID

        static func with(_ body: @Sendable (Scene) async throws -> Void) async throws {
            try await TestAPI.with { api in
                let fixture = api.fixture
                let scopes = ScopeSet([.auditAppend, .peopleRead])
                let integration = try await fixture.integration(in: api.organization, scopes: scopes)
                func user(_ name: String, _ scope: Scope) async throws -> (String, UserID) {
                    let user = try await fixture.integrationUser(
                        of: integration,
                        in: api.organization,
                        username: name,
                        custodian: api.admin.user
                    )
                    let grant = try await fixture.grant(to: user, in: api.organization, scopes: ScopeSet([scope]))
                    return (try await fixture.accessToken(of: grant).token.reveal(), user)
                }
                let (reporter, reporterUser) = try await user("payroll.api", .auditAppend)
                let (caller, callerUser) = try await user("crm.robot", .peopleRead)
                try await body(
                    Scene(
                        api: api,
                        reporter: reporter,
                        reporterUser: reporterUser,
                        caller: caller,
                        callerUser: callerUser
                    )
                )
            }
        }

        func tell(_ body: JSON, key: String? = nil, bearer: String? = nil) async throws -> TestAPI.Answer {
            var fields = HTTPFields()
            fields[.idempotencyKey] = key
            return try await api.send(
                .post,
                "/v1/audit/entries",
                body,
                bearer: "Bearer " + (bearer ?? reporter),
                fields: fields
            )
        }

        func credential(of token: String) async throws -> Caller.Credential {
            let secret = try #require(OpaqueSecret(token))
            return try #require(try await api.fixture.store.facts(of: secret)).caller.credential
        }

        func entries(_ action: String) async throws -> [JSON] {
            try await api.fixture.leaves(in: api.organization.id).filter { $0["action"]?.string == action }
        }
    }

    @Test func `the actor is the token's user, the reporter stands beside, and the code begins with ext`() async throws
    {
        try await Scene.with { scene in
            let answer = try await scene.tell([
                "subject_token": .string(scene.caller), "action": "payroll.run.read",
                "occurred_at": "2020-01-01T00:00:00Z", "client_ip": "198.51.100.7",
                "details": ["run": "2026-11", "user": "usr_somebody"],
            ])
            #expect(answer.status == 201 && answer.body == ["appended": 1])
            let entry = try #require(try await scene.entries("ext.payroll.run.read").last)
            #expect(entry[pointer: "/actor/id"]?.string == scene.callerUser.description)
            #expect(entry[pointer: "/after/reporter"]?.string == scene.reporterUser.description)
            // Each with the credential that it presented.
            let caller = try await scene.credential(of: scene.caller)
            #expect(entry[pointer: "/credential/id"]?.string == caller.token.description)
            let reporter = try await scene.credential(of: scene.reporter)
            #expect(
                entry[pointer: "/after/reporter_credential"]
                    == ["id": .string(reporter.token.description), "digest_prefix": .string(reporter.digestPrefix)]
            )
            #expect(entry[pointer: "/after/reporter_address"] == "192.0.2.10")
            #expect(entry[pointer: "/after/details/run"] == "2026-11")
            #expect(entry["occurred_at"] == "2020-01-01T00:00:00Z" && entry["client_ip"] == "198.51.100.7")
            #expect(entry["recorded_at"]?.string?.hasPrefix("2020") == false)
            #expect(try await scene.entries("audit.appended").isEmpty)
            let found = try await scene.api.get("/v1/audit/entries?action=ext.payroll.run.read", as: scene.api.auditor)
            #expect(found.items.count == 1)
        }
    }

    @Test func `of a grant that is bound to addresses, the address is told and judged`() async throws {
        try await Scene.with { scene in
            let grant = try await scene.api.fixture.grant(
                to: scene.callerUser,
                in: scene.api.organization,
                ipAllowList: ["198.51.100.0/24"]
            )
            let token = try await scene.api.fixture.accessToken(of: grant).token.reveal()
            var body: JSON.Object = ["subject_token": .string(token), "action": "orders.read"]
            #expect(try await scene.tell(.object(body)).places == ["/client_ip"])
            body["client_ip"] = "192.0.2.1"
            #expect(try await scene.tell(.object(body)).places == ["/client_ip"])
            body["client_ip"] = "198.51.100.9"
            #expect(try await scene.tell(.object(body)).status == 201)
            #expect(try await scene.entries("ext.orders.read").count == 1)
        }
    }

    @Test func `several at once are kept together or not at all, and a retry keeps nothing twice`() async throws {
        try await Scene.with { scene in
            let one: JSON = ["subject_token": .string(scene.caller), "action": "ext.orders.read", "outcome": "refused"]
            let bad: JSON = ["subject_token": .string(scene.reporter + "x"), "action": "orders.read"]
            let refused = try await scene.tell(["entries": [one, bad]])
            #expect(refused.status == 422 && refused.places == ["/entries/1/subject_token"])
            #expect(try await scene.entries("ext.orders.read").isEmpty)
            for _ in 0..<2 {
                let answer = try await scene.tell(["entries": [one, one]], key: "batch-1")
                #expect(answer.status == 201 && answer.body == ["appended": 2])
            }
            let kept = try await scene.entries("ext.orders.read")
            #expect(kept.count == 2 && kept.allSatisfy { $0["outcome"] == "refused" })
            let other = try await scene.tell(["entries": [one]], key: "batch-1")
            #expect(other.status == 422)
        }
    }

    @Test func `a token that is not good now, or another organization's, proves nobody`() async throws {
        try await Scene.with { scene in
            let globex = try await scene.api.fixture.organization("globex")
            let theirs = try await scene.api.fixture.securityAdmin(in: globex)
            let never = OpaqueSecret.make(.access, using: scene.api.fixture.randomness).reveal()
            for token in ["", "nonsense", never, theirs.token.reveal()] {
                let answer = try await scene.tell(["subject_token": .string(token), "action": "orders.read"])
                #expect(answer.status == 422 && answer.places == ["/subject_token"])
            }
            _ = try await scene.api.fixture.owner.query(
                "UPDATE tokens SET revoked_at = now() WHERE user_id = \(scene.callerUser)"
            )
            let revoked = try await scene.tell(["subject_token": .string(scene.caller), "action": "orders.read"])
            #expect(revoked.places == ["/subject_token"])
            #expect(try await scene.entries("ext.orders.read").isEmpty)
            #expect(try await scene.entries("audit.appended").count == 5)
        }
    }

    @Test func `what does not fit is refused by its pointer, and without the scope nothing is kept`() async throws {
        try await Scene.with { scene in
            let wrong: [(JSON.Object, String)] = [
                (["action": "Orders"], "/action"), (["action": "ext."], "/action"), (["action": "a..b"], "/action"),
                (["outcome": "maybe"], "/outcome"), (["details": "text"], "/details"),
                (["details": ["x": .string(String(repeating: "x", count: 5000))]], "/details"),
                (["client_ip": "somewhere"], "/client_ip"), (["actor": "usr_x"], "/actor"),
                (["occurred_at": "yesterday"], "/occurred_at"),
            ]
            for (members, pointer) in wrong {
                var body: JSON.Object = ["subject_token": .string(scene.caller), "action": "orders.read"]
                for name in members.keys { body[name] = members[name] }
                let answer = try await scene.tell(.object(body))
                #expect(answer.status == 422 && answer.places == [pointer], "\(pointer)")
            }
            #expect(try await scene.tell(["entries": []]).status == 422)
            let body: JSON = ["subject_token": .string(scene.caller), "action": "orders.read"]
            #expect(try await scene.tell(body, bearer: scene.caller).status == 403)
            #expect(try await scene.entries("ext.orders.read").isEmpty)
        }
    }
}
