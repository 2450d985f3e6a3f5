import Domain
import Storage
import Transparency

extension Operation {
    static let identity: [Operation] = [
        .read("whoami", "/v1/whoami", .anyone, .userRead, "Who calls, and what the token may do", answers: .whoami) {
            call in
            guard let organization = try await call.read({ try await $0.organization() }) else {
                throw ImpossibleRows(description: "organizations has no row of a caller's organization")
            }
            return .read(call.caller.json(of: organization))
        }
    ]
}

extension Schema {
    fileprivate static let whoami = Schema.object([
        ("organization", .object([("id", .id("org")), ("slug", .slug), ("name", .string)])),
        (
            "user",
            .object([
                ("id", .id("usr")), ("username", .string), ("kind", .word(of: ["member", "integration"])),
                ("role", .word(of: Role.allCases.map(\.rawValue))),
            ])
        ),
        ("kind", .word(of: ["member", "integration"])), ("scopes", .scopes),
        ("grant", .object([("id", .id("grt")), ("client_name", .string.orNull)]).orNull),
        ("workspace", .id("wsp").orNull), ("on_behalf_of", .id("per").orNull.described("The person of the user.")),
        ("token", .object([("id", .id("tok")), ("issued_at", .time), ("expires_at", .time)])),
    ]).named(
        "Whoami",
        example: [
            "organization": ["id": "org_01k9qyc5qje1qsv9svhrqgc8cz", "slug": "acme", "name": "Acme"],
            "user": [
                "id": "usr_01k9qyc5qje1qsv9svhrqgc8d0", "username": "payroll.ada", "kind": "integration",
                "role": "integration",
            ],
            "kind": "integration", "scopes": ["people:read"],
            "grant": ["id": "grt_01k9qyc5qje1qsv9svhrqgc8d1", "client_name": "Payroll"],
            "workspace": "wsp_01k9qyc5qje1qsv9svhrqgc8d2", "on_behalf_of": "per_01k9qyc5qje1qsv9svhrqgc8d3",
            "token": [
                "id": "tok_01k9qyc5qje1qsv9svhrqgc8d4", "issued_at": "2026-11-21T09:00:00Z",
                "expires_at": "2026-11-21T10:00:00Z",
            ],
        ]
    )
}

extension Caller {
    fileprivate func json(of organization: OrganizationView) -> JSON.Object {
        [
            "organization": [
                "id": .string(organization.id.description), "slug": .string(organization.slug.description),
                "name": .string(organization.name),
            ],
            "user": [
                "id": .string(user.description), "username": .string(username), "kind": .string(kind.rawValue),
                "role": .string(role.rawValue),
            ],
            "kind": .string(kind.rawValue),
            "scopes": .array(scopes.names.map(JSON.string)),
            "grant": grant.map { grant in
                ["id": .string(grant.description), "client_name": clientName.map(JSON.string) ?? .null]
            } ?? .null,
            "workspace": .orNull(workspace),
            "on_behalf_of": kind == .integration ? .orNull(person) : .null,
            "token": [
                "id": .string(credential.token.description), "issued_at": .string(tokenIssuedAt.description),
                "expires_at": .string(tokenExpiresAt.description),
            ],
        ]
    }
}
