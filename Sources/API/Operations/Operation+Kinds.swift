package import Domain
import Edge
import HTTPTypes
import Transparency

extension Operation {
    /// GET of one thing. The handler throws ``EdgeError/notFound`` for an id that the organization does not have,
    /// whoever else may have it.
    package static func read(
        _ id: String,
        _ path: String,
        _ access: Access,
        _ action: ActionCode,
        _ summary: String,
        target: PathTarget? = nil,
        parameters: [Parameter] = [],
        answers schema: Schema,
        hasTag: Bool = false,
        _ run: @escaping @Sendable (APICall) async throws -> APIAnswer
    ) -> Operation {
        Operation(
            id: id,
            method: .get,
            path: path,
            access: access,
            action: action,
            summary: summary,
            target: target,
            parameters: parameters,
            answers: Answers(.ok, schema, "As it is now.", fields: hasTag ? [.eTag] : []),
            run: .called(run)
        )
    }

    /// POST that makes something: 201, `Location`, and the `Idempotency-Key` honoured if the handler answers with
    /// ``APICall/create(_:showsSecret:_:)``.
    package static func create(
        _ id: String,
        _ path: String,
        _ access: Access,
        _ action: ActionCode,
        _ summary: String,
        target: PathTarget? = nil,
        body: Schema,
        isBodyOptional: Bool = false,
        answers schema: Schema,
        hasLocation: Bool = true,
        waiting: Schema? = nil,
        _ run: @escaping @Sendable (APICall) async throws -> APIAnswer
    ) -> Operation {
        Operation(
            id: id,
            method: .post,
            path: path,
            access: access,
            action: action,
            summary: summary,
            target: target,
            parameters: [.idempotencyKey],
            body: Body(body, isOptional: isBodyOptional),
            answers: Answers(
                .created,
                schema,
                "It was made.",
                fields: hasLocation ? [.location] : [],
                waiting: waiting
            ),
            run: .called(run)
        )
    }

    /// PATCH by RFC 7396 of the version that `If-Match` names; see ``APICall/patched(_:)``.
    package static func change(
        _ id: String,
        _ path: String,
        _ access: Access,
        _ action: ActionCode,
        _ summary: String,
        target: PathTarget? = nil,
        body: Schema,
        answers schema: Schema,
        waiting: Schema? = nil,
        _ run: @escaping @Sendable (APICall) async throws -> APIAnswer
    ) -> Operation {
        Operation(
            id: id,
            method: .patch,
            path: path,
            access: access,
            action: action,
            summary: summary,
            target: target,
            parameters: [.ifMatch],
            body: Body(body, contentTypes: ["application/merge-patch+json", "application/json"]),
            answers: Answers(.ok, schema, "As it is after the change.", fields: [.eTag], waiting: waiting),
            run: .called(run)
        )
    }

    /// POST that does something to a thing that is there. Without `body` it takes none but an empty object; `mostBytes` of
    /// one.
    package static func act(
        _ id: String,
        _ path: String,
        _ access: Access,
        _ action: ActionCode,
        _ summary: String,
        target: PathTarget,
        body: Schema? = nil,
        mostBytes: Int = Body.standardBytes,
        isBodyOptional: Bool = true,
        answers schema: Schema,
        waiting: Schema? = nil,
        _ run: @escaping @Sendable (APICall) async throws -> APIAnswer
    ) -> Operation {
        Operation(
            id: id,
            method: .post,
            path: path,
            access: access,
            action: action,
            summary: summary,
            target: target,
            body: Body(body ?? .object(), isOptional: isBodyOptional, mostBytes: mostBytes),
            answers: Answers(.ok, schema, "As it is afterwards.", waiting: waiting),
            run: .called { call in
                if body == nil { _ = try call.decode(NoMembers.self) }
                return try await run(call)
            }
        )
    }

    /// DELETE.
    package static func remove(
        _ id: String,
        _ path: String,
        _ access: Access,
        _ action: ActionCode,
        _ summary: String,
        target: PathTarget? = nil,
        parameters: [Parameter] = [],
        _ run: @escaping @Sendable (APICall) async throws -> APIAnswer
    ) -> Operation {
        Operation(
            id: id,
            method: .delete,
            path: path,
            access: access,
            action: action,
            summary: summary,
            target: target,
            parameters: parameters,
            answers: Answers(.noContent, nil, "It is gone."),
            run: .called(run)
        )
    }
}

/// An object that may have no member at all.
private struct NoMembers: Decodable {
    private enum NoKeys: CodingKey {}

    init(from decoder: any Decoder) throws {
        _ = try decoder.container(keyedBy: NoKeys.self)
    }
}

extension Schema {
    /// As the server makes them; no other names one version.
    static let entityTag = Schema.string(length: 4...21, matching: EntityTag.pattern)
    static let cursor = Schema.string(length: 1...Cursor.mostTextBytes, matching: "^[A-Za-z0-9_-]+$")
}

extension Operation.Parameter {
    static let idempotencyKey = Operation.Parameter(
        "Idempotency-Key",
        in: .header,
        .string(length: 1...IdempotencyKey.mostCharacters, matching: "^[!-~]+$"),
        """
        Visible ASCII. The same key with the same request is answered as the first time, for a day; an answer that \
        showed a secret is not shown again (409). Refused requests are not kept.
        """
    )
    static let ifMatch = Operation.Parameter(
        "If-Match",
        in: .header,
        .entityTag,
        "The ETag of the version that this changes.",
        isRequired: true
    )
}
