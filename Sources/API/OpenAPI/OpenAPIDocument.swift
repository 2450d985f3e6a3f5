import Domain
import Edge
import HTTPTypes
import Transparency

/// The OpenAPI 3.1 document of the operations. Made from the table alone: what is not in the table is no route, and what
/// is in it is in the document.
enum OpenAPIDocument {
    static func of(_ operations: [Operation], at publicURL: String) -> JSON.Object {
        var paths: JSON.Object = [:]
        var schemas: [String: JSON.Object] = ["Problem": problemSchema]
        for operation in operations {
            var methods = paths[operation.path]?.object ?? [:]
            methods[operation.method.rawValue.lowercased()] = .object(operation.documented)
            paths[operation.path] = .object(methods)
            for schema in operation.schemas { schemas.merge(schema.components) { first, _ in first } }
        }
        var named: JSON.Object = [:]
        for (name, schema) in schemas.sorted(by: { $0.key < $1.key }) { named[name] = .object(schema) }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Rollcall", "version": "1",
                "summary": "Who joins, moves and leaves, and what integrations may therefore do.",
                "description": """
                The organization comes from the token. An id of another organization is answered exactly as an \
                unknown one. Members may be added to answers; those that are described here stay. Unknown members \
                of requests are refused.
                """,
            ],
            "servers": [["url": .string(publicURL)]],
            "security": [["bearer": []]],
            "paths": .object(paths),
            "components": [
                "securitySchemes": [
                    "bearer": [
                        "type": "http", "scheme": "bearer",
                        "description": "An access token of a grant (`rca_…`), or a personal token (`rcp_…`).",
                    ]
                ],
                "responses": .object(problemResponses),
                "schemas": .object(named),
            ],
        ]
    }

    /// RFC 9457, with what Rollcall adds.
    private static let problemSchema: JSON.Object = [
        "type": "object", "required": ["type", "title", "status"],
        "properties": [
            "type": ["type": "string", "format": "uri-reference"], "title": ["type": "string"],
            "status": ["type": "integer"], "detail": ["type": "string"],
            "request_id": ["type": "string", "description": "Names this request in our log and in audit entries."],
            "errors": [
                "type": "array", "description": "What is wrong where, of 422.",
                "items": [
                    "type": "object", "required": ["detail"],
                    "properties": [
                        "pointer": ["type": "string", "description": "RFC 6901, into the body."],
                        "parameter": ["type": "string", "description": "A parameter of the query."],
                        "detail": ["type": "string"],
                    ],
                ],
            ],
            "needed_scope": ["type": "string"], "reason": ["type": "string"],
            "confirmation": ["type": "string", "description": "To be sent back to confirm, of 409."],
            "most_bytes": ["type": "integer"],
        ],
        "examples": [
            [
                "type": "/problems/not-found", "title": "There is nothing here", "status": 404,
                "request_id": "req_01k9qyc5qje1qsv9svhrqgc8d5",
            ]
        ],
    ]

    static let problems: [(status: HTTPResponse.Status, name: String, summary: String)] = [
        (.badRequest, "Malformed", "The request cannot be read."),
        (.unauthorized, "Unauthorized", "There is no token, or it is not good."),
        (.forbidden, "Forbidden", "The token may not do this, or not from this address."),
        (.notFound, "NotFound", "The organization has no such thing."),
        (.requestTimeout, "TooSlow", "The body did not come in time."),
        (.conflict, "Conflict", "It contradicts what is there, or wants to be confirmed."),
        (.preconditionFailed, "PreconditionFailed", "It was changed meanwhile."),
        (.contentTooLarge, "PayloadTooLarge", "The body is too long."),
        (.unsupportedMediaType, "UnsupportedMediaType", "This kind of body is not taken here."),
        (.unprocessableContent, "Invalid", "Some of this is not acceptable; `errors` says what and where."),
        (.requestHeaderFieldsTooLarge, "FieldsTooLarge", "The address and the header fields together are too long."),
        (.preconditionRequired, "PreconditionRequired", "`If-Match` is needed."),
        (.serviceUnavailable, "Unavailable", "Not possible just now; `Retry-After` says when to try again."),
    ]

    private static var problemResponses: JSON.Object {
        var responses: JSON.Object = [:]
        for problem in problems {
            var response: JSON.Object = [
                "description": .string(problem.summary),
                "content": [
                    "application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]
                ],
            ]
            switch problem.status {
            case .unauthorized: response["headers"] = ["WWW-Authenticate": documented(.wwwAuthenticate)]
            case .serviceUnavailable: response["headers"] = ["Retry-After": documented(.retryAfter)]
            default: break
            }
            responses[problem.name] = .object(response)
        }
        return responses
    }

    /// A header field of answers.
    fileprivate static func documented(_ field: HTTPField.Name) -> JSON {
        let (schema, summary): (Schema, String) =
            switch field {
            case .eTag: (.entityTag, "The version, for `If-Match`.")
            case .location: (.string(length: 1...2000), "Where it is now.")
            case .retryAfter: (.integer(from: 0), "Seconds.")
            case .wwwAuthenticate: (.string, "How to get in: RFC 6750, and where our metadata is (RFC 9728).")
            default: (.string, "")
            }
        return ["required": true, "description": .string(summary), "schema": .object(schema.json)]
    }
}

extension Operation {
    static let openAPI = [
        Operation(
            id: "openapi",
            method: .get,
            path: "/v1/openapi.json",
            access: .open,
            action: .organizationRead,
            summary: "This document",
            answers: Answers(.ok, .anyObject, "OpenAPI 3.1."),
            run: .open { door in .object(OpenAPIDocument.of(Operation.all, at: door.publicURL)) }
        )
    ]

    /// Names in braces, in order.
    var pathParameters: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    /// The noun: the segment behind the version.
    private var tag: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }

    fileprivate var schemas: [Schema] {
        [body?.schema, answers.schema, answers.waiting].compactMap(\.self) + parameters.map(\.schema)
    }

    fileprivate var documented: JSON.Object {
        var json: JSON.Object = [
            "operationId": .string(id), "summary": .string(summary),
            "tags": [.string(tag == "openapi.json" ? "openapi" : tag)],
        ]
        switch access {
        case .open: json["security"] = []
        case .anyone: break
        case .scope(let scopes): json["security"] = .array(scopes.map { ["bearer": [.string($0.description)]] })
        }
        let described = pathParameters.map(documentedPathParameter) + parameters.map(\.documented)
        if !described.isEmpty { json["parameters"] = .array(described) }
        if let body { json["requestBody"] = .object(body.documented) }
        json["responses"] = .object(documentedResponses)
        return json
    }

    private func documentedPathParameter(_ name: String) -> JSON {
        let (schema, summary): (Schema, String) =
            switch name {
            case "key": (.id(SourceKeyKind.prefix), "The key's id.")
            case "secret": (.id(GrantSecretKind.prefix), "The secret's id.")
            case "organization": (.id(OrganizationKind.prefix), "The organization's id: the caller's own.")
            case "scope": (.scopeName, "The scope's name.")
            case "file": (.string(length: 1...200), "The file's path, slashes included.")
            default: (target.map { .id($0.prefix) } ?? .anyID, "Its id.")
            }
        return [
            "name": .string(name), "in": "path", "required": true, "description": .string(summary),
            "schema": .object(schema.json),
        ]
    }

    private var documentedResponses: JSON.Object {
        var responses: JSON.Object = [:]
        var answer: JSON.Object = ["description": .string(answers.summary)]
        if !answers.fields.isEmpty {
            var headers: JSON.Object = [:]
            for field in answers.fields { headers[field.canonicalName] = OpenAPIDocument.documented(field) }
            answer["headers"] = .object(headers)
        }
        if let schema = answers.schema { answer["content"] = ["application/json": ["schema": .object(schema.json)]] }
        if !answers.files.isEmpty {
            var content: JSON.Object = [:]
            for type in answers.files { content[type] = ["schema": [:]] }
            answer["content"] = .object(content)
        }
        responses[String(answers.status.code)] = .object(answer)
        if let waiting = answers.waiting {
            responses["202"] = [
                "description": "Nothing was done yet: a second admin is needed.",
                "headers": ["Location": OpenAPIDocument.documented(.location)],
                "content": ["application/json": ["schema": .object(waiting.json)]],
            ]
        }
        for problem in OpenAPIDocument.problems where mayAnswer(problem.status) {
            responses[String(problem.status.code)] = ["$ref": .string("#/components/responses/\(problem.name)")]
        }
        return responses
    }

    private func mayAnswer(_ status: HTTPResponse.Status) -> Bool {
        if case .open = access { return [.serviceUnavailable, .requestHeaderFieldsTooLarge].contains(status) }
        return switch status {
        case .unauthorized, .serviceUnavailable, .forbidden, .requestHeaderFieldsTooLarge: true
        case .notFound: !pathParameters.isEmpty
        case .conflict: method != .get
        case .preconditionFailed, .preconditionRequired: method == .patch
        case .contentTooLarge, .unsupportedMediaType, .requestTimeout: body != nil
        // A parameter that the operation does not have is refused everywhere.
        case .badRequest, .unprocessableContent: true
        default: false
        }
    }
}

extension Operation.Parameter {
    fileprivate var documented: JSON {
        [
            "name": .string(name), "in": .string(place.rawValue), "description": .string(summary),
            "required": .bool(isRequired), "schema": .object(schema.json),
        ]
    }
}

extension Operation.Body {
    fileprivate var documented: JSON.Object {
        var content: JSON.Object = [:]
        for type in contentTypes { content[type] = ["schema": .object(schema.json)] }
        return [
            "description": .string("At most \(mostBytes) bytes."), "required": .bool(!isOptional),
            "content": .object(content),
        ]
    }
}
