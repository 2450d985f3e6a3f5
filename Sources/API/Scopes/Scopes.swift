import Domain
import Edge
import Hummingbird
import Storage
import Transparency

extension Operation {
    static let scopes: [Operation] = [
        .read(
            "listScopes",
            "/v1/scopes",
            .anyone,
            .scopeRead,
            "The scopes that can be given: those of Rollcall, and those of the organization's own",
            answers: .object([("items", .array(of: .scopeEntry)), ("next_cursor", .string.orNull)])
        ) { call in
            let own = try await call.read { try await $0.ownScopes() }
            let items =
                Scope.catalogue.map { JSON.object(Self.json($0.scope, opens: $0.opens, isBuiltIn: true)) }
                + own.map { .object(Self.json($0.scope, opens: $0.opens, isBuiltIn: false)) }
            return .read(["items": .array(items), "next_cursor": .null])
        },
        .create(
            "createScope",
            "/v1/scopes",
            .scope(.organizationWrite),
            .scopeCreated,
            "Add a scope for an API that Rollcall guards",
            body: .newScope,
            answers: .scopeEntry,
            hasLocation: false
        ) { call in
            let new: NewScope = try call.decode()
            guard let scope = Scope(new.scope) else {
                throw EdgeError.invalid([
                    .init("/scope", "A name resource:action, of a resource that is not Rollcall's own.")
                ])
            }
            let opens = try Texts.name(new.opens, at: "/opens")
            let creation = ScopeCreation(scope, opens: opens, by: call.caller, call.attribution)
            return try await call.create(creation) { json($0.scope, opens: $0.opens, isBuiltIn: false) }
        },
        .remove(
            "removeScope",
            "/v1/scopes/{scope}",
            .scope(.organizationWrite),
            .scopeRemoved,
            "Take a scope of the organization's own away from everything; asks where something has it",
            parameters: [.confirmation]
        ) { call in
            guard let scope = call.context.parameters.get("scope").flatMap({ Scope($0) }) else {
                throw EdgeError.notFound
            }
            let confirmation = try call.queriedConfirmation()
            try await call.perform(ScopeRemoval(of: scope, confirmation: confirmation, by: call.attribution))
            return .removed
        },
    ]

    private static func json(_ scope: Scope, opens: String, isBuiltIn: Bool) -> JSON.Object {
        [
            "scope": .string(scope.description), "opens": .string(opens), "built_in": .bool(isBuiltIn),
            "read_only": .bool(scope.isReadOnly),
        ]
    }
}

extension APICall {
    /// The scopes that these may be: Rollcall's, and, where one of them is none of those, the organization's own.
    func catalogue(for names: [String]) async throws -> ScopeSet {
        guard !names.allSatisfy({ name in ScopeSet.all.scopes.contains { $0.description == name } }) else {
            return .all
        }
        return ScopeSet(ScopeSet.all.scopes + (try await read { try await $0.ownScopes() }).map(\.scope))
    }
}

private struct NewScope: Decodable {
    var scope: String
    var opens: String
}

extension Schema {
    fileprivate static let scopeEntry = Schema.object([
        ("scope", .scopeName), ("opens", .string), ("built_in", .boolean),
        ("read_only", .boolean.described("Whether a grant of it alone counts as one without a write scope.")),
    ]).named(
        "Scope",
        example: ["scope": "invoices:read", "opens": "Read invoices", "built_in": false, "read_only": true]
    )

    fileprivate static let newScope = Schema.object([
        (
            "scope",
            Schema.string(length: 3...64, matching: "^[a-z0-9._-]+:[a-z0-9._-]+$").described(
                "resource:action, of lower-case letters, digits and ._-"
            )
        ),
        ("opens", .name),
    ]).named("NewScope", example: ["scope": "invoices:read", "opens": "Read invoices"])
}
