import Domain
import Edge
import HTTPTypes
import Storage
import Transparency

extension Operation {
    static let users: [Operation] = [
        .list(
            "listUsers",
            "/v1/users",
            .scope(.usersRead),
            .userRead,
            "Users, oldest first",
            of: .user,
            by: UserID.self
        ) { call, step in
            try await call.read { try await $0.users(after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .create(
            "createUser",
            "/v1/users",
            .scope(.usersWrite),
            .userCreated,
            "Add a user of an integration that is made for no person",
            body: .newUser,
            answers: .user
        ) { call in
            let new: NewUser = try call.decode()
            let creation = IntegrationUserCreation(
                of: new.integration,
                username: try new.checkedUsername(),
                custodian: new.custodian,
                by: call.attribution,
                in: call.store
            )
            return try await call.create(creation, \.json)
        },
        .read(
            "getUser",
            "/v1/users/{id}",
            .scope(.usersRead),
            .userRead,
            "One user",
            target: .user,
            answers: .user
        ) { call in
            let id = try call.id(as: UserID.self)
            guard let user = try await call.read({ try await $0.user(id) }) else { throw EdgeError.notFound }
            return .read(user.json, person: user.person)
        },
        .act(
            "deactivateUser",
            "/v1/users/{id}/deactivate",
            .scope(.usersWrite),
            .userDeactivated,
            "End a user's access at once, with its grants and claim links",
            target: .user,
            body: .deactivation,
            answers: .user
        ) { call in
            let wanted: Deactivation = try call.decode()
            let deactivation = UserDeactivation(
                of: try call.id(),
                by: call.caller,
                confirmation: wanted.confirmation?.text,
                call.attribution
            )
            return .changed(try await call.perform(deactivation).json)
        },
        .create(
            "createPasswordLink",
            "/v1/users/{id}/password-links",
            .scope(.usersWrite),
            .passwordLinkCreated,
            "Make the link by which a member sets a password, once; a second admin agrees where it replaces one, and for the account of another admin or auditor",
            target: .user,
            body: .newPasswordLink,
            isBodyOptional: true,
            answers: .passwordLink,
            hasLocation: false,
            waiting: .approval
        ) { call in
            try call.requireSecurityAdmin()
            let new: NewPasswordLink = try call.decode()
            let request = PasswordLinkRequest(
                for: try call.id(),
                approval: new.approval,
                by: call.caller,
                call.attribution,
                in: call.store
            )
            let url = call.door.publicURL
            return try await call.create(request, showsSecret: true) { settled in
                settled.json { link in
                    [
                        "username": .string(link.username),
                        "url": .string(url + "/password/" + link.secret.reveal()),
                        "expires_at": .string(link.expiresAt.description),
                    ]
                }
            }
        },
        Operation(
            id: "requestSecondFactorReset",
            method: .post,
            path: "/v1/users/{id}/second-factor-resets",
            access: .scope(.usersWrite),
            action: .approvalRequested,
            summary: "Ask a second admin to take away a member's lost second factor; their sign-ins end with it",
            target: .user,
            parameters: [.idempotencyKey],
            body: Operation.Body(.object(), isOptional: true),
            answers: Operation.Answers(.accepted, .approval, "It waits for a second admin.", fields: [.location]),
            run: .called { call in
                try call.requireSecurityAdmin()
                let request = SecondFactorResetRequest(of: try call.id(), by: call.caller, call.attribution)
                return try await call.create(request, \.json)
            }
        ),
        .act(
            "assignRole",
            "/v1/users/{id}/role",
            .scope(.usersWrite),
            .userRoleChanged,
            "Give a member another role, by a security admin; the member's tokens end. Another security admin, where "
                + "there is one or the organization wants one for anything, agrees first to one more, and to one less but oneself",
            target: .user,
            body: .roleAssignment,
            isBodyOptional: false,
            answers: .user,
            waiting: .approval
        ) { call in
            try call.requireSecurityAdmin()
            let wanted: WantedRole = try call.decode()
            guard let role = Role(rawValue: wanted.role), RoleAssignment.roles.contains(role) else {
                throw EdgeError.invalid([.init("/role", "No member has this role.")])
            }
            let assignment = RoleAssignment(
                of: try call.id(),
                to: role,
                by: call.caller,
                confirmation: wanted.confirmation?.text,
                call.attribution
            )
            switch try await call.perform(RoleAssignmentRequest(assignment, by: call.caller, call.attribution)) {
            case .done(let changed): return .changed(changed.json)
            case .waits(let approval): return .waiting(approval.json)
            }
        },
        .act(
            "assignCustodian",
            "/v1/users/{id}/custodian",
            .scope(.usersWrite),
            .userCustodianChanged,
            "Name another member who keeps the secrets of a user that was made for nobody, by a security admin; those that there are end",
            target: .user,
            body: .custodianAssignment,
            isBodyOptional: false,
            answers: .user,
            waiting: .approval
        ) { call in
            try call.requireSecurityAdmin()
            let wanted: WantedCustodian = try call.decode()
            let assignment = CustodianAssignment(of: try call.id(), to: wanted.custodian, by: call.attribution)
            switch try await call.perform(CustodianRequest(assignment, by: call.caller, call.attribution)) {
            case .done(let changed): return .changed(changed.json)
            case .waits(let approval): return .waiting(approval.json)
            }
        },
    ]
}

private struct NewPasswordLink: Decodable {
    var approval: ApprovalID?
}

private struct WantedRole: Decodable {
    var role: String
    var confirmation: Confirmation?
}

private struct WantedCustodian: Decodable {
    var custodian: UserID
}

private struct NewUser: Decodable {
    var kind: Kind
    var integration: IntegrationID
    var username: String
    var custodian: UserID

    /// Members come from their source, not from here.
    enum Kind: String, Decodable {
        case integration
    }

    /// Characters of a username at most; members' come from their source and may be longer.
    static let mostUsernameCharacters = 256

    func checkedUsername() throws(EdgeError) -> String {
        let isVisible = username.unicodeScalars.allSatisfy { scalar in
            !scalar.properties.isWhitespace && scalar.properties.generalCategory != .control
        }
        guard isVisible, (1...Self.mostUsernameCharacters).contains(username.unicodeScalars.count) else {
            throw .invalid([
                .init("/username", "1 to \(Self.mostUsernameCharacters) characters, no spaces or control characters.")
            ])
        }
        return username
    }
}

private struct Deactivation: Decodable {
    var confirmation: Confirmation?
}

extension UserView {
    fileprivate var json: JSON.Object {
        [
            "id": .string(id.description), "username": .string(username), "kind": .string(kind.rawValue),
            "role": .string(role.rawValue), "person": .orNull(person), "integration": .orNull(integration),
            "source": .orNull(source), "custodian": .orNull(custodian), "status": .string(status.rawValue),
            "created_at": .string(createdAt.description), "updated_at": .string(updatedAt.description),
            "deactivated_at": .orNull(deactivatedAt),
        ]
    }
}

extension Schema {
    static let userKind = Schema.word(of: [UserKind.member, .integration].map(\.rawValue))
    static let role = Schema.word(of: Role.allCases.map(\.rawValue))

    fileprivate static let user = Schema.object([
        ("id", .id("usr")), ("username", .string), ("kind", userKind), ("role", role),
        ("person", .id("per").orNull.described("Whose account it is, or for whom it exists.")),
        ("integration", .id("int").orNull), ("source", .id("src").orNull),
        ("custodian", .id("usr").orNull.described("The member who may claim the secrets of its grants.")),
        ("status", .word(of: ["active", "deactivated"])), ("created_at", .time), ("updated_at", .time),
        ("deactivated_at", .time.orNull),
    ]).named(
        "User",
        example: [
            "id": "usr_01k9qyc5qje1qsv9svhrqgc8d0", "username": "payroll.batch", "kind": "integration",
            "role": "integration", "person": .null, "integration": "int_01k9qyc5qje1qsv9svhrqgc8d9", "source": .null,
            "custodian": "usr_01k9qyc5qje1qsv9svhrqgc8da", "status": "active", "created_at": "2026-11-21T09:00:00Z",
            "updated_at": "2026-11-21T09:00:00Z", "deactivated_at": .null,
        ]
    )

    fileprivate static let newUser = Schema.object([
        ("kind", .constant("integration")), ("integration", .id("int")),
        ("username", .string(length: 1...NewUser.mostUsernameCharacters)), ("custodian", .id("usr")),
    ]).named(
        "NewUser",
        example: [
            "kind": "integration", "integration": "int_01k9qyc5qje1qsv9svhrqgc8d9", "username": "payroll.batch",
            "custodian": "usr_01k9qyc5qje1qsv9svhrqgc8da",
        ]
    )

    fileprivate static let passwordLink = Schema.object([("username", .string), ("url", .uri), ("expires_at", .time)])
        .named(
            "PasswordLink",
            example: [
                "username": "ada@acme.example", "url": "https://rollcall.acme.example/password/rcl_…",
                "expires_at": "2026-11-22T09:00:00Z",
            ]
        )

    fileprivate static let newPasswordLink = Schema.object(
        optional: [
            ("approval", Schema.id("apr").orNull.described("A second admin's, where the account has a password."))
        ]
    ).named("NewPasswordLink", example: [:])

    fileprivate static let roleAssignment = Schema.object(
        [("role", .word(of: RoleAssignment.roles.map(\.rawValue)))],
        optional: [("confirmation", .confirmation)]
    ).named("RoleAssignment", example: ["role": "auditor"])

    fileprivate static let custodianAssignment = Schema.object([("custodian", .id("usr"))])
        .named("CustodianAssignment", example: ["custodian": "usr_01k9qyc5qje1qsv9svhrqgc8da"])

    fileprivate static let deactivation = Schema.object(
        optional: [("confirmation", .confirmation)]
    ).named("Deactivation", example: [:])
}
