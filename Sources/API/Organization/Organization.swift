import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let organization: [Operation] = [
        .read(
            "getOrganization",
            "/v1/organization",
            .anyone,
            .organizationRead,
            "The organization of the token",
            answers: .organization,
            hasTag: true
        ) { call in
            let organization = try await call.organization()
            return .read(organization.json, version: organization.version)
        },
        .change(
            "changeOrganization",
            "/v1/organization",
            .scope(.organizationWrite),
            .organizationUpdated,
            "Change name or settings; needing a second admin less often than now needs a second admin",
            body: .organizationChange,
            answers: .organization,
            waiting: .approval
        ) { call in
            let version = try call.expectedVersion()
            let wanted: OrganizationMembers = try call.patched(try await call.organization().members)
            let update = OrganizationUpdate(version: version, to: try wanted.terms(), by: call.attribution)
            switch try await call.perform(OrganizationRequest(update, by: call.caller, call.attribution)) {
            case .done(let changed): return .changed(changed.json, version: changed.version)
            case .waits(let approval): return .waiting(approval.json)
            }
        },
    ]
}

extension APICall {
    /// The organization of the caller.
    func organization() async throws -> OrganizationView {
        guard let organization = try await read({ try await $0.organization() }) else {
            throw ImpossibleRows(description: "organizations has no row of a caller's organization")
        }
        return organization
    }
}

private struct OrganizationMembers: Decodable {
    var name: String
    var approvals: [String]
    var longestTokenLifetime: String
    var outsideApps: Bool

    enum CodingKeys: String, CodingKey {
        case name, approvals
        case longestTokenLifetime = "longest_token_lifetime"
        case outsideApps = "outside_apps"
    }

    func terms() throws(EdgeError) -> OrganizationTerms {
        guard approvals.count <= Schema.mostApprovals else {
            throw .invalid([.init("/approvals", "\(Schema.mostApprovals) at most.")])
        }
        var known: Set<ApprovalRequirement> = []
        for (place, word) in approvals.enumerated() {
            guard let requirement = ApprovalRequirement(rawValue: word) else {
                throw .invalid([.init("/approvals/\(place)", "This is nothing that can need a second admin.")])
            }
            known.insert(requirement)
        }
        guard let longest = ISODuration(longestTokenLifetime) else {
            throw .invalid([.init("/longest_token_lifetime", "An ISO 8601 duration of a minute to ten years.")])
        }
        let name = try Texts.name(name, at: "/name")
        return OrganizationTerms(
            name: name,
            approvals: known,
            longestTokenLifetime: longest,
            letsInOutsideApps: outsideApps
        )
    }
}

extension OrganizationView {
    fileprivate var members: JSON.Object {
        [
            "name": .string(name), "approvals": .array(terms.approvals.map(\.rawValue).sorted().map(JSON.string)),
            "longest_token_lifetime": .string(terms.longestTokenLifetime.description),
            "outside_apps": .bool(terms.letsInOutsideApps),
        ]
    }

    fileprivate var json: JSON.Object {
        var json: JSON.Object = ["id": .string(id.description), "slug": .string(slug.description)]
        for (name, value) in members.members { json[name] = value }
        json["created_at"] = .string(createdAt.description)
        return json
    }
}

extension Schema {
    /// Of what can need a second admin; what stands twice stands once.
    fileprivate static let mostApprovals = 16

    private static let settings: [(String, Schema)] = [
        ("name", .name),
        (
            "approvals",
            Schema.array(of: .word(of: ApprovalRequirement.allCases.map(\.rawValue)), most: mostApprovals)
                .described(
                    """
                    For what a second admin is needed: grants and workspace tokens that may change something, grants that \
                    work from anywhere, and integrations whose rule makes such grants.
                    """
                )
        ),
        (
            "longest_token_lifetime",
            .duration.described(
                "ISO 8601, a minute to ten years; how far ahead a personal or workspace token may expire."
            )
        ),
        (
            "outside_apps",
            Schema.boolean.described(
                "Whether members may let in apps that no admin registered. Those they let in before stay until ended."
            )
        ),
    ]

    fileprivate static let organization = Schema.object(
        [("id", .id("org")), ("slug", .slug)] + settings + [("created_at", .time)]
    ).named(
        "Organization",
        example: [
            "id": "org_01k9qyc5qje1qsv9svhrqgc8cz", "slug": "acme", "name": "Acme",
            "approvals": ["grant_with_write_scope"], "longest_token_lifetime": "P365D", "outside_apps": true,
            "created_at": "2026-11-21T09:00:00Z",
        ]
    )

    fileprivate static let organizationChange = Schema.object(optional: settings)
        .named("OrganizationChange", example: ["approvals": ["grant_with_write_scope"]])
}
