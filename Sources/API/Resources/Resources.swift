import Domain
import Edge
import Hummingbird
import Storage
import Transparency

extension Operation {
    static let resources: [Operation] = [
        .read(
            "listResources",
            "/v1/resources",
            .anyone,
            .resourceRead,
            "The resources that tokens may be for besides Rollcall, and of which form they are",
            answers: .object([("items", .array(of: .resource)), ("next_cursor", .string.orNull)])
        ) { call in
            let items = try await call.read { try await $0.resources() }
            return .read(["items": .array(items.map { .object($0.json) }), "next_cursor": .null])
        },
        .create(
            "createResource",
            "/v1/resources",
            .scope(.organizationWrite),
            .resourceCreated,
            "Add a resource that tokens may be for (RFC 8707), or choose the form of those for Rollcall itself",
            body: .newResource,
            answers: .resource,
            hasLocation: false
        ) { call in
            let new: NewResource = try call.decode()
            guard let identifier = ResourceIdentifier(new.identifier) else {
                throw EdgeError.invalid([
                    .init("/identifier", "An https address without query and fragment, in lower case up to its path.")
                ])
            }
            guard let format = TokenFormat(rawValue: new.tokenFormat) else {
                throw EdgeError.invalid([.init("/token_format", "This is opaque or jwt.")])
            }
            let creation = ResourceCreation(
                identifier,
                name: try Texts.name(new.name, at: "/name"),
                format: format,
                issuer: call.door.publicURL,
                by: call.caller,
                call.attribution,
                in: call.store
            )
            return try await call.create(creation) { $0.json }
        },
        .remove(
            "removeResource",
            "/v1/resources/{id}",
            .scope(.organizationWrite),
            .resourceRemoved,
            "Take a resource away, with every token for it",
            target: .resource
        ) { call in
            try await call.perform(ResourceRemoval(of: try call.id(), by: call.attribution))
            return .removed
        },
    ]
}

private struct NewResource: Decodable {
    var identifier: String
    var name: String
    var tokenFormat: String

    private enum CodingKeys: String, CodingKey {
        case identifier, name
        case tokenFormat = "token_format"
    }
}

extension ResourceView {
    fileprivate var json: JSON.Object {
        [
            "id": .string(id.description), "identifier": .string(identifier.description), "name": .string(name),
            "token_format": .string(format.rawValue), "own": .bool(isOwn), "created_at": .string(createdAt.description),
        ]
    }
}

extension Schema {
    private static let identifier = Schema.string(length: 8...2000, matching: "^https?://[!-~]+$")
        .described("What clients send as `resource`, byte for byte, and what stands in `aud`.")

    private static let tokenFormat = Schema.word(of: TokenFormat.allCases.map(\.rawValue))
        .described("jwt: signed tokens (RFC 9068) of ten minutes at most, to be validated with the published keys.")

    fileprivate static let resource = Schema.object([
        ("id", .id("rsc")), ("identifier", identifier), ("name", .name), ("token_format", tokenFormat),
        ("own", Schema.boolean.described("Whether it stands for Rollcall itself.")), ("created_at", .time),
    ]).named(
        "Resource",
        example: [
            "id": "rsc_01k9qyc5qje1qsv9svhrqgc8d2", "identifier": "https://payroll.example/api", "name": "Payroll",
            "token_format": "jwt", "own": false, "created_at": "2026-11-21T09:00:00Z",
        ]
    )

    fileprivate static let newResource = Schema.object([
        ("identifier", identifier), ("name", .name), ("token_format", tokenFormat),
    ]).named(
        "NewResource",
        example: ["identifier": "https://payroll.example/api", "name": "Payroll", "token_format": "jwt"]
    )
}
