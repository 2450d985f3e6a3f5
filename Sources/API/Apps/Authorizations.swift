import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let authorizations: [Operation] = [
        .list(
            "listAuthorizations",
            "/v1/authorizations",
            .anyone,
            .authorizationRead,
            "What users let apps do, oldest first: the caller's own, or everybody's for who may read users",
            of: .authorization,
            by: AuthorizationID.self
        ) { call, step in
            let user = try call.ownUnlessReader ?? step.demanded("user")
            let app: AppID? = step.demanded("app")
            return try await call.read { transaction in
                try await transaction.authorizations(of: user, app: app, after: step.after, most: step.most)
            }
            .map { ListedItem($0.id, $0.json) }
        },
        .remove(
            "endAuthorization",
            "/v1/authorizations/{id}",
            .anyone,
            .authorizationEnded,
            "End what the caller's own user lets an app do, or as a security admin what anybody does, with every token of it",
            target: .authorization
        ) { call in
            let owner = try call.ownUnlessAdmin
            let end = AuthorizationEnd(of: try call.id(), approvedBy: owner, by: call.attribution)
            try await call.ending { try await call.perform(end) }
            return .removed
        },
    ]
}

extension APICall {
    /// Whose things alone the caller sees: their own, unless they are a security admin or auditor who may read users. Refuses
    /// an app: what somebody lets it do is none of its business.
    var ownUnlessReader: UserID? {
        get throws(EdgeError) {
            try requireOwnHand()
            return seesEverybodys ? nil : caller.user
        }
    }

    private var seesEverybodys: Bool {
        caller.kind == .member && [.securityAdmin, .auditor].contains(caller.role) && caller.scopes.contains(.usersRead)
    }

    /// Whose things alone the caller may end: their own, unless a security admin calls.
    var ownUnlessAdmin: UserID? {
        get throws(EdgeError) {
            try requireOwnHand()
            let isAdmin = caller.role == .securityAdmin && caller.kind == .member
            return isAdmin && caller.scopes.contains(.usersWrite) ? nil : caller.user
        }
    }

    /// Ends something. Who sees what others have and may not end it is told so; to everybody else it is not there.
    func ending(_ end: () async throws -> Void) async throws {
        do {
            try await end()
        } catch ChangeRefusal.notFound {
            guard try ownUnlessAdmin == nil || !seesEverybodys else {
                throw EdgeError.forbidden(needs: .usersWrite)
            }
            throw EdgeError.notFound
        }
    }
}

extension AuthorizationView {
    fileprivate var json: JSON.Object {
        [
            "id": .string(id.description), "app": .string(app.description), "app_name": .string(appName),
            "user": .string(user.description), "username": .string(username), "scopes": AccessMembers.json(scopes),
            "approved_at": .string(approvedAt.description), "created_at": .string(createdAt.description),
        ]
    }
}

extension Schema {
    fileprivate static let authorization = Schema.object([
        ("id", .id("aut")), ("app", .id("app")), ("app_name", .string), ("user", .id("usr")), ("username", .string),
        ("scopes", .scopes), ("approved_at", .time), ("created_at", .time),
    ]).named(
        "Authorization",
        example: [
            "id": "aut_01k9qyc5qje1qsv9svhrqgc8d5", "app": "app_01k9qyc5qje1qsv9svhrqgc8d6", "app_name": "Org chart",
            "user": "usr_01k9qyc5qje1qsv9svhrqgc8d0", "username": "ada@acme.example", "scopes": ["people:read.self"],
            "approved_at": "2026-11-21T09:00:00Z", "created_at": "2026-11-21T09:00:00Z",
        ]
    )
}
