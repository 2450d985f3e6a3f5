import Domain
import Edge
import Filter
import Storage
import Transparency

extension Operation {
    static let holds: [Operation] = [
        .list(
            "listHolds",
            "/v1/holds",
            .scope(.usersRead),
            .holdRead,
            "Legal holds, lifted ones too, oldest first",
            of: .hold,
            by: HoldID.self
        ) { call, step in
            try call.requireReader()
            return try await call.read { try await $0.holds(after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .create(
            "createHold",
            "/v1/holds",
            .scope(.usersWrite),
            .holdCreated,
            "Place a legal hold, by a security admin: nothing of what it names is erased or expires before it is lifted",
            body: .newHold,
            answers: .hold
        ) { call in
            try call.requireSecurityAdmin()
            let new: NewHold = try call.decode()
            let creation = HoldCreation(
                try new.scope(),
                matter: try Texts.name(new.matter, at: "/matter"),
                by: call.caller,
                call.attribution,
                in: call.store
            )
            return try await call.create(creation, \.json)
        },
        .read(
            "getHold",
            "/v1/holds/{id}",
            .scope(.usersRead),
            .holdRead,
            "One legal hold",
            target: .hold,
            answers: .hold
        ) { call in
            try call.requireReader()
            let id = try call.id(as: HoldID.self)
            guard let hold = try await call.read({ try await $0.hold(id) }) else { throw EdgeError.notFound }
            return .read(hold.json)
        },
        .act(
            "liftHold",
            "/v1/holds/{id}/lift",
            .scope(.usersWrite),
            .holdLifted,
            "Lift a legal hold, by a security admin; erasures that it kept waiting are executed",
            target: .hold,
            answers: .hold
        ) { call in
            try call.requireSecurityAdmin()
            return .changed(try await call.perform(HoldLift(of: try call.id(), by: call.caller, call.attribution)).json)
        },
    ]
}

private struct NewHold: Decodable {
    var kind: String
    var matter: String
    var person: PersonID?
    var since: Timestamp?
    var until: Timestamp?
    var filter: String?

    /// Refuses members that its kind does not have, and lacks of those that it has.
    func scope() throws -> HoldScope {
        let given = [
            ("person", person != nil), ("since", since != nil), ("until", until != nil), ("filter", filter != nil),
        ]
        .filter(\.1).map(\.0)
        let wanted: [String: [String]] = [
            "person": ["person"], "organization": [], "time": ["since", "until"], "query": ["filter"],
        ]
        guard let members = wanted[kind] else {
            throw EdgeError.invalid([.init("/kind", "\(HoldScope.kinds.joined(separator: ", ")).")])
        }
        guard members == given else {
            let words = members.isEmpty ? "nothing besides" : members.joined(separator: " and ")
            throw EdgeError.invalid([.init("/kind", "One of this kind names \(words).")])
        }
        if let person { return .person(person) }
        if let since, let until {
            guard since < until else { throw EdgeError.invalid([.init("/until", "It is not after `since`.")]) }
            return .time(since, until)
        }
        guard let filter else { return .organization }
        do throws(FilterError) { _ = try Filter(filter) } catch {
            throw EdgeError.invalid([.init("/filter", "\(error)")])
        }
        return .query(filter)
    }
}

extension HoldView {
    fileprivate var json: JSON.Object {
        var json: JSON.Object = [
            "id": .string(id.description), "kind": .string(scope.kind), "matter": .string(matter), "person": .null,
            "since": .null, "until": .null, "filter": .null, "created_by": .string(createdBy.description),
            "created_at": .string(createdAt.description), "lifted_by": .orNull(liftedBy),
            "lifted_at": .orNull(liftedAt),
        ]
        switch scope {
        case .person(let person): json["person"] = .string(person.description)
        case .time(let since, let until):
            json["since"] = .string(since.description)
            json["until"] = .string(until.description)
        case .query(let filter): json["filter"] = .string(filter)
        case .organization: break
        }
        return json
    }
}

extension Schema {
    private static let holdKind = Schema.word(of: HoldScope.kinds)

    fileprivate static let newHold = Schema.object(
        [
            ("kind", holdKind),
            ("matter", Schema.string(length: HoldView.matterLength).described("Why. No part of the log.")),
        ],
        optional: [
            ("person", Schema.id("per").orNull), ("since", Schema.time.orNull), ("until", Schema.time.orNull),
            (
                "filter",
                filter.orNull.described("Over entries of the log: whoever has one that it selects is held.")
            ),
        ]
    ).named(
        "NewHold",
        example: ["kind": "organization", "matter": "Case 2026-11"]
    )

    fileprivate static let hold = Schema.object([
        ("id", .id("hld")), ("kind", holdKind), ("matter", .string), ("person", Schema.id("per").orNull),
        ("since", Schema.time.orNull), ("until", Schema.time.orNull), ("filter", Schema.string.orNull),
        ("created_by", .id("usr")), ("created_at", .time), ("lifted_by", Schema.id("usr").orNull),
        ("lifted_at", Schema.time.orNull),
    ]).named(
        "Hold",
        example: [
            "id": "hld_01k9qyc5qje1qsv9svhrqgc8d2", "kind": "organization", "matter": "Case 2026-11", "person": .null,
            "since": .null, "until": .null, "filter": .null, "created_by": "usr_01k9qyc5qje1qsv9svhrqgc8da",
            "created_at": "2026-11-21T09:00:00Z", "lifted_by": .null, "lifted_at": .null,
        ]
    )
}
