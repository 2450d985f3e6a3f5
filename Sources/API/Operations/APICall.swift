package import Domain
package import Edge
import Foundation
package import HTTPTypes
package import Hummingbird
import HummingbirdCore
import NIOCore
package import Storage
package import Transparency

/// One request of a proved caller to one operation that it may use, its body read.
package struct APICall: Sendable {
    package let door: APIDoor
    package let operation: Operation
    package let caller: Caller
    package let context: EdgeContext
    package let request: Request
    /// Of the query, by name; only those that the operation declares.
    package let parameters: [String: String]
    /// An empty object where the operation takes no body, or none came and none is needed.
    package let body: JSON

    package var store: Store { door.store }

    /// Who does what this call does.
    package var attribution: Attribution {
        Attribution(caller: caller, origin: context.origin, receivedAt: context.receivedAt)
    }

    /// By what right: the scope of the operation that the caller has.
    package var authority: Authority? {
        operation.access.scopes.first(where: caller.scopes.contains).map(Authority.scope)
    }

    /// The id in the path. A text that is no id of the noun is answered like an unknown one.
    package func id<Kind>(_ name: String = "id", as: ID<Kind>.Type = ID<Kind>.self) throws(EdgeError) -> ID<Kind> {
        guard let text = context.parameters.get(name), let id = ID<Kind>(text) else { throw .notFound }
        return id
    }

    /// All that stands behind the operation's path, of one that takes it.
    package var rest: String {
        let raw = context.parameters.getCatchAll().joined(separator: "/")
        return raw.removingPercentEncoding ?? raw
    }

    /// The body as a value; refuses unknown members, wrong kinds and missing members with their pointers.
    package func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        try JSONBody.decode(type, from: body)
    }

    /// `current`, with the body laid over it by RFC 7396, as a value: what a PATCH asks the thing to become. Members
    /// that `Value` does not know are refused, so `current` holds just what may be changed. With `confirms` the body may
    /// hold a `confirmation` besides.
    package func patched<Value: Decodable>(
        _ current: JSON.Object,
        confirms: Bool = false,
        as type: Value.Type = Value.self
    ) throws -> Value {
        guard let patch = confirms ? try confirmed().body.object : body.object else {
            throw EdgeError.invalid([.init("", "This has to be an object.")])
        }
        return try JSONBody.decode(type, from: .object(current.merged(with: patch)))
    }

    /// Whether the body says something else of one of these members than `current`.
    package func changes(_ names: [String], of current: JSON.Object) -> Bool {
        names.contains { name in body.object?[name].map { $0 != current[name] } ?? false }
    }

    /// The body without its member `confirmation`, and what that says: what somebody sends again who was asked to look
    /// again (409 `confirmation-required`).
    package func confirmed() throws(EdgeError) -> (body: JSON, confirmation: String?) {
        guard var object = body.object, let said = object["confirmation"] else { return (body, nil) }
        guard let text = said.string else {
            guard said.isNull else { throw .invalid([.init("/confirmation", "This has to be a text.")]) }
            object["confirmation"] = nil
            return (.object(object), nil)
        }
        guard let confirmation = Confirmation(text) else {
            throw .invalid([.init("/confirmation", Confirmation.refusal)])
        }
        object["confirmation"] = nil
        return (.object(object), confirmation.text)
    }

    /// The version that `If-Match` names.
    package func expectedVersion() throws(EdgeError) -> Int64 {
        try EntityTag.required(in: request.headers).version
    }

    /// Whether the token that began this call is good still. What goes on for long asks before each step.
    func isStillAdmitted() async throws -> Bool {
        guard let facts = try await store.facts(of: try Authenticator.bearer(in: request.headers)) else { return false }
        return facts.refusal(from: context.client, for: door.audience) == nil
            && operation.access.scopes.contains(where: facts.caller.scopes.contains)
    }

    /// Reads rows of the caller's organization.
    package func read<Output: Sendable>(
        _ body: (OrganizationTransaction) async throws -> Output
    ) async throws -> Output {
        try await store.read(as: caller.organization, body)
    }

    /// As ``read(_:)``, for what goes through many entries: over connections of its own, and where an operator said so from
    /// a copy that may be behind.
    package func readLog<Output: Sendable>(
        _ body: (OrganizationTransaction) async throws -> Output
    ) async throws -> Output {
        try await door.auditReads.read(as: caller.organization, body)
    }

    /// Makes a change of the caller's organization.
    package func perform<C: Change>(_ change: C) async throws -> C.Output {
        try await store.perform(change, in: caller.organization)
    }

    /// Makes something, once for each `Idempotency-Key`, and answers 201. `body` tells the answer of what was made; its
    /// member `id` is the last segment of `Location`.
    package func create<C: Change>(
        _ change: C,
        showsSecret: Bool = false,
        _ body: @escaping @Sendable (C.Output) -> JSON.Object
    ) async throws -> APIAnswer {
        let answered = try await store.perform(
            change,
            in: caller.organization,
            onceFor: try idempotencyClaim(),
            showsSecret: showsSecret,
            answer: body
        )
        if answered.body["id"]?.string.flatMap({ ApprovalID($0) }) != nil,
            operation.answers.waiting != nil || operation.answers.status == .accepted
        {
            return .waiting(answered.body, isReplay: answered.isReplay)
        }
        var answer = APIAnswer(.object(answered.body), status: .created, isReplay: answered.isReplay)
        if operation.answers.fields.contains(.location), let id = answered.body["id"]?.string {
            answer.fields[.location] = request.uri.path + "/" + id
        }
        return answer
    }

    private func idempotencyClaim() throws -> IdempotencyClaim? {
        guard let key = try IdempotencyKey(in: request.headers) else { return nil }
        return IdempotencyClaim(
            key: key.description,
            user: caller.user,
            operation: operation.id,
            fingerprint: IdempotencyKey.fingerprint(of: request, body: body.bytes)
        )
    }
}

/// What an operation answers, and what of it an entry tells.
package struct APIAnswer: Sendable {
    package var status: HTTPResponse.Status
    /// nil: no body.
    package var body: JSON?
    /// A body that is no JSON.
    private(set) var file: [UInt8]?
    /// A body that is made while it is sent.
    private(set) var stream: (@concurrent @Sendable (inout any ResponseBodyWriter) async throws -> Void)?
    package var fields: HTTPFields = [:]
    /// What the entry of a read holds in `after`. nil where a change holds its entry already.
    var notes: JSON.Object?
    /// Called once the entry of a read is committed.
    var whenTold: (@Sendable () -> Void)?
    /// Whose data was read, where the path does not say it.
    var person: PersonID?
    var isReplay = false

    /// What was read: an entry is committed before it is sent. `notes` may hold no personal value.
    package static func read(
        _ body: JSON.Object,
        version: Int64? = nil,
        notes: JSON.Object = [:],
        person: PersonID? = nil
    ) -> APIAnswer {
        var answer = APIAnswer(.object(body))
        answer.fields[.eTag] = version.map { EntityTag(version: $0).description }
        answer.notes = notes
        answer.person = person
        return answer
    }

    /// A file that was read. `notes` nil: an entry of this caller tells of it already.
    package static func file(_ bytes: [UInt8], type: String, notes: JSON.Object?) -> APIAnswer {
        var answer = APIAnswer(nil)
        answer.file = bytes
        answer.fields[.contentType] = type
        answer.notes = notes
        return answer
    }

    /// A body that `write` makes while it is sent, once the entry is committed. When it throws, the connection ends without
    /// the last chunk, so that what came is not taken for the whole.
    package static func stream(
        type: String,
        notes: JSON.Object,
        _ write: @escaping @concurrent @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> APIAnswer {
        var answer = APIAnswer(nil)
        answer.stream = write
        answer.fields[.contentType] = type
        answer.notes = notes
        return answer
    }

    /// What a thing is after a change whose entries are committed with it.
    package static func changed(_ body: JSON.Object, version: Int64? = nil) -> APIAnswer {
        var answer = APIAnswer(.object(body))
        answer.fields[.eTag] = version.map { EntityTag(version: $0).description }
        return answer
    }

    /// That it waits for a second admin; the entry is committed with it.
    package static func waiting(_ approval: JSON.Object, isReplay: Bool = false) -> APIAnswer {
        var answer = APIAnswer(.object(approval), status: .accepted, isReplay: isReplay)
        answer.fields[.location] = approval["id"]?.string.map { "/v1/approvals/" + $0 }
        return answer
    }

    /// That it is gone; the entries are committed with it.
    package static let removed = APIAnswer(nil, status: .noContent)

    init(_ body: JSON?, status: HTTPResponse.Status = .ok, isReplay: Bool = false) {
        self.status = status
        self.body = body
        self.isReplay = isReplay
    }

    var response: Response {
        if let stream {
            let body = ResponseBody { writer in
                try await stream(&writer)
                try await writer.finish(nil)
            }
            return Response(status: status, headers: fields, body: body)
        }
        if let file {
            return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: file)))
        }
        return body?.response(status: status, fields: fields) ?? Response(status: status, headers: fields)
    }
}
