import Domain
import Edge
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Testing
import Transparency

/// What every answer carries, and how errors become answers.
@Suite struct RequestTests {
    struct Transient: Error {}
    struct Unforeseen: Error { let secret = "the database said rcs_0123456789abcdef" }

    struct Body: Decodable {
        var name: String
        var count: Int?
        var tags: [Tag]?
        var anything: [String: Int]?

        struct Tag: Decodable { var key: String }
    }

    @Test func `a door's own error form is used at its paths, whatever refuses, and there alone`() async throws {
        let form = ErrorForm(paths: ["/form"]) { refusal in
            let word = refusal.map { "\($0)" } ?? "a fault of ours"
            return Response(status: .badRequest, body: ResponseBody(byteBuffer: ByteBuffer(string: word)))
        }
        let faults = FaultReader { $0 is Transient ? .unavailable(retryAfterSeconds: 2) : nil }
        let application = try edgeApplication(faults: faults, forms: [form]) { router in
            for path: RouterPath in ["/form", "/form/below", "/other"] {
                router.post(path) { request, _ -> String in
                    switch request.uri.query {
                    case "unforeseen": throw Unforeseen()
                    case "framework": throw HTTPError(.internalServerError, message: "x")
                    case "long": throw NIOTooManyBytesError(maxBytes: 1)
                    default: throw Transient()
                    }
                }
            }
        }
        try await application.test(.router) { client in
            for (query, word) in [
                ("unforeseen", "a fault of ours"), ("framework", "a fault of ours"), ("long", "payloadTooLarge"),
                ("passing", "unavailable"),
            ] {
                try await client.execute(uri: "/form?" + query, method: .post) { response in
                    #expect(String(buffer: response.body).hasPrefix(word), "\(query)")
                }
                for path in ["/form/below", "/other"] {
                    try await client.execute(uri: path + "?" + query, method: .post) { response in
                        #expect(response.headers[.contentType] == "application/problem+json", "\(path) \(query)")
                    }
                }
            }
            try await client.execute(uri: "/form", method: .delete) { response in
                #expect(String(buffer: response.body).hasPrefix("methodNotAllowed"))
                #expect(response.headers[.cacheControl] == "no-store")
            }
        }
    }

    private func with(
        logger: Logger = quietLogger(),
        _ test: @escaping @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws {
        let faults = FaultReader { $0 is Transient ? .unavailable(retryAfterSeconds: 2) : nil }
        let application = try edgeApplication(faults: faults, logger: logger) { router in
            router.get("/v1/things") { _, context in context.trace.traceID }
            router.post("/v1/things") { request, _ in
                let body = try await request.decodeJSON(as: Body.self, mostBytes: 2000)
                return "\(body.name) \(body.count ?? -1) \(body.tags?.count ?? -1)"
            }
            router.get("/v1/faults/transient") { _, _ -> String in throw Transient() }
            router.get("/v1/faults/unforeseen") { _, _ -> String in throw Unforeseen() }
            router.get("/v1/faults/framework") { _, _ -> String in throw HTTPError(.internalServerError, message: "x") }
            router.get("/v1/refusals/scope") { _, _ -> String in throw EdgeError.forbidden(needs: .peopleRead) }
            router.get("/v1/refusals/confirmation") { _, _ -> String in
                throw EdgeError.confirmationRequired(confirmation: "c-7", detail: "3 people would end.")
            }
            router.group("/v1/callers").group(context: CallerContext.self).get("/me") { _, context in
                context.caller.username
            }
            Probes(checks: [.init("good") { true }, .init("bad") { throw Transient() }]).mount(on: router)
        }
        try await application.test(.router, test)
    }

    private func json(_ response: TestResponse) throws -> JSON {
        #expect(response.headers[.contentType] == "application/problem+json")
        return try JSON.parse(Array(buffer: response.body))
    }

    @Test func `an unknown path is a problem with the id of its request`() async throws {
        try await with { client in
            let response = try await client.execute(uri: "/nowhere", method: .get)
            let problem = try json(response)
            #expect(response.status == .notFound)
            #expect(problem["type"] == "/problems/not-found")
            #expect(problem["status"] == 404)
            let id = try #require(problem["request_id"]?.string)
            #expect(response.headers[.requestID] == id)
            #expect(Domain.RequestID(id) != nil)
        }
    }

    @Test func `the id of a request is ours, whatever was sent`() async throws {
        try await with { client in
            let fields: HTTPFields = [.requestID: "req_mine"]
            let response = try await client.execute(uri: "/v1/things", method: .get, headers: fields)
            #expect(response.headers[.requestID] != "req_mine")
            let other = try await client.execute(uri: "/v1/things", method: .get, headers: fields)
            #expect(response.headers[.requestID] != other.headers[.requestID])
            #expect(response.headers[.xContentTypeOptions] == "nosniff")
            #expect(response.headers[.cacheControl] == "no-store")
        }
    }

    @Test func `other methods are answered with those that there are`() async throws {
        try await with { client in
            let refused = try await client.execute(uri: "/v1/things", method: .delete)
            #expect(refused.status == .methodNotAllowed)
            #expect(refused.headers[.allow] == "GET, HEAD, OPTIONS, POST")
            #expect(try json(refused)["type"] == "/problems/method-not-allowed")
            for name in ["TRACE", "QUERY", "PROPFIND", "BREW"] {
                let method = try #require(HTTPRequest.Method(rawValue: name))
                let odd = try await client.execute(uri: "/v1/things", method: method)
                #expect(odd.status == .methodNotAllowed, "\(name)")
                #expect(odd.headers[.allow] == "GET, HEAD, OPTIONS, POST")
                #expect(try await client.execute(uri: "/nowhere", method: method).status == .notFound, "\(name)")
            }
            let options = try await client.execute(uri: "/v1/things", method: .options)
            #expect(options.status == .noContent)
            #expect(options.headers[.allow] == "GET, HEAD, OPTIONS, POST")
            let head = try await client.execute(uri: "/v1/things", method: .head)
            #expect(head.status == .ok)
            #expect(head.body.readableBytes == 0)
        }
    }

    @Test func `a fault of ours tells nothing and is logged once under its id`() async throws {
        let lines = LogLines()
        let sink = lines.sink
        let logger = Logger(label: "edge") { label in
            JSONLogHandler(label: label, level: .debug, clock: StillClock(), sink: sink)
        }
        try await with(logger: logger) { client in
            let response = try await client.execute(uri: "/v1/faults/unforeseen", method: .get)
            #expect(response.status == .internalServerError)
            let text = String(buffer: response.body)
            #expect(!text.contains("database") && !text.contains("Unforeseen"))
            sink.flush()
            let id = try #require(response.headers[.requestID])
            let logged = lines.all.joined().split(separator: "\n").filter { $0.contains(#""level":"error""#) }
            #expect(logged.count == 1)
            #expect(logged.first?.contains(id) == true)
            #expect(logged.first?.contains("Unforeseen") == true)
            #expect(logged.first?.contains("0123456789abcdef") == false)
            let framework = try await client.execute(uri: "/v1/faults/framework", method: .get)
            #expect(try json(framework)["type"] == "/problems/internal-error")
        }
    }

    @Test func `a transient fault is 503 and says when to come again`() async throws {
        try await with { client in
            let response = try await client.execute(uri: "/v1/faults/transient", method: .get)
            #expect(response.status == .serviceUnavailable)
            #expect(response.headers[.retryAfter] == "2")
        }
    }

    @Test func `refusals carry what the caller needs to go on`() async throws {
        try await with { client in
            let scope = try await client.execute(uri: "/v1/refusals/scope", method: .get)
            #expect(scope.status == .forbidden)
            #expect(scope.headers[.wwwAuthenticate] == #"Bearer error="insufficient_scope", scope="people:read""#)
            #expect(try json(scope)["needed_scope"] == "people:read")
            let confirmation = try await client.execute(uri: "/v1/refusals/confirmation", method: .get)
            #expect(confirmation.status == .conflict)
            #expect(try json(confirmation)["confirmation"] == "c-7")
            #expect(try json(confirmation)["type"] == "/problems/confirmation-required")
        }
    }

    @Test func `a handler of callers is not reached by nobody`() async throws {
        try await with { client in
            let response = try await client.execute(uri: "/v1/callers/me", method: .get)
            #expect(response.status == .unauthorized)
            #expect(response.headers[.wwwAuthenticate] == "Bearer")
        }
    }

    @Test func `live and ready differ`() async throws {
        try await with { client in
            #expect(try await client.execute(uri: "/livez", method: .get).status == .ok)
            let ready = try await client.execute(uri: "/readyz", method: .get)
            #expect(ready.status == .serviceUnavailable)
            let body = try JSON.parse(Array(buffer: ready.body))
            #expect(body["checks"] == ["good": "ok", "bad": "failed"])
        }
    }

    private func post(
        _ client: any TestClientProtocol,
        _ body: String,
        type: String? = "application/json"
    ) async throws -> TestResponse {
        var fields = HTTPFields()
        fields[.contentType] = type
        return try await client.execute(
            uri: "/v1/things",
            method: .post,
            headers: fields,
            body: ByteBuffer(string: body)
        )
    }

    @Test func `a body is decoded by its type`() async throws {
        try await with { client in
            let body = #"{"name": "a", "count": 3, "tags": [{"key": "x"}], "anything": {"b": 1}}"#
            #expect(String(buffer: try await post(client, body).body) == "a 3 1")
            let typed = try await post(client, #"{"name":"a"}"#, type: "application/json; charset=UTF-8")
            #expect(String(buffer: typed.body) == "a -1 -1")
        }
    }

    @Test(arguments: [
        (#"{"name": "a", "nom": 1}"#, ["/nom"]),
        (#"{"name": "a", "x/y": 1, "tags": [{"key": "k", "~": 0}]}"#, ["/tags/0/~0", "/x~1y"]),
        (#"{"count": 1}"#, ["/name"]),
        (#"{"name": null}"#, ["/name"]),
        (#"{"name": 1}"#, ["/name"]),
        (#"{"name": "a", "count": 1.5}"#, ["/count"]),
        (#"{"name": "a", "count": 9223372036854775808}"#, ["/count"]),
        (#"{"name": "a", "count": "1"}"#, ["/count"]),
        (#"{"name": "a", "count": true}"#, ["/count"]),
        (#"{"name": "a", "tags": {}}"#, ["/tags"]),
        (#"{"name": "a", "tags": [{"key": "k"}, {}]}"#, ["/tags/1/key"]),
        (#"{"name": "a", "anything": {"b": "c"}}"#, ["/anything/b"]),
        ("[]", [""]),
    ])
    func `what does not fit is named by its pointer`(body: String, pointers: [String]) async throws {
        try await with { client in
            let response = try await post(client, body)
            #expect(response.status == .unprocessableContent)
            let errors = try #require(try json(response)["errors"]?.array)
            #expect(errors.compactMap { $0["pointer"]?.string } == pointers)
        }
    }

    @Test(arguments: [
        "", " ", "{", #"{"name":"a","name":"b"}"#, "{}{}", #"{"name":"\ud800"}"#, "{\"name\":\"\u{1}\"}", "nul",
    ])
    func `what is not strict JSON is refused with its place`(body: String) async throws {
        try await with { client in
            let response = try await post(client, body)
            #expect(response.status == .badRequest)
            #expect(try json(response)["detail"]?.string?.contains("byte") == true)
        }
    }

    @Test(
        arguments: [nil, "", "text/plain", "application/jsonp", "application/json; charset=latin1", "text/json"]
            as [String?]
    )
    func `another content type is refused`(type: String?) async throws {
        try await with { client in
            let response = try await post(client, #"{"name":"a"}"#, type: type)
            #expect(response.status == .unsupportedMediaType)
        }
    }

    @Test func `a body over the route's own limit is refused`() async throws {
        try await with { client in
            let response = try await post(client, #"{"name":"\#(String(repeating: "a", count: 2000))"}"#)
            #expect(response.status == .contentTooLarge)
        }
    }

    @Test(arguments: [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
        ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", true),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
        ("00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01", false),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", false),
        ("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
        ("", false),
    ])
    func `a trace goes on only from a well-formed parent`(parent: String, goesOn: Bool) async throws {
        try await with { client in
            let name = try #require(HTTPField.Name("traceparent"))
            let response = try await client.execute(uri: "/v1/things", method: .get, headers: [name: parent])
            let trace = String(buffer: response.body)
            #expect(trace.utf8.count == 32)
            #expect((trace == "0af7651916cd43dd8448eb211c80319c") == goesOn)
        }
    }

    @Test func `a bearer token is taken from one header in one form`() throws {
        let token = OpaqueSecret.make(.access, using: CountingRandomness()).reveal()
        let client = OpaqueSecret.make(.client, using: CountingRandomness()).reveal()
        #expect(try Authenticator.bearer(in: [.authorization: "bEARER \(token)"]).reveal() == token)
        #expect(throws: EdgeError.unauthorized(.missing)) { try Authenticator.bearer(in: [:]) }
        var twice: HTTPFields = [.authorization: "Bearer \(token)"]
        twice.append(HTTPField(name: .authorization, value: "Bearer \(token)"))
        #expect(throws: EdgeError.unauthorized(.invalid)) { try Authenticator.bearer(in: twice) }
        for value in ["", "Bearer", "Basic \(token)", "Bearer \(token)x", "Bearer \(client)", token] {
            #expect(throws: EdgeError.unauthorized(.invalid)) {
                try Authenticator.bearer(in: [.authorization: value])
            }
        }
    }
}
