import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@testable import API

@Suite struct StrangerTests {
    /// One thing of each noun in an organization of its own, by the prefix of its id.
    private static func things(in api: TestAPI) async throws -> [String: String] {
        let organization = try await api.fixture.organization("globex")
        let admin = try await api.fixture.securityAdmin(in: organization)
        let source = try await api.fixture.source(in: organization)
        let integration = try await api.fixture.integration(in: organization)
        let receipt = try await api.fixture.deliver(api.fixture.event(.joiner), from: source)
        try await api.fixture.settle()
        let grant = try await api.fixture.grant(to: admin.user, in: organization)
        let event = try await api.fixture.owner.query("SELECT id FROM events").first?.decode("id", as: EventID.self)
        let person = try await api.fixture.owner.query("SELECT id FROM people").first?.decode("id", as: PersonID.self)
        let leaf = try await api.fixture.leaves(in: organization.id).first
        let rejected = try await RejectedTests.rejected(api, of: source)
        let approval = api.fixture.store.newID(ApprovalID.self)
        _ = try await api.fixture.owner.query(
            """
            INSERT INTO approvals (organization_id, id, kind, request, requested_by, responsible_id, requested_at,
                expires_at)
            VALUES (\(organization.id), \(approval), 'organization.change', '{}', \(admin.user), \(admin.user), now(),
                now() + interval '1 day')
            """
        )
        let terms = AppTerms(
            name: "Org chart",
            description: "",
            contactEmail: try #require(ContactEmail("charts@example.com")),
            redirects: [try #require(RedirectURI("https://app.example/callback"))],
            scopes: .all,
            isLegacy: false,
            accessLifetime: AppTerms.standardLifetime
        )
        let creation = AppCreation(
            terms,
            isConfidential: true,
            by: api.fixture.attribution(of: admin),
            in: api.fixture.store
        )
        let app = try await api.fixture.store.perform(creation, in: organization.id).app.id
        let resource = api.fixture.store.newID(ResourceID.self)
        _ = try await api.fixture.owner.query(
            """
            INSERT INTO resources (organization_id, id, identifier, name, token_format, is_own, created_by, created_at)
            VALUES (\(organization.id), \(resource), 'https://payroll.example', 'Payroll', 'jwt', false, \(admin.user),
                now())
            """
        )
        let authorization = api.fixture.store.newID(AuthorizationID.self)
        _ = try await api.fixture.owner.query(
            """
            INSERT INTO authorizations (organization_id, id, app_id, user_id, scopes, status, approved_at, created_at)
            VALUES (\(organization.id), \(authorization), \(app), \(admin.user), '{people:read}', 'active', now(), now())
            """
        )
        let session = api.fixture.store.newID(SessionID.self)
        let cookie = OpaqueSecret.make(.session, using: api.fixture.randomness)
        _ = try await api.fixture.owner.query(
            """
            INSERT INTO sessions (organization_id, id, digest, user_id, user_epoch, second_factor, authenticated_at,
                last_seen_at, expires_at)
            SELECT organization_id, \(session), \(api.fixture.keyring.digest(of: cookie)), id, epoch, 'none', now(), now(),
                now() + interval '1 hour'
            FROM users WHERE id = \(admin.user)
            """
        )
        let query = api.fixture.store.newID(AuditQueryID.self)
        _ = try await api.fixture.owner.query(
            """
            INSERT INTO audit_queries (organization_id, id, name, mode, created_by, created_at)
            VALUES (\(organization.id), \(query), 'q', 'tail', \(admin.user), now())
            """
        )
        let hold = api.fixture.store.newID(HoldID.self)
        _ = try await api.fixture.owner.query(
            """
            INSERT INTO holds (organization_id, id, kind, matter, created_by, created_at)
            VALUES (\(organization.id), \(hold), 'organization', 'Case', \(admin.user), now())
            """
        )
        return [
            "qry": query.description, "hld": hold.description,
            "org": organization.id.description,
            "app": app.description, "aut": authorization.description,
            "ent": try #require(leaf?["id"]?.string), "src": source.id.description, "key": source.key.description,
            "dlv": receipt.delivery.description,
            "evt": try #require(event).description, "per": try #require(person).description,
            "usr": admin.user.description, "int": integration.description, "grt": grant.description,
            "wsp": organization.workspace.description, "rej": rejected.description,
            "tok": admin.caller.credential.token.description, "apr": approval.description,
            "rsc": resource.description, "ses": session.description,
        ]
    }

    @Test func `every operation answers an id of another organization like one that nobody has`() async throws {
        try await TestAPI.with { api in
            let things = try await Self.things(in: api)
            let before = try await api.fixture.owner.query("SELECT sum(version)::bigint AS n FROM sources").only()
            var tried = 0
            // A scope is known by its name, and a name is nobody's alone; neither is the root log.
            let shared = ["removeScope", "getAuditRootFile"]
            for operation in Operation.all where !operation.pathParameters.isEmpty && !shared.contains(operation.id) {
                let prefix = try #require(operation.target?.prefix)
                let foreign = try #require(things[prefix], "no thing of another organization for \(prefix)")
                let unknown = prefix + "_01k9qyc5qje1qsv9svhrqgc8zz"
                var answers: [String] = []
                for id in [foreign, unknown] {
                    let path = operation.path.replacing("{id}", with: id)
                        .replacing("{organization}", with: id).replacing("{file}", with: "checkpoint")
                        .replacing(
                            "{key}",
                            with: id == foreign ? things["key"] ?? "" : "key_01k9qyc5qje1qsv9svhrqgc8zz"
                        )
                    let answer = try await api.send(
                        operation.method,
                        path,
                        operation.body?.schema.example,
                        as: api.admin,
                        fields: operation.headerFields
                    )
                    #expect(answer.status == 404, "\(operation.id)")
                    answers.append(answer.withoutRequest)
                }
                #expect(answers[0] == answers[1], "\(operation.id)")
                tried += 1
            }
            #expect(tried > 10)
            let after = try await api.fixture.owner.query("SELECT sum(version)::bigint AS n FROM sources").only()
            #expect(try before.decode("n", as: Int64.self) == after.decode("n", as: Int64.self))
        }
    }

    @Test func `a key of another organization is none of one's own source`() async throws {
        try await TestAPI.with { api in
            let things = try await Self.things(in: api)
            let own = try await api.fixture.source(in: api.organization)
            var answers: [String] = []
            for key in [things["key"] ?? "", "key_01k9qyc5qje1qsv9svhrqgc8zz"] {
                let answer = try await api.send(.delete, "/v1/sources/\(own.id)/keys/\(key)", as: api.admin)
                #expect(answer.status == 404)
                answers.append(answer.withoutRequest)
            }
            #expect(answers[0] == answers[1])
            #expect(try await api.fixture.number("SELECT count(*) FROM source_keys") == 2)
        }
    }

    @Test func `the root log is there for every organization's auditors, and nothing of it before its first`()
        async throws
    {
        try await TestAPI.with { api in
            for path in ["/v1/audit/root/checkpoint", "/v1/audit/root/tile/0/000.p/1"] {
                let answer = try await api.get(path, as: api.auditor)
                #expect(answer.status == 404)
            }
            let anchor = try await api.get("/v1/audit/anchor", as: api.auditor)
            #expect(anchor.status == 200 && anchor.body["checkpoint"] == .null)
            let unclear = try await api.get("/v1/audit/anchor?latest=perhaps", as: api.auditor)
            #expect(unclear.status == 422)
        }
    }

    @Test func `no list shows a thing of another organization`() async throws {
        try await TestAPI.with { api in
            let things = try await Self.things(in: api)
            for operation in Operation.all where operation.method == .get && operation.pathParameters.isEmpty {
                let answer = try await api.get(operation.path, as: api.admin)
                for (_, id) in things { #expect(!answer.body.text.contains(id), "\(operation.id)") }
            }
        }
    }
}

extension PostgresRows {
    fileprivate func only() throws -> PostgresRow { try #require(count == 1 ? first : nil) }
}

extension Schema {
    /// The example of a named schema.
    fileprivate var example: JSON? {
        let name = json["$ref"]?.string?.split(separator: "/").last.map(String.init)
        return name.flatMap { components[$0]?["examples"]?.array?.first }
    }
}

extension Operation {
    fileprivate var headerFields: HTTPFields {
        var fields = HTTPFields()
        if parameters.contains(where: { $0.name == "If-Match" }) { fields[.ifMatch] = "\"v1\"" }
        return fields
    }
}
