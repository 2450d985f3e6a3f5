import Domain
import Edge
import Filter
import Storage
import Transparency

extension Operation {
    static let integrations: [Operation] = [
        .list(
            "listIntegrations",
            "/v1/integrations",
            .scope(.integrationsRead),
            .integrationRead,
            "Integrations, oldest first",
            of: .integration,
            by: IntegrationID.self
        ) { call, step in
            try await call.read { try await $0.integrations(after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .create(
            "createIntegration",
            "/v1/integrations",
            .scope(.integrationsWrite),
            .integrationCreated,
            "Add an outside application; people whom its rule matches get a user of it",
            body: .newIntegration,
            answers: .integration,
            waiting: .approval
        ) { call in
            let new: IntegrationMembers = try call.decode()
            try AccessMembers.requireAllowList(in: call.body)
            let terms = try new.terms(in: try await call.catalogue(for: new.scopes))
            try call.refuseSelfWidening(by: terms.scopes)
            let creation = IntegrationCreation(
                terms,
                by: call.attribution,
                in: call.store
            )
            return try await call.create(IntegrationRequest(creation, by: call.caller, call.attribution)) {
                $0.json(\.json)
            }
        },
        .read(
            "getIntegration",
            "/v1/integrations/{id}",
            .scope(.integrationsRead),
            .integrationRead,
            "One integration",
            target: .integration,
            answers: .integration,
            hasTag: true
        ) { call in
            let integration = try await call.integration()
            return .read(integration.json, version: integration.version)
        },
        .change(
            "changeIntegration",
            "/v1/integrations/{id}",
            .scope(.integrationsWrite),
            .integrationUpdated,
            "Change an integration; users and grants follow its rule, scopes, addresses and status",
            target: .integration,
            body: .integrationChange,
            answers: .integration,
            waiting: .approval
        ) { call in
            let version = try call.expectedVersion()
            let current = try await call.integration()
            let wanted: IntegrationMembers = try call.patched(current.members, confirms: true)
            let terms = try wanted.terms(in: try await call.catalogue(for: wanted.scopes))
            // For other people, from elsewhere or for longer all of it is new.
            let members = ["rule", "status", "ip_allow_list", "grant_lifetime", "workspace", "custodian"]
            let isAnew = call.changes(members, of: current.members)
            let added = isAnew ? terms.scopes : terms.scopes.subtracting(current.terms.scopes)
            try call.refuseSelfWidening(by: added, integration: current.id)
            let update = IntegrationUpdate(
                of: current.id,
                version: version,
                to: terms,
                confirmation: try call.confirmed().confirmation,
                by: call.attribution
            )
            switch try await call.perform(IntegrationRequest(update, by: call.caller, call.attribution)) {
            case .done(let changed): return .changed(changed.json, version: changed.version)
            case .waits(let approval): return .waiting(approval.json)
            }
        },
    ]
}

extension APICall {
    /// The integration that the path names.
    fileprivate func integration() async throws -> IntegrationView {
        let id = try id(as: IntegrationID.self)
        guard let integration = try await read({ try await $0.integration(id) }) else { throw EdgeError.notFound }
        return integration
    }
}

/// What an admin says of an integration.
private struct IntegrationMembers: Decodable {
    var slug: Slug
    var name: String
    var description: String?
    var contactEmail: String
    var workspace: String
    var scopes: [String]
    var rule: String?
    var grantLifetime: String
    var ipAllowList: [String]?
    var custodian: String?
    var status: IntegrationStatus?

    enum CodingKeys: String, CodingKey {
        case slug, name, description, workspace, scopes, rule, custodian, status
        case contactEmail = "contact_email"
        case grantLifetime = "grant_lifetime"
        case ipAllowList = "ip_allow_list"
    }

    static let mostDescriptionCharacters = 2000

    func terms(in catalogue: ScopeSet) throws(EdgeError) -> IntegrationTerms {
        guard let contactEmail = ContactEmail(contactEmail) else {
            throw .invalid([.init("/contact_email", "This is no address that mail could be sent to.")])
        }
        guard let grantLifetime = ISODuration(grantLifetime) else {
            throw .invalid([
                .init("/grant_lifetime", "An ISO 8601 duration from a minute to ten years, such as P90D.")
            ])
        }
        let description = description ?? ""
        guard description.unicodeScalars.count <= Self.mostDescriptionCharacters else {
            throw .invalid([.init("/description", "At most \(Self.mostDescriptionCharacters) characters.")])
        }
        return IntegrationTerms(
            slug: slug,
            name: try Texts.name(name, at: "/name"),
            description: description,
            contactEmail: contactEmail,
            workspace: try AccessMembers.workspace(workspace),
            scopes: try AccessMembers.scopes(scopes, in: catalogue),
            rule: try parsedRule(),
            grantLifetime: grantLifetime,
            ipAllowList: try AccessMembers.ranges(ipAllowList),
            custodian: custodian.map(UserReference.init),
            status: status ?? .active
        )
    }

    private func parsedRule() throws(EdgeError) -> IntegrationRule? {
        guard let rule else { return nil }
        do throws(FilterError) {
            return try IntegrationRule(parsing: rule)
        } catch {
            throw .invalid([.init("/rule", "\(error)")])
        }
    }
}

extension IntegrationStatus: Decodable {}

extension IntegrationView {
    /// What a PATCH is laid over.
    fileprivate var members: JSON.Object {
        [
            "slug": .string(terms.slug.description), "name": .string(terms.name),
            "description": .string(terms.description), "contact_email": .string(terms.contactEmail.description),
            "workspace": .string(workspace.description), "scopes": AccessMembers.json(terms.scopes),
            "rule": .orNull(terms.rule), "grant_lifetime": .string(terms.grantLifetime.description),
            "ip_allow_list": AccessMembers.json(terms.ipAllowList), "custodian": .orNull(custodian),
            "status": .string(terms.status.rawValue),
        ]
    }

    fileprivate var json: JSON.Object {
        var json: JSON.Object = ["id": .string(id.description)]
        for (name, value) in members.members { json[name] = value }
        json["workspace"] = .string(workspaceSlug.description)
        json["workspace_id"] = .string(workspace.description)
        json["custodian_name"] = .orNull(custodianName)
        json["active_users"] = .integer(activeUsers)
        json["created_at"] = .string(createdAt.description)
        json["updated_at"] = .string(updatedAt.description)
        return json
    }
}

extension Schema {
    private static let rule = Schema.filter.orNull.described(
        "SCIM filter (RFC 7644 3.4.2.2) over the canonical person: who matches has a user. null: nobody by rule."
    )
    private static let lifetime = Schema.duration.described(
        "ISO 8601 duration of a minute to ten years, such as P90D."
    )
    private static let reference = Schema.workspaceReference
    private static let custodian = Schema.username.orNull.described("Id or username of an active member.")
    private static let status = Schema.word(of: IntegrationStatus.allCases.map(\.rawValue))
    private static let description = Schema.string(length: 0...IntegrationMembers.mostDescriptionCharacters)
    private static let terms: [(String, Schema)] = [
        ("slug", .slug), ("name", .name), ("contact_email", .email), ("scopes", .someScopes),
        ("grant_lifetime", lifetime), ("ip_allow_list", .ipAllowList),
    ]
    private static let example: JSON.Object = [
        "slug": "payroll", "name": "Payroll", "description": "", "contact_email": "it@acme.example",
        "workspace": "finance", "scopes": ["people:read.self"], "rule": "department eq \"Finance\"",
        "grant_lifetime": "P90D", "ip_allow_list": ["198.51.100.0/24"], "custodian": .null,
    ]

    fileprivate static let integration = Schema.object(
        [("id", .id("int"))] + terms + [
            ("description", description), ("workspace", .slug), ("workspace_id", .id("wsp")), ("rule", rule),
            ("custodian", .id("usr").orNull), ("custodian_name", .string.orNull), ("status", status),
            ("active_users", .integer()), ("created_at", .time), ("updated_at", .time),
        ]
    ).named(
        "Integration",
        example: .object(
            example.merged(with: [
                "id": "int_01k9qyc5qje1qsv9svhrqgc8d9", "workspace_id": "wsp_01k9qyc5qje1qsv9svhrqgc8d2",
                "custodian": "usr_01k9qyc5qje1qsv9svhrqgc8da", "custodian_name": "grace@acme.example",
                "status": "active", "active_users": 12, "created_at": "2026-11-21T09:00:00Z",
                "updated_at": "2026-11-21T09:00:00Z",
            ])
        )
    )

    fileprivate static let newIntegration = Schema.object(
        terms + [("workspace", reference)],
        optional: [("description", description), ("rule", rule), ("custodian", custodian), ("status", status)]
    ).named("NewIntegration", example: .object(example))

    fileprivate static let integrationChange = Schema.object(
        optional: terms + [
            ("workspace", reference), ("description", description), ("rule", rule), ("custodian", custodian),
            ("status", status), ("confirmation", .confirmation),
        ]
    ).named("IntegrationChange", example: ["rule": "department eq \"Finance\" and title pr"])
}
