import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let people: [Operation] = [
        .list(
            "listPeople",
            "/v1/people",
            .scope([.peopleRead, .peopleReadSelf]),
            .personRead,
            "People within the token's reach, in the order in which they became known",
            of: .person,
            by: PersonID.self
        ) { call, step in
            let reach = call.caller.peopleReach
            return try await call.read { try await $0.people(within: reach, after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .read(
            "getPerson",
            "/v1/people/{id}",
            .scope([.peopleRead, .peopleReadSelf]),
            .personRead,
            "One person; one out of reach is answered like an unknown id",
            target: .person,
            answers: .person,
            hasTag: true
        ) { call in
            let id = try call.id(as: PersonID.self)
            let reach = call.caller.peopleReach
            guard let person = try await call.read({ try await $0.person(id, within: reach) }) else {
                throw EdgeError.notFound
            }
            return .read(person.json, version: person.version)
        },
        .act(
            "erasePerson",
            "/v1/people/{id}/erasure",
            .scope(.usersWrite),
            .personErased,
            "Destroy what is known of a person who has no access, by a security admin and, where the organization wants one, a second; it waits where a legal hold is in the way",
            target: .person,
            body: .erasureWish,
            answers: .erasure,
            waiting: .approval
        ) { call in
            try call.requireSecurityAdmin()
            let wanted: ErasureWish = try call.decode()
            let request = PersonErasureRequest(
                of: try call.id(),
                by: call.caller,
                confirmation: wanted.confirmation?.text,
                call.attribution
            )
            switch try await call.perform(request) {
            case .done(let erasure): return .changed(erasure.json)
            case .waits(let approval): return .waiting(approval.json)
            }
        },
        .list(
            "listErasures",
            "/v1/erasures",
            .scope(.usersRead),
            .personRead,
            "People who were erased, and erasures that wait, in the order of their ids",
            of: .erasure,
            by: PersonID.self
        ) { call, step in
            try await call.read { try await $0.erasures(after: step.after, most: step.most) }
                .map { ListedItem($0.person, $0.json) }
        },
    ]
}

private struct ErasureWish: Decodable {
    var confirmation: Confirmation?
}

extension ErasureView {
    fileprivate var json: JSON.Object {
        [
            "person": .string(person.description), "status": .string(status.rawValue),
            "reason": reason.map { .string($0.rawValue) } ?? .null, "requested_by": .orNull(requestedBy),
            "requested_at": .string(requestedAt.description), "executed_at": .orNull(executedAt),
        ]
    }
}

extension Caller {
    /// `people:read` opens the organization to members and the grant's workspace to integrations; `people:read.self`
    /// opens the caller's own person.
    var peopleReach: PeopleReach {
        let own = scopes.contains(.peopleReadSelf) ? person : nil
        if scopes.contains(.peopleRead) {
            if kind == .member { return .organization }
            if let workspace { return .workspace(workspace, and: own) }
        }
        return own.map(PeopleReach.only) ?? .nobody
    }
}

extension PersonView {
    /// Rollcall's own members first; they stand where an attribute of the source has one of these names.
    fileprivate var json: JSON.Object {
        var json: JSON.Object = [
            "id": .string(id.description), "source": .string(source.description), "status": .string(status.rawValue),
            "created_at": .string(createdAt.description), "updated_at": .string(updatedAt.description),
            "version": .integer(version), "erased_at": .orNull(erasedAt),
        ]
        for (name, value) in attributes.members where json[name] == nil { json[name] = value }
        return json
    }
}

extension Schema {
    fileprivate static let person = Schema.object(
        [
            ("id", .id("per")), ("source", .id("src")),
            ("status", .word(of: ["active", "leaving", "left", "revoked", "deleted"])), ("created_at", .time),
            ("updated_at", .time), ("version", .integer(from: 1)),
            ("erased_at", .time.orNull.described("Since when nothing is known of them.")),
            ("externalId", .string.described("The source's own, immutable id of the person.")),
        ],
        optional: [
            ("userName", .string.orNull), ("displayName", .string.orNull), ("title", .string.orNull),
            ("active", .boolean.orNull), ("name", .anyObject.orNull), ("emails", .array(of: .anyObject).orNull),
            (CanonicalPerson.enterprise, .anyObject.orNull), (CanonicalPerson.worker, .anyObject.orNull),
        ],
        isOpen: true
    ).described("Every canonical attribute under SCIM's names (RFC 7643 4.1 and 4.3), as the source said it.").named(
        "Person",
        example: [
            "id": "per_01k9qyc5qje1qsv9svhrqgc8d3", "source": "src_3v9hd0c2rb6nrzx5w4mqf7y8ae", "status": "active",
            "created_at": "2026-11-21T09:00:01Z", "updated_at": "2026-11-21T09:00:01Z", "version": 1,
            "erased_at": .null, "externalId": "e-1001", "userName": "ada@acme.example",
            "name": ["givenName": "Ada", "familyName": "Lovelace"],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": ["department": "Finance"],
        ]
    )

    fileprivate static let erasureWish = Schema.object(
        optional: [("confirmation", .confirmation)]
    ).named("ErasureWish", example: [:])

    fileprivate static let erasure = Schema.object([
        ("person", .id("per")), ("status", .word(of: ErasureView.Status.allCases.map(\.rawValue))),
        (
            "reason",
            .word(of: ErasureObstacle.allCases.map(\.rawValue)).orNull.described("Why it waits.")
        ),
        ("requested_by", .id("usr").orNull.described("null: done again after a restore.")), ("requested_at", .time),
        ("executed_at", .time.orNull),
    ]).named(
        "Erasure",
        example: [
            "person": "per_01k9qyc5qje1qsv9svhrqgc8d3", "status": "executed", "reason": .null,
            "requested_by": "usr_01k9qyc5qje1qsv9svhrqgc8da", "requested_at": "2026-11-21T09:00:00Z",
            "executed_at": "2026-11-21T09:00:00Z",
        ]
    )
}
